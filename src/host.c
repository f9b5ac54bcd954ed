// SPDX-License-Identifier: GPL-2.0-only
#include "host.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "depmod.h"
#include "file.h"
#include "lock.h"
#include "log.h"
#include "module.h"

#define MAX_LINKS 40 /* as the kernel's MAXSYMLINKS */

bool host_release_ok(const char *release)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+~-";
	size_t len = strlen(release);

	return len > 0 && len < 65 && release[0] != '.' && release[0] != '-' &&
	       strspn(release, allowed) == len;
}

void host_close(struct host *host)
{
	close_fd(&host->modules_fd);
	close_fd(&host->kernels_fd);
	free(host->root);
	free(host->kernels);
	free(host->modules);
	*host = (struct host)HOST_INIT;
}

/* A path being resolved: @done is canonical below the root, @next is still to do. */
struct walk {
	char done[PATH_MAX];
	char rest[PATH_MAX];
	const char *next; /* inside @rest */
	unsigned int links;
};

/* Put @link before what is left to do, and go back to the root when it is absolute. */
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
	path = text_printf("%s%s/%s", root, walk->done, name);
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

int host_resolve(const char *root, const char *path, char **out)
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
	*out = text_printf("%s%s", root, *walk.done ? walk.done : "/");
	return *out ? 0 : -ENOMEM;
}

/* @below the root, where no link may lead out of it; *@fd is it, opened. */
static int open_folder(const struct host *host, const char *below, char **path, int *fd,
		       struct reason *reason)
{
	_cleanup_free_ char *plain = NULL, *real = NULL;
	int ret;

	plain = text_printf("%s/%s", strcmp(host->root, "/") ? host->root : "", below);
	if (!plain)
		return reason_errno(reason, -ENOMEM);
	ret = host_resolve(host->root, below, path);
	if (ret < 0)
		return reason_set(reason, ret, "%s: %s", plain, strerror(-ret));
	real = realpath(plain, NULL);
	if (!real)
		return reason_set(reason, -errno, "%s: %s", plain, strerror(errno));
	if (strcmp(real, *path) != 0)
		return reason_set(reason, -EXDEV, "%s: a link leads out of %s", plain,
				  host->root);
	*fd = open(*path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return reason_set(reason, -errno, "%s: %s", *path, strerror(errno));
	return 0;
}

static int open_kernels(struct host *host, const char *root, const char *release,
			struct reason *reason)
{
	*host = (struct host)HOST_INIT;
	host->release = release;
	host->root = realpath(root, NULL);
	if (!host->root)
		return reason_set(reason, -errno, "%s: %s", root, strerror(errno));
	return open_folder(host, "lib/modules", &host->kernels, &host->kernels_fd,
			   reason);
}

static int open_modules(struct host *host, struct reason *reason)
{
	_cleanup_free_ char *below = text_printf("lib/modules/%s", host->release);

	if (!below)
		return reason_errno(reason, -ENOMEM);
	return open_folder(host, below, &host->modules, &host->modules_fd, reason);
}

int host_open(struct host *host, const char *root, const char *release,
	      struct reason *reason)
{
	int ret = open_kernels(host, root, release, reason);

	return ret < 0 ? ret : open_modules(host, reason);
}

int host_open_locked(struct host *host, const char *root, const char *release,
		     struct reason *reason)
{
	struct stat st;
	int ret = open_kernels(host, root, release, reason);

	if (ret == 0)
		ret = lock_take(host->kernels_fd, host->kernels, reason);
	if (ret < 0)
		return ret;
	if (fstatat(host->kernels_fd, release, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		return reason_set(reason, -ELOOP,
				  "%s/%s: it is a symbolic link, which cannot be "
				  "exchanged for a folder",
				  host->kernels, release);
	return open_modules(host, reason);
}

static bool in_set(const struct module *set, size_t n_set, const char *path)
{
	_cleanup_free_ char *name = module_name_of(path);

	for (size_t i = 0; name && i < n_set; i++)
		if (!strcmp(set[i].name, name))
			return true;
	return !name;
}

/* 1: @out is its vermagic; 0: it does not count; -ENOMEM. */
static int try_reference(const struct host *host, const char *path, char **out)
{
	_cleanup_close_ int fd = open_beneath(host->modules_fd, path, O_RDONLY);
	_cleanup_(module_free) struct module mod = { 0 };
	struct reason ignored = { 0 };
	const char *vermagic;

	/* Listed and gone, or not readable: the next one will do as well. */
	if (fd < 0 || module_read_fd(&mod, path, fd, &ignored) < 0)
		return 0;
	vermagic = module_info(&mod, "vermagic", 0);
	if (!vermagic || !module_info(&mod, "intree", 0))
		return 0;
	*out = strdup(vermagic);
	return *out ? 1 : -ENOMEM;
}

int host_vermagic(const struct host *host, const struct module *set, size_t n_set,
		  char **out, struct reason *reason)
{
	_cleanup_buf_ struct buf dep = { 0 };
	char *cursor, *path;
	int ret;

	ret = depmod_read(host, &dep, reason);
	if (ret < 0)
		return ret;
	cursor = dep.data;
	while ((path = depmod_next(&cursor))) {
		if (strncmp(path, "kernel/", strlen("kernel/")) != 0 ||
		    in_set(set, n_set, path))
			continue;
		ret = try_reference(host, path, out);
		if (ret < 0)
			return reason_errno(reason, ret);
		if (ret > 0)
			return 0;
	}
	return reason_set(
		reason, -ENOENT,
		"%s/modules.dep lists no module of the kernel's own to compare with",
		host->modules);
}

int host_symvers(const struct host *host, char **out)
{
	static const struct {
		const char *before;
		const char *after;
	} places[] = {
		{ "lib/modules/", "/symvers" },
		{ "lib/modules/", "/symvers.gz" },
		{ "lib/modules/", "/symvers.xz" },
		{ "lib/modules/", "/build/Module.symvers" },
		{ "boot/symvers-", "" },
		{ "boot/symvers-", ".gz" },
		{ "boot/symvers-", ".xz" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *below = NULL;
		int ret;

		below = text_printf("%s%s%s", places[i].before, host->release,
				    places[i].after);
		if (!below)
			return -ENOMEM;
		ret = host_resolve(host->root, below, out);
		if (ret != -ENOENT && ret != -ENOTDIR)
			return ret;
	}
	*out = NULL;
	return 0;
}
