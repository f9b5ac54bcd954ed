// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/preflight.h"

#include <fcntl.h>
#include <libkmod.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/strlist.h"
#include "bundle/modsig.h"
#include "bundle/payload.h"
#include "fit/module.h"
#include "kernel/keyrings.h"
#include "tree/depmod.h"
#include "tree/lookup.h"

static bool in_payload(const struct payload *payload, const char *name)
{
	for (size_t i = 0; i < payload->n_modules; i++)
		if (!strcmp(payload->modules[i].name, name))
			return true;
	return false;
}

static bool check_builtin(const struct host *host, const struct payload *payload)
{
	_cleanup_buf_ struct buf list = { 0 };
	struct reason reason = { 0 };
	char *cursor, *line;
	bool ok = true;
	int ret = read_beneath(host->modules_fd, "modules.builtin", MODULE_MAX_BYTES,
			       &list, &reason);

	if (ret == -ENOENT)
		return true;
	if (ret < 0) {
		log_failure(host->modules, "modules.builtin: %s", reason.text);
		return false;
	}
	cursor = list.data;
	while ((line = strsep(&cursor, "\n"))) {
		_cleanup_free_ char *name = module_name_of(line);

		if (!name || !in_payload(payload, name))
			continue;
		log_failure(name,
			    "%s has it built in: the module is not needed, and cannot be "
			    "loaded",
			    host->release);
		ok = false;
	}
	return ok;
}

/* @names are those of the payload's modules, and of what they stand on. */
static void print_config(struct kmod_config_iter *iter, const char *what, bool with_value,
			 const char *told, const struct strlist *names, bool *ok)
{
	while (iter && kmod_config_iter_next(iter)) {
		const char *key = kmod_config_iter_get_key(iter);
		const char *value = with_value ? kmod_config_iter_get_value(iter) : NULL;
		_cleanup_free_ char *name = module_name_of(key ? key : "");

		if (!name || !strlist_has(names, name))
			continue;
		log_failure(name,
			    "modprobe is told %s, by '%s %s%s%s' in its configuration "
			    "(modprobe -c); take that out first",
			    told, what, key, value ? " " : "", value ? value : "");
		*ok = false;
	}
	if (iter)
		kmod_config_iter_free_iter(iter);
}

/*
 * Check the file @path, below the root, of depmod's or modprobe's configuration. Whoever
 * opens a FIFO waits, and libkmod and depmod follow a link as the running system does. A
 * link to /dev/null turns off a file of that name.
 */
static bool check_config_file(const struct host *host, const char *path)
{
	_cleanup_free_ char *plain =
		strdup_printf("%s/%s", strcmp(host->root, "/") ? host->root : "", path);
	_cleanup_free_ char *real = plain ? realpath(plain, NULL) : NULL;
	struct stat st;

	if (!plain) {
		log_error("%s", strerror(ENOMEM));
		return false;
	}
	if (real && !strcmp(real, "/dev/null"))
		return true;
	if (root_holds(host->root, path) == -EXDEV) {
		log_failure(plain,
			    "a link leads out of %s: put a file there in its place first",
			    host->root);
		return false;
	}
	if (!real || stat(real, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return true;
	log_failure(plain, "it is not a regular file, and depmod and modprobe would wait "
			   "for it: move it away first");
	return false;
}

static bool check_config_files(const struct host *host, const char *const *places,
			       size_t count)
{
	bool ok = true;

	for (size_t i = 0; i < count; i++) {
		_cleanup_dir_ DIR *dir = list_directory(
			root_open(host->root, places[i], O_RDONLY | O_DIRECTORY, NULL));
		const struct dirent *entry;

		if (!dir && errno != ENOENT && errno != ENOTDIR) {
			log_failure(places[i], "%s", strerror(errno));
			ok = false;
		}
		while (dir && (entry = next_entry(dir))) {
			_cleanup_free_ char *path =
				strdup_printf("%s/%s", places[i], entry->d_name);

			ok &= path && check_config_file(host, path);
		}
	}
	return ok;
}

/*
 * modprobe ignores the aliases of a blacklisted module, and "ip link add" uses an alias;
 * what another module needs is loaded by its name all the same.
 */
static bool check_config(const struct host *host, const char *const *paths,
			 const struct payload *payload)
{
	_cleanup_strlist_ struct strlist ours = { 0 }, needed = { 0 };
	struct reason reason = { 0 };
	struct kmod_ctx *ctx;
	bool ok = true;

	for (size_t i = 0; i < payload->n_modules; i++)
		if (strlist_add(&ours, payload->modules[i].name) < 0)
			return false;
	if (needs_list(payload->modules, payload->n_modules, host->modules_fd, &needed,
		       &reason) < 0) {
		log_failure(host->modules, "modules.dep: %s", reason.text);
		return false;
	}
	ctx = kmod_new(host->modules, paths);
	if (!ctx) {
		log_error("modprobe's configuration cannot be read: %s", strerror(errno));
		return false;
	}
	kmod_set_log_priority(ctx, 0);
	print_config(kmod_config_get_blacklists(ctx), "blacklist", false,
		     "not to load it", &ours, &ok);
	print_config(kmod_config_get_install_commands(ctx), "install", false,
		     "to run a command instead", &needed, &ok);
	print_config(kmod_config_get_aliases(ctx), "alias", true,
		     "to load another instead", &needed, &ok);
	kmod_unref(ctx);
	return ok;
}

static bool check_modprobe(const struct host *host, const struct payload *payload)
{
	static const char *const places[] = {
		"etc/modprobe.d",     "run/modprobe.d", "usr/local/lib/modprobe.d",
		"usr/lib/modprobe.d", "lib/modprobe.d",
	};
	char *paths[ARRAY_SIZE(places) + 1] = { NULL };
	bool ok = check_config_files(host, places, ARRAY_SIZE(places));

	for (size_t i = 0, n = 0; i < ARRAY_SIZE(places); i++) {
		int ret = root_resolve(host->root, places[i], &paths[n]);

		if (ret == 0) {
			n++;
		} else if (ret != -ENOENT && ret != -ENOTDIR) {
			log_failure(places[i], "%s", strerror(-ret));
			ok = false;
		}
	}
	ok = ok && check_config(host, (const char *const *)paths, payload);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		free(paths[i]);
	return ok;
}

static bool is_locked_down(void)
{
	_cleanup_free_ char *modes = read_first_line("/sys/kernel/security/lockdown");

	return modes && !strstr(modes, "[none]");
}

static bool enforces(void)
{
	_cleanup_free_ char *enforce =
		read_first_line("/sys/module/module/parameters/sig_enforce");

	return (enforce && !strcmp(enforce, "Y")) || is_locked_down();
}

/*
 * Check that the running kernel trusts the key of the payload's certificate. If only the
 * kernel itself can tell, --load tries it, and takes the modules back if the kernel
 * refuses.
 */
static int check_key(const struct host *host, const struct payload *payload, bool load)
{
	_cleanup_free_ char *key = certificate_key_name(payload->certificate);
	_cleanup_free_ char *subject = certificate_subject(payload->certificate);
	struct reason reason = { 0 };

	if (!key || !subject)
		return log_no_memory();
	switch (keyrings_trust(key, &reason)) {
	case KEYRINGS_TRUSTED:
		return 0;
	case KEYRINGS_UNKNOWN:
		log_failure(host->release,
			    "the kernel accepts only modules signed by a key it trusts, "
			    "and its keys cannot be read from /proc/keys: %s",
			    reason.text);
		return -EACCES;
	case KEYRINGS_PLATFORM:
		if (load)
			return 0;
		log_failure(host->release,
			    "the kernel accepts only modules signed by a key it trusts, "
			    "and the key %s of '%s', which signed these, is in its "
			    "keyring .platform alone, which only some kernels use for "
			    "modules; --load tries this kernel, and removes the modules "
			    "again if it refuses them",
			    key, subject);
		return -EBADMSG;
	case KEYRINGS_FOREIGN:
		break;
	}
	log_failure(host->release,
		    "the kernel accepts only modules signed by a key it trusts, and the "
		    "key %s of '%s', which signed these, is not in its keyrings "
		    ".builtin_trusted_keys and .secondary_trusted_keys; sign them with a "
		    "key that is ('make artifacts MODULE_KEY= MODULE_CERT='), or have "
		    "that key enrolled",
		    key, subject);
	return -EBADMSG;
}

int preflight_signatures(const struct host *host, const struct payload *payload,
			 const char *running, bool load)
{
	int ret = 0;

	if (!host_is_running(host, running) || !enforces())
		return 0;
	for (size_t i = 0; i < payload->count; i++) {
		const struct payload_file *file = &payload->files[i];

		if (file->is_signed)
			continue;
		log_failure(file->name,
			    "the kernel accepts only signed modules (module.sig_enforce "
			    "or lockdown), and it is not signed; build it with 'make "
			    "artifacts MODULE_KEY= MODULE_CERT='");
		ret = -EBADMSG;
	}
	if (ret == 0 && !payload->certificate) {
		log_failure(host->release,
			    "the kernel accepts only modules signed by a key it trusts, "
			    "and without a signing_key.x509 in the bundle nothing shows "
			    "whether these are");
		return -EBADMSG;
	}
	return ret == 0 ? check_key(host, payload, load) : ret;
}

/*
 * Check the kernel's module_blacklist=A,B: blacklisted() in the kernel's kernel/module.c.
 */
static bool check_blacklist(const struct payload *payload)
{
	static const char option[] = "module_blacklist=";
	_cleanup_free_ char *text = read_first_line("/proc/cmdline");
	char *cursor = text, *word, *name;
	bool ok = true;

	while ((word = strsep(&cursor, " "))) {
		if (strncmp(word, option, strlen(option)) != 0)
			continue;
		word += strlen(option);
		while ((name = strsep(&word, ","))) {
			if (!in_payload(payload, name))
				continue;
			log_failure(name,
				    "the kernel was booted with '%s%s', and refuses it; "
				    "boot without that first",
				    option, name);
			ok = false;
		}
	}
	return ok;
}

/* Check that the running kernel accepts modules at all, and these. */
static bool check_running(const struct host *host, const struct payload *payload,
			  bool load)
{
	_cleanup_free_ char *off = read_first_line("/proc/sys/kernel/modules_disabled");

	if (!check_blacklist(payload))
		return false;
	if (!off || strcmp(off, "1") != 0)
		return true;
	if (load) {
		log_failure(host->release, "the kernel accepts no modules until the next "
					   "boot (kernel.modules_disabled)");
		return false;
	}
	log_info("the kernel accepts no modules until the next boot "
		 "(kernel.modules_disabled)");
	return true;
}

int preflight_check(const struct host *host, const struct payload *payload,
		    const char *running, bool load)
{
	bool ok = check_builtin(host, payload);

	ok &= check_config_files(host, depmod_places, DEPMOD_PLACES);
	ok &= check_modprobe(host, payload);
	if (host_is_running(host, running))
		ok &= check_running(host, payload, load);
	return ok ? preflight_signatures(host, payload, running, load) : -EPERM;
}
