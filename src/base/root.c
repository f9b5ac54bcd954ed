// SPDX-License-Identifier: GPL-2.0-only
#include "base/root.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define MAX_LINKS 40 /* as the kernel's MAXSYMLINKS */

/* A path that is being resolved: @done is canonical, @next is still to do. */
struct walk {
	char done[PATH_MAX];
	char rest[PATH_MAX];
	const char *next; /* inside @rest */
	unsigned int links;
};

/*
 * Prepend @link to the rest of the path, and start at the root again if it is absolute.
 */
static int follow_link(struct walk *walk, const char *link)
{
	char rest[PATH_MAX];

	if (++walk->links > MAX_LINKS)
		return -ELOOP;
	if ((size_t)snprintf(rest, sizeof(rest), "%s/%s", link, walk->next) >=
	    sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(walk->rest, rest, sizeof(rest));
	walk->next = walk->rest;
	if (link[0] == '/')
		walk->done[0] = '\0';
	return 0;
}

static int step(struct walk *walk, const char *root, const char *name)
{
	_cleanup_free_ char *path = NULL;
	char link[PATH_MAX];
	size_t used;
	ssize_t len;

	if (!*name || !strcmp(name, "."))
		return 0;
	if (!strcmp(name, "..")) {
		char *slash = strrchr(walk->done, '/');

		if (slash)
			*slash = '\0';
		return 0;
	}
	path = strdup_printf("%s%s/%s", root, walk->done, name);
	if (!path)
		return -ENOMEM;
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0 && errno != EINVAL)
		return -errno;
	if (len >= 0) {
		link[len] = '\0';
		return follow_link(walk, link);
	}
	used = strlen(walk->done);
	len = snprintf(walk->done + used, sizeof(walk->done) - used, "/%s", name);
	return (size_t)len < sizeof(walk->done) - used ? 0 : -ENAMETOOLONG;
}

int root_resolve(const char *root, const char *path, char **out)
{
	struct walk walk = { .links = 0 };
	char name[NAME_MAX + 1];

	if (!strcmp(root, "/"))
		root = "";
	if (strlen(path) >= sizeof(walk.rest))
		return -ENAMETOOLONG;
	memcpy(walk.rest, path, strlen(path) + 1);
	walk.next = walk.rest;
	while (*walk.next) {
		size_t len = strcspn(walk.next, "/");
		int ret;

		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, walk.next, len);
		name[len] = '\0';
		walk.next += len + (walk.next[len] == '/');
		ret = step(&walk, root, name);
		if (ret < 0)
			return ret;
	}
	*out = strdup_printf("%s%s", root, *walk.done ? walk.done : "/");
	return *out ? 0 : -ENOMEM;
}
