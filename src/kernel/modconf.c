// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/modconf.h"

#include <libkmod.h>
#include <sys/stat.h>

#include "base/host.h"
#include "base/log.h"
#include "base/strlist.h"
#include "fit/module.h"

static const char *const places[] = {
	"etc/modprobe.d",     "run/modprobe.d", "usr/local/lib/modprobe.d",
	"usr/lib/modprobe.d", "lib/modprobe.d",
};

/*
 * Whoever opens a FIFO waits, and libkmod and depmod follow a link as the running system
 * does. A link to /dev/null turns off a file of that name.
 */
static int check_file(const char *root, const char *path, struct reason *reason)
{
	_cleanup_free_ char *plain =
		strdup_printf("%s/%s", strcmp(root, "/") ? root : "", path);
	_cleanup_free_ char *real = plain ? realpath(plain, NULL) : NULL;
	struct stat st;

	if (!plain)
		return reason_errno(reason, -ENOMEM);
	if (real && !strcmp(real, "/dev/null"))
		return 0;
	if (root_holds(root, path) == -EXDEV)
		return reason_set(reason, -EINVAL,
				  "%s is a link that leads out of %s: put a file there "
				  "in its place first",
				  plain, root);
	if (!real || stat(real, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return 0;
	return reason_set(reason, -EINVAL,
			  "%s is not a regular file, and depmod and modprobe would wait "
			  "for it: move it away first",
			  plain);
}

int modconf_check(const struct host *host, const char *const *directories, size_t count,
		  struct reason *reason)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_strlist_ struct strlist names = { 0 };
		int ret = root_list(host->root, directories[i], &names);

		if (ret < 0 && ret != -ENOENT && ret != -ENOTDIR)
			return reason_errno_at(reason, ret, "%s", directories[i]);
		for (size_t j = 0; j < names.count; j++) {
			_cleanup_free_ char *path =
				strdup_printf("%s/%s", directories[i], names.items[j]);

			ret = path ? check_file(host->root, path, reason)
				   : reason_errno(reason, -ENOMEM);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

static void config_lines(struct kmod_config_iter *iter, enum modconf_kind kind,
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
		return reason_errno_at(reason, -errno, "it cannot be read");
	kmod_set_log_priority(ctx, 0);
	config_lines(kmod_config_get_blacklists(ctx), MODCONF_BLACKLIST, use, arg);
	config_lines(kmod_config_get_install_commands(ctx), MODCONF_INSTALL, use, arg);
	config_lines(kmod_config_get_aliases(ctx), MODCONF_ALIAS, use, arg);
	kmod_unref(ctx);
	return 0;
}

int modconf_each(const struct host *host, modconf_fn use, void *arg,
		 struct reason *reason)
{
	char *paths[ARRAY_SIZE(places) + 1] = { NULL };
	int ret = modconf_check(host, places, ARRAY_SIZE(places), reason);

	for (size_t i = 0, n = 0; ret == 0 && i < ARRAY_SIZE(places); i++) {
		ret = root_resolve(host->root, places[i], &paths[n]);
		if (ret == 0)
			n++;
		else if (ret == -ENOENT || ret == -ENOTDIR)
			ret = 0;
		else
			reason_errno_at(reason, ret, "%s", places[i]);
	}
	if (ret == 0)
		ret = read_paths(host, (const char *const *)paths, use, arg, reason);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		free(paths[i]);
	return ret;
}
