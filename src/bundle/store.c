// SPDX-License-Identifier: GPL-2.0-only
#include "bundle/store.h"

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
	_cleanup_strlist_ struct strlist names = { 0 };
	int ret = root_list(root, place, &names);

	/* Nothing was stored yet. */
	if (ret == -ENOENT)
		return 0;
	for (size_t i = 0; ret == 0 && i < names.count; i++)
		ret = add_release(releases, names.items[i]);
	strlist_sort(releases);
	return reason_errno(reason, ret);
}
