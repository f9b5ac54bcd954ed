// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/preflight.h"

#include <fcntl.h>
#include <libkmod.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/root.h"
#include "bundle/modsig.h"
#include "bundle/payload.h"
#include "fit/module.h"
#include "kernel/keyrings.h"
#include "tree/snapshot.h"
#include "tree/state.h"

/* Room for directories, the state, and what the file system needs for itself. */
#define ROOM_BYTES (16UL << 20)
#define ROOM_INODES 64
/*
 * With this many free inodes the clone need not be counted: no kernel has so many files.
 */
#define PLENTY_OF_INODES 65536

#define MOUNTS_FILE "/proc/self/mountinfo"

/*
 * Decode the name of a mount in /proc/self/mountinfo, where blanks are octal, in place.
 */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				       (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static bool is_below(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	return !strncmp(path, directory, len) && (path[len] == '/' || !path[len]);
}

static bool check_mounts(const struct host *host)
{
	FILE *mounts = fopen(MOUNTS_FILE, "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	bool ok = true;

	if (!mounts) {
		log_failure(host->modules,
			    "cannot find out what is mounted there: %s: %s", MOUNTS_FILE,
			    strerror(errno));
		return false;
	}
	while (getline(&line, &room, mounts) > 0) {
		char *cursor = line, *point = NULL;

		for (int column = 0; column < 5; column++)
			point = strsep(&cursor, " ");
		if (!point)
			continue;
		unescape(point);
		if (!is_below(point, host->modules))
			continue;
		log_failure(host->modules,
			    "something is mounted on '%s'; unmount it first", point);
		ok = false;
	}
	if (!feof(mounts)) {
		log_failure(host->modules,
			    "cannot find out what is mounted there: %s: %s", MOUNTS_FILE,
			    strerror(errno));
		ok = false;
	}
	fclose(mounts);
	return ok;
}

/*
 * Count the inodes that the clone needs: one for each directory, and on tmpfs also one
 * for each hard link (shmem_link() in the kernel's mm/shmem.c).
 */
static bool check_inodes(const struct host *host, unsigned long long free_ones)
{
	_cleanup_snapshot_ struct snapshot snap = { 0 };
	unsigned long long need = ROOM_INODES;
	struct reason reason = { 0 };
	struct statfs fs;

	if (fstatfs(host->modules_fd, &fs) < 0) {
		log_failure(host->modules, "%s", strerror(errno));
		return false;
	}
	if (snapshot_take(&snap, host->modules_fd, &reason) < 0) {
		log_failure(host->modules, "%s", reason.text);
		return false;
	}
	for (size_t i = 0; i < snap.count; i++)
		need += fs.f_type == TMPFS_MAGIC || S_ISDIR(snap.entries[i].st.st_mode);
	if (free_ones >= need)
		return true;
	log_failure(host->kernels,
		    "its file system has too few inodes left: %llu are free, %llu needed",
		    free_ones, need);
	return false;
}

/* Check that the file system has @need bytes, and the inodes of a clone. */
static bool check_room(const struct host *host, unsigned long long need)
{
	struct statvfs st;

	if (fstatvfs(host->kernels_fd, &st) < 0) {
		log_failure(host->kernels, "%s", strerror(errno));
		return false;
	}
	if (st.f_flag & ST_RDONLY) {
		log_failure(host->kernels, "its file system is read-only");
		return false;
	}
	if ((unsigned long long)st.f_bavail * st.f_frsize < need) {
		log_failure(host->kernels,
			    "its file system is full: %llu KiB are free, %llu needed",
			    (unsigned long long)st.f_bavail * st.f_frsize / 1024,
			    need / 1024);
		return false;
	}
	/* Some file systems do not count inodes, and report 0 of 0. */
	return !st.f_files || st.f_favail >= PLENTY_OF_INODES ||
	       check_inodes(host, st.f_favail);
}

static bool check_disks(const struct host *host, const struct payload *payload)
{
	unsigned long long need = ROOM_BYTES;

	for (size_t i = 0; payload && i < payload->count; i++)
		need += payload->files[i].data.size;
	return check_room(host, need);
}

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

static void print_config(struct kmod_config_iter *iter, const char *what, bool with_value,
			 const char *told, const struct payload *payload, bool *ok)
{
	while (iter && kmod_config_iter_next(iter)) {
		const char *key = kmod_config_iter_get_key(iter);
		const char *value = with_value ? kmod_config_iter_get_value(iter) : NULL;
		_cleanup_free_ char *name = module_name_of(key ? key : "");

		if (!name || !in_payload(payload, name))
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
 * modprobe ignores the aliases of a blacklisted module, and "ip link add" uses an alias.
 */
static bool check_modprobe(const struct host *host, const struct payload *payload)
{
	static const char *const places[] = {
		"etc/modprobe.d",     "run/modprobe.d", "usr/local/lib/modprobe.d",
		"usr/lib/modprobe.d", "lib/modprobe.d",
	};
	char *paths[ARRAY_SIZE(places) + 1] = { NULL };
	struct kmod_ctx *ctx;
	bool ok = true;

	for (size_t i = 0, n = 0; i < ARRAY_SIZE(places); i++) {
		int ret = root_resolve(host->root, places[i], &paths[n]);

		if (ret == 0) {
			n++;
		} else if (ret != -ENOENT && ret != -ENOTDIR) {
			log_failure(places[i], "%s", strerror(-ret));
			ok = false;
		}
	}
	ctx = kmod_new(host->modules, (const char *const *)paths);
	if (!ctx) {
		log_error("modprobe's configuration cannot be read: %s", strerror(errno));
		ok = false;
	} else {
		kmod_set_log_priority(ctx, 0);
		print_config(kmod_config_get_blacklists(ctx), "blacklist", false,
			     "not to load it", payload, &ok);
		print_config(kmod_config_get_install_commands(ctx), "install", false,
			     "to run a command instead", payload, &ok);
		print_config(kmod_config_get_aliases(ctx), "alias", true,
			     "to load another instead", payload, &ok);
		kmod_unref(ctx);
	}
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		free(paths[i]);
	return ok;
}

/* Return true if @host is the running kernel, which alone can be asked. */
static bool is_running(const struct host *host, const char *running)
{
	return !strcmp(host->root, "/") && !strcmp(host->release, running);
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
static enum exit_code check_key(const struct host *host, const struct payload *payload,
				bool load)
{
	_cleanup_free_ char *key = certificate_key_name(payload->certificate);
	_cleanup_free_ char *subject = certificate_subject(payload->certificate);
	struct reason reason = { 0 };

	if (!key || !subject) {
		log_error("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	switch (keyrings_trust(key, &reason)) {
	case KEYRINGS_TRUSTED:
		return EXIT_DONE;
	case KEYRINGS_UNKNOWN:
		log_failure(host->release,
			    "the kernel accepts only modules signed by a key it trusts, "
			    "and its keys cannot be read from /proc/keys: %s",
			    reason.text);
		return EXIT_FAILED;
	case KEYRINGS_PLATFORM:
		if (load)
			return EXIT_DONE;
		log_failure(host->release,
			    "the kernel accepts only modules signed by a key it trusts, "
			    "and the key %s of '%s', which signed these, is in its "
			    "keyring .platform alone, which only some kernels use for "
			    "modules; --load tries this kernel, and removes the modules "
			    "again if it refuses them",
			    key, subject);
		return EXIT_UNTRUSTED;
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
	return EXIT_UNTRUSTED;
}

enum exit_code preflight_signatures(const struct host *host,
				    const struct payload *payload, const char *running,
				    bool load)
{
	enum exit_code code = EXIT_DONE;

	if (!is_running(host, running) || !enforces())
		return EXIT_DONE;
	for (size_t i = 0; i < payload->count; i++) {
		const struct payload_file *file = &payload->files[i];

		if (file->is_signed)
			continue;
		log_failure(file->name,
			    "the kernel accepts only signed modules (module.sig_enforce "
			    "or lockdown), and it is not signed; build it with 'make "
			    "artifacts MODULE_KEY= MODULE_CERT='");
		code = EXIT_UNTRUSTED;
	}
	if (code == EXIT_DONE && !payload->certificate) {
		log_failure(host->release,
			    "the kernel accepts only modules signed by a key it trusts, "
			    "and without a signing_key.x509 in the bundle nothing shows "
			    "whether these are");
		return EXIT_UNTRUSTED;
	}
	return code == EXIT_DONE ? check_key(host, payload, load) : code;
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

enum exit_code preflight_check(const struct host *host, const struct payload *payload,
			       const char *running, bool load)
{
	bool runs = is_running(host, running);
	bool ok;

	if (load && !runs) {
		log_error("--load is only for the running kernel, %s, and its own root",
			  running);
		return EXIT_USAGE;
	}
	ok = check_mounts(host);
	ok &= check_disks(host, payload);
	if (payload) {
		ok &= check_builtin(host, payload);
		ok &= check_modprobe(host, payload);
	}
	if (payload && runs)
		ok &= check_running(host, payload, load);
	if (!ok || !payload)
		return ok ? EXIT_DONE : EXIT_FAILED;
	return preflight_signatures(host, payload, running, load);
}
