// SPDX-License-Identifier: GPL-2.0-only
#include "bundle/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/strlist.h"

#define PREFIX "wireguard-"
#define SUFFIX ".tar"

char *store_find(const char *root, const char *release)
{
	static const char *const places[] = { STORE_OWN, STORE_PACKAGES };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *below =
			strdup_printf("%s/" PREFIX "%s" SUFFIX, places[i], release);
		char *path = NULL;

		if (below && root_resolve(root, below, &path) == 0)
			return path;
	}
	return NULL;
}

/* Add the release of "wireguard-RELEASE.tar"; other names are passed over. */
static int add_release(struct strlist *releases, const char *name)
{
	_cleanup_free_ char *release = NULL;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 ||
	    !ends_with(name + strlen(PREFIX), SUFFIX))
		return 0;
	name += strlen(PREFIX);
	release = strndup(name, strlen(name) - strlen(SUFFIX));
	if (!release)
		return -ENOMEM;
	return host_release_ok(release) ? strlist_add(releases, release) : 0;
}

int store_list(const char *root, const char *place, struct strlist *releases,
	       struct reason *reason)
{
	_cleanup_dir_ DIR *dir =
		list_directory(root_open(root, place, O_RDONLY | O_DIRECTORY, NULL));
	const struct dirent *entry;
	int ret = 0;

	if (!dir)
		return errno == ENOENT ? 0 : reason_errno_at(reason, -errno, "%s", place);
	while (ret == 0 && (entry = next_entry(dir)))
		ret = add_release(releases, entry->d_name);
	strlist_sort(releases);
	return ret < 0 ? reason_errno(reason, ret) : 0;
}
