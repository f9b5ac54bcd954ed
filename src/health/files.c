// SPDX-License-Identifier: GPL-2.0-only
#include "health/files.h"

#include <fcntl.h>
#include <utmp.h>

#include "base/file.h"
#include "base/log.h"
#include "fit/providers.h"
#include "health/causes.h"
#include "health/coverage.h"
#include "health/look.h"
#include "kernel/modconf.h"
#include "tree/exchange.h"
#include "tree/lookup.h"
#include "tree/old_state.h"

#define LINK_ALIAS "rtnl-link-wireguard" /* what "ip link add type wireguard" asks for */
#define WTMP_MAX_BYTES (64UL << 20)

/* Return true if the kernel's directory has a module that wgkmod did not install. */
static bool has_modules(const struct look *look)
{
	for (size_t i = 0; i < look->tree.count; i++)
		if (S_ISREG(look->tree.entries[i].st.st_mode) &&
		    strstr(look->tree.entries[i].path, ".ko") &&
		    !sums_find(&look->state.installed, look->tree.entries[i].path))
			return true;
	return false;
}

/* The set that wgkmod installed is intact. */
static void look_at_set(struct look *look)
{
	const struct sums *installed = &look->state.installed;
	struct reason reason = { 0 };

	if (look->state.built_for)
		findings_add(look->findings, CAUSE_COMPATIBLE,
			     "install --compatible took the modules for %s",
			     look->state.built_for);
	if (exchange_is_left(&look->host))
		findings_add(look->findings, CAUSE_HALF_INSTALLED,
			     "%s/.wgkmod-%s: a run was interrupted, or is at work",
			     look->host.kernels, look->host.release);
	for (size_t i = 0; i < installed->count; i++) {
		const struct sum *sum = &installed->entries[i];
		int found = state_compare(&look->host, sum->path, sum->digest, &reason);

		if (found < 0)
			findings_unseen(look->findings, "%s: %s", sum->path, reason.text);
		else if (found != STATE_INTACT)
			findings_add(look->findings, CAUSE_HALF_INSTALLED, "%s/%s is %s",
				     look->host.modules, sum->path,
				     found == STATE_MISSING ? "missing" : "changed");
	}
}

/*
 * Return the release of the kernel that ran before the last boot, which the caller owns,
 * or NULL: the last but one boot record of wtmp(5) says it.
 */
static char *kernel_before(const char *root)
{
	_cleanup_close_ int fd =
		root_open(root, "var/log/wtmp", O_RDONLY | O_NONBLOCK | O_CLOEXEC, NULL);
	_cleanup_buf_ struct buf file = { 0 };
	struct reason ignored = { 0 };
	unsigned int boots = 0;

	if (fd < 0 || read_fd(fd, WTMP_MAX_BYTES, &file, &ignored) < 0)
		return NULL;
	for (size_t n = file.size / sizeof(struct utmp); n-- > 0;) {
		struct utmp entry;

		memcpy(&entry, file.data + n * sizeof(entry), sizeof(entry));
		if (entry.ut_type == BOOT_TIME && ++boots == 2)
			return strndup(entry.ut_host, sizeof(entry.ut_host));
	}
	return NULL;
}

/* No file of the module for this kernel: say whether another one has it. */
static void look_elsewhere(struct look *look)
{
	_cleanup_free_ char *before = kernel_before(look->host.root);
	_cleanup_strlist_ struct strlist kernels = { 0 };
	struct reason reason = { 0 };

	if (kernels_list(look->host.root, &kernels, &reason) < 0)
		findings_unseen(look->findings, "%s", reason.text);
	for (size_t i = 0; i < kernels.count; i++) {
		const char *other = kernels.items[i];

		if (!strcmp(other, look->host.release) ||
		    !coverage_is_good(coverage_of(look->host.root, other)))
			continue;
		if (look->running && before && !strcmp(before, other))
			findings_add(look->findings, CAUSE_REBOOTED,
				     "%s ran before the last boot, and has WireGuard",
				     other);
		findings_add(look->findings, CAUSE_OTHER_KERNEL,
			     "%s has WireGuard, %s has not", other, look->host.release);
	}
	if (findings_first(look->findings) == CAUSE_COUNT)
		findings_add(look->findings, CAUSE_NOT_INSTALLED,
			     "no %s/kernel/drivers/net/wireguard/wireguard.ko",
			     look->host.modules);
}

/* busybox's modprobe finds a compressed module, and hands its bytes to the kernel. */
static bool is_busybox(const char *root)
{
	static const char *const places[] = { "usr/local/sbin", "usr/local/bin",
					      "usr/sbin",	"usr/bin",
					      "sbin",		"bin" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *below = strdup_printf("%s/modprobe", places[i]);
		_cleanup_free_ char *real = NULL;

		if (below && root_resolve(root, below, &real) == 0)
			return strstr(real, "busybox") != NULL;
	}
	return false;
}

static void look_at_compression(struct look *look, const char *path)
{
	const char *end = strstr(path, ".ko");

	if (end && end[strlen(".ko")] && is_busybox(look->host.root))
		findings_add(look->findings, CAUSE_COMPRESSED,
			     "%s, and modprobe is busybox", path);
}

/*
 * modprobe does not name what a module needs if a file of that is gone. Add what
 * modules.dep names for the module @disk, and it, to @files. Returns true if one of them
 * is gone.
 */
static bool list_by_dep(const struct look *look, const char *disk, struct strlist *files)
{
	_cleanup_buf_ struct buf dep = { 0 };
	struct reason ignored = { 0 };
	char *cursor, *line;
	bool gone = false;

	if (modules_dep_read(&look->host, &dep, &ignored) < 0)
		return false;
	cursor = dep.data;
	while ((line = strsep(&cursor, "\n"))) {
		char *path = strsep(&line, ":"), *needed;

		while (!strcmp(path, disk) && (needed = strsep(&line, " ")))
			if (*needed && strlist_add(files, needed) == 0)
				gone |= faccessat(look->host.modules_fd, needed, F_OK,
						  0) < 0;
	}
	return gone && strlist_add(files, disk) == 0;
}

/* modprobe finds the module, by its name and by the alias that "ip link add" uses. */
static void look_at_index(struct look *look)
{
	static char wireguard[] = WIREGUARD, alias[] = LINK_ALIAS;
	char *names[] = { wireguard };
	const struct strlist name = { names, 1 };
	const char *disk = look_on_disk(look, WIREGUARD), *taken;
	_cleanup_strlist_ struct strlist by_alias = { 0 }, listed = { 0 };
	struct reason reason = { 0 };
	int ret = lookup_files(look->host.root, look->host.release, &name, &look->loads,
			       &reason);

	if (ret < 0) {
		findings_unseen(look->findings, "%s", reason.text);
		return;
	}
	taken = lookup_path(&look->loads, WIREGUARD);
	if (!disk && (!taken || *taken != '/')) {
		if (!look->findings->seen[CAUSE_HALF_INSTALLED])
			look_elsewhere(look);
		return;
	}
	if (disk && list_by_dep(look, disk, &listed)) {
		strlist_free(&look->loads);
		look->loads = listed;
		listed = (struct strlist){ 0 };
		modules_look(look);
		return;
	}
	if (!taken || (disk && sums_find(&look->state.installed, disk) &&
		       strcmp(taken, disk) != 0)) {
		findings_add(look->findings, CAUSE_NO_INDEX,
			     "%s is there, and modprobe %s%s", disk,
			     taken ? "takes " : "finds none", taken ? taken : "");
		return;
	}
	look_at_compression(look, taken);
	modules_look(look);
	names[0] = alias;
	if (lookup_files(look->host.root, look->host.release, &name, &by_alias,
			 &reason) == 0 &&
	    !lookup_path(&by_alias, WIREGUARD))
		findings_add(look->findings, CAUSE_STALE_ALIASES,
			     "modules.alias has no " LINK_ALIAS);
}

/* A modconf_fn: a line of modprobe's configuration about @name. */
static void look_at_line(enum modconf_kind kind, const char *name, const char *value,
			 void *arg)
{
	static const char *const words[] = { "blacklist", "install", "alias" };
	struct look *look = arg;
	const enum cause cause =
		kind == MODCONF_BLACKLIST ? CAUSE_BLACKLISTED : CAUSE_INSTALL_COMMAND;
	bool matters = kind == MODCONF_BLACKLIST
			       ? !strcmp(name, WIREGUARD)
			       : !strcmp(name, WIREGUARD) || look_loads(look, name);

	if (matters)
		findings_add(look->findings, cause,
			     "'%s %s%s%s' in the configuration of modprobe (modprobe -c)",
			     words[kind], name, value ? " " : "", value ? value : "");
}

static void look_into_directory(struct look *look)
{
	struct reason reason = { 0 };
	int ret = state_load_anywhere(&look->state, &look->host, &reason);

	if (ret == -EBADMSG)
		findings_add(look->findings, CAUSE_HALF_INSTALLED, "%s", reason.text);
	else if (ret < 0)
		findings_unseen(look->findings, "the state of wgkmod: %s", reason.text);
	if (snapshot_take(&look->tree, look->host.modules_fd, &reason) < 0)
		findings_unseen(look->findings, "%s: %s", look->host.modules,
				reason.text);
	else if (!has_modules(look))
		findings_add(look->findings, CAUSE_KERNEL_GONE, "%s has no modules",
			     look->host.modules);
	look_at_set(look);
	look_at_index(look);
	if (modconf_each(&look->host, look_at_line, look, &reason) < 0)
		findings_unseen(look->findings, "the configuration of modprobe: %s",
				reason.text);
}

bool files_look(const struct patient *patient, struct findings *findings)
{
	_cleanup_(look_free) struct look look = { .running = patient->running,
						  .findings = findings,
						  .host = HOST_INIT };
	struct reason reason = { 0 };
	int ret = host_open(&look.host, patient->root, patient->release, &reason);

	if (ret == -ENOENT)
		findings_add(findings, CAUSE_KERNEL_GONE, "%s", reason.text);
	else if (ret < 0)
		findings_unseen(findings, "%s", reason.text);
	else if (coverage_is_built_in(look.host.modules_fd))
		return true;
	else
		look_into_directory(&look);
	return false;
}
