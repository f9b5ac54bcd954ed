// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/modconf.h"

#include <dirent.h>
#include <libkmod.h>
#include <string.h>
#include <sys/stat.h>

#include "base/host.h"
#include "base/log.h"
#include "fit/module.h"

static const char *const places[] = {
	"etc/modprobe.d",     "run/modprobe.d", "usr/local/lib/modprobe.d",
	"usr/lib/modprobe.d", "lib/modprobe.d",
};

/* Opening a FIFO, or a link to one, would wait. */
static int check_files(const char *path, struct reason *reason)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int ret = 0;

	while (ret == 0 && dir && (entry = readdir(dir))) {
		struct stat st;

		if (fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 &&
		    !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
			ret = reason_set(reason, -EINVAL,
					 "%s: '%s' in it is not a regular file, and "
					 "modprobe would wait for it: move it away first",
					 path, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return ret;
}

static void each_line(struct kmod_config_iter *iter, enum modconf_kind kind,
		      modconf_fn use, void *arg)
{
	while (iter && kmod_config_iter_next(iter)) {
		const char *key = kmod_config_iter_get_key(iter);
		_cleanup_free_ char *name = module_name_of(key ? key : "");

		if (name)
			use(kind, name,
			    kind == MODCONF_BLACKLIST ? NULL
						      : kmod_config_iter_get_value(iter),
			    arg);
	}
	if (iter)
		kmod_config_iter_free_iter(iter);
}

static int read_paths(const struct host *host, const char *const *paths, modconf_fn use,
		      void *arg, struct reason *reason)
{
	struct kmod_ctx *ctx = kmod_new(host->modules, paths);

	if (!ctx)
		return reason_set(reason, -errno, "it cannot be read: %s",
				  strerror(errno));
	kmod_set_log_priority(ctx, 0);
	each_line(kmod_config_get_blacklists(ctx), MODCONF_BLACKLIST, use, arg);
	each_line(kmod_config_get_install_commands(ctx), MODCONF_INSTALL, use, arg);
	each_line(kmod_config_get_aliases(ctx), MODCONF_ALIAS, use, arg);
	kmod_unref(ctx);
	return 0;
}

int modconf_each(const struct host *host, modconf_fn use, void *arg,
		 struct reason *reason)
{
	char *paths[ARRAY_SIZE(places) + 1] = { NULL };
	int ret = 0;

	for (size_t i = 0, n = 0; ret == 0 && i < ARRAY_SIZE(places); i++) {
		ret = root_resolve(host->root, places[i], &paths[n]);
		if (ret == 0)
			ret = check_files(paths[n++], reason);
		else if (ret == -ENOENT || ret == -ENOTDIR)
			ret = 0;
		else
			reason_set(reason, ret, "%s: %s", places[i], strerror(-ret));
	}
	if (ret == 0)
		ret = read_paths(host, (const char *const *)paths, use, arg, reason);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		free(paths[i]);
	return ret;
}
