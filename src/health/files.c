// SPDX-License-Identifier: GPL-2.0-only
#include "health/files.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libkmod.h>
#include <stdio.h>
#include <string.h>
#include <utmp.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/strlist.h"
#include "fit/module.h"
#include "fit/providers.h"
#include "fit/symvers.h"
#include "health/causes.h"
#include "health/coverage.h"
#include "health/signatures.h"
#include "kernel/modconf.h"
#include "tree/exchange.h"
#include "tree/lookup.h"
#include "tree/old_state.h"
#include "tree/snapshot.h"
#include "tree/state.h"

#define WIREGUARD "wireguard"
#define LINK_ALIAS "rtnl-link-wireguard" /* what "ip link add type wireguard" asks for */
#define WTMP_MAX_BYTES (64UL << 20)

struct look {
	const struct patient *patient;
	struct findings *findings;
	struct host host;
	struct state state;
	struct snapshot tree;	/* of the kernel's directory */
	struct strlist loads;	/* the files that modprobe would load, WireGuard last */
	struct module *modules; /* those of them that could be read */
	size_t n_modules;
	struct module
		reference;	/* a module of the kernel's own; its path is NULL: none */
	char *reference_path;	/* owned */
	struct symvers symvers; /* the kernel's own table, if there is one */
};

static void look_free(struct look *look)
{
	for (size_t i = 0; i < look->n_modules; i++)
		module_free(&look->modules[i]);
	free(look->modules);
	module_free(&look->reference);
	free(look->reference_path);
	symvers_free(&look->symvers);
	strlist_free(&look->loads);
	snapshot_free(&look->tree);
	state_free(&look->state);
	host_close(&look->host);
}

/*
 * Return true if @name is one of the libraries of WireGuard's, which a bundle may have.
 */
static bool is_library(const char *name)
{
	return strstr(name, "chacha") || strstr(name, "curve25519") ||
	       strstr(name, "blake2s") || strstr(name, "poly1305");
}

static bool is_named(const char *path, const char *name)
{
	_cleanup_free_ char *own = module_name_of(path);

	return own && !strcmp(own, name);
}

/* Return the path of the module @name on the disk, owned by the tree, or NULL. */
static const char *find_on_disk(const struct look *look, const char *name)
{
	for (size_t i = 0; i < look->tree.count; i++) {
		const struct snapshot_entry *entry = &look->tree.entries[i];

		if (!S_ISDIR(entry->st.st_mode) && strstr(entry->path, ".ko") &&
		    strncmp(entry->path, STATE_DIRECTORY "/",
			    strlen(STATE_DIRECTORY "/")) != 0 &&
		    is_named(entry->path, name))
			return entry->path;
	}
	return NULL;
}

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

/* The set that wgkmod installed is whole. */
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
		enum state_file found;

		if (state_compare(&look->host, sum->path, sum->digest, &found, &reason) <
		    0)
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
	_cleanup_free_ char *before = kernel_before(look->patient->root);
	_cleanup_strlist_ struct strlist kernels = { 0 };
	struct reason reason = { 0 };

	if (kernels_list(look->patient->root, &kernels, &reason) < 0)
		findings_unseen(look->findings, "%s", reason.text);
	for (size_t i = 0; i < kernels.count; i++) {
		const char *other = kernels.items[i];

		if (!strcmp(other, look->patient->release) ||
		    !coverage_is_good(coverage_of(look->patient->root, other)))
			continue;
		if (look->patient->running && before && !strcmp(before, other))
			findings_add(look->findings, CAUSE_REBOOTED,
				     "%s ran before the last boot, and has WireGuard",
				     other);
		findings_add(look->findings, CAUSE_OTHER_KERNEL,
			     "%s has WireGuard, %s has not", other,
			     look->patient->release);
	}
	if (findings_first(look->findings) == CAUSE_COUNT)
		findings_add(look->findings, CAUSE_NOT_INSTALLED,
			     "no %s/kernel/drivers/net/wireguard/wireguard.ko",
			     look->host.modules);
}

static int read_at(const struct look *look, const char *path, struct module *mod,
		   struct reason *reason)
{
	_cleanup_close_ int fd =
		*path == '/'
			? root_open(look->host.root, path, O_RDONLY | O_CLOEXEC, NULL)
			: open_beneath(look->host.modules_fd, path, O_RDONLY);

	if (fd < 0)
		return reason_errno(reason, fd);
	return module_read_fd(mod, path, fd, reason);
}

/* Read a module of the kernel's own, to compare with: the first that says so. */
static void read_reference(struct look *look)
{
	_cleanup_buf_ struct buf dep = { 0 };
	struct reason ignored = { 0 };
	char *cursor, *path;

	if (modules_dep_read(&look->host, &dep, &ignored) < 0)
		return;
	cursor = dep.data;
	while (!look->reference_path && (path = modules_dep_next(&cursor))) {
		_cleanup_free_ char *name = module_name_of(path);

		if (!name || is_library(name) || !strcmp(name, WIREGUARD) ||
		    strncmp(path, "kernel/", strlen("kernel/")) != 0 ||
		    sums_find(&look->state.installed, path) ||
		    read_at(look, path, &look->reference, &ignored) < 0)
			continue;
		if (module_info(&look->reference, "intree", 0) &&
		    module_info(&look->reference, "vermagic", 0))
			look->reference_path = strdup(path);
		else
			module_free(&look->reference);
	}
}

static void missing(struct look *look, const char *by, const char *name, const char *how)
{
	findings_add(look->findings,
		     is_library(name) ? CAUSE_LIBRARY_MISSING : CAUSE_NEEDED_MISSING,
		     "%s needs %s, %s", by, name, how);
}

static bool will_load(const struct look *look, const char *name)
{
	for (size_t i = 0; i < look->loads.count; i++)
		if (is_named(look->loads.items[i], name))
			return true;
	return false;
}

/* Each module that @mod was built to need is loaded before it, or is built in. */
static void look_at_needs(struct look *look, const struct module *mod,
			  const struct providers *providers)
{
	const char *depends = module_info(mod, "depends", 0);
	_cleanup_free_ char *copy = strdup(depends ? depends : "");
	char *cursor = copy, *word;

	while ((word = strsep(&cursor, ","))) {
		_cleanup_free_ char *name = module_name_of(word);
		const char *path;

		if (!name || !*name || will_load(look, name))
			continue;
		path = find_on_disk(look, name);
		if (path)
			findings_add(look->findings, CAUSE_NO_INDEX,
				     "%s needs %s, and modules.dep does not say so",
				     mod->path, path);
		else if (!provider_installed(providers, name))
			missing(look, mod->path, name, "which is not there");
	}
}

static void look_at_vermagic(struct look *look, const struct module *mod)
{
	const char *is = module_info(mod, "vermagic", 0);
	const char *should = module_info(&look->reference, "vermagic", 0);
	const char *is_rest, *should_rest;

	if (!is || !should || !strcmp(is, should))
		return;
	/* same_magic() in the kernel's kernel/module.c */
	is_rest = mod->versions.count ? strchr(is, ' ') : is;
	should_rest = mod->versions.count ? strchr(should, ' ') : should;
	if (is_rest && should_rest && !strcmp(is_rest, should_rest)) {
		findings_add(look->findings, CAUSE_COMPATIBLE,
			     "%s: version magic '%s', and that of the kernel is '%s'",
			     mod->path, is, should);
		return;
	}
	findings_add(look->findings, CAUSE_WRONG_VERMAGIC,
		     "%s: version magic '%s' should be '%s'", mod->path, is, should);
}

/*
 * Set *@equal if a provider of @name is known and its CRC is @crc. Returns true if a
 * provider is known: in the kernel's table, or else in what its own module needs or the
 * modules that are loaded before export.
 */
static bool compare_crc(const struct look *look, const char *name, uint64_t crc,
			bool *equal)
{
	const struct symbol *sym;
	bool known = false;
	size_t count;

	*equal = false;
	sym = symtab_find(&look->symvers.table, name, &count);
	if (!sym)
		sym = symtab_find(&look->reference.versions, name, &count);
	for (; count; count--, sym++) {
		known = true;
		*equal |= sym->crc == crc;
	}
	for (size_t i = 0; i < look->n_modules; i++) {
		sym = symtab_find(&look->modules[i].exports, name, &count);
		for (; count; count--, sym++) {
			known = true;
			*equal |= sym->crc == crc;
		}
	}
	return known;
}

static void look_at_versions(struct look *look, const struct module *mod)
{
	const char *should = module_info(&look->reference, "vermagic", 0);

	if (!should || !strstr(should, " modversions "))
		return;
	if (!mod->versions.count || !symtab_has(&mod->versions, "module_layout")) {
		findings_add(look->findings, CAUSE_NO_VERSIONS,
			     "%s: no symbol version for module_layout; the kernel's own "
			     "%s has %zu versions",
			     mod->path, look->reference_path,
			     look->reference.versions.count);
		return;
	}
	for (size_t i = 0; i < mod->versions.count; i++) {
		const struct symbol *version = &mod->versions.symbols[i];
		bool equal;

		if (compare_crc(look, version->name, version->crc, &equal) && !equal)
			findings_add(look->findings, CAUSE_WRONG_VERSIONS,
				     "%s: disagrees about version of symbol %s: "
				     "0x%08" PRIx64 " is not that of this kernel",
				     mod->path, version->name, version->crc);
	}
}

/* Read each file that modprobe would load. */
static void read_loads(struct look *look)
{
	look->modules = calloc(look->loads.count + 1, sizeof(*look->modules));
	for (size_t i = 0; look->modules && i < look->loads.count; i++) {
		const char *path = look->loads.items[i];
		_cleanup_free_ char *name = module_name_of(path);
		struct reason reason = { 0 };
		int ret = read_at(look, path, &look->modules[look->n_modules], &reason);

		if (ret == 0)
			look->n_modules++;
		else if (ret == -ENOENT && name)
			missing(look, WIREGUARD, name, "whose file is gone");
		else
			findings_unseen(look->findings, "%s: %s", path, reason.text);
	}
}

static void read_symvers(struct look *look)
{
	_cleanup_free_ char *path = NULL;
	struct reason reason = { 0 };
	int ret = symvers_find(&look->host, &path);

	if (ret == 0 && path)
		ret = symvers_load(&look->symvers, path, &reason);
	if (ret < 0)
		findings_unseen(look->findings, "the kernel's symbol table: %s",
				*reason.text ? reason.text : strerror(-ret));
}

static void look_at_modules(struct look *look)
{
	_cleanup_providers_ struct providers providers = { 0 };
	struct reason reason = { 0 };
	int ret;

	read_loads(look);
	read_reference(look);
	read_symvers(look);
	ret = providers_read(&providers, &look->host, NULL, &reason);
	if (ret < 0)
		findings_unseen(look->findings, "%s", reason.text);
	for (size_t i = 0; i < look->n_modules; i++) {
		const struct module *mod = &look->modules[i];

		if (ret == 0)
			look_at_needs(look, mod, &providers);
		look_at_vermagic(look, mod);
		look_at_versions(look, mod);
		if (look->patient->running)
			signatures_look(mod, look->findings);
	}
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
	const char *disk = find_on_disk(look, WIREGUARD), *taken;
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
		look_at_modules(look);
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
	look_at_modules(look);
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
			       : !strcmp(name, WIREGUARD) || will_load(look, name);

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
	_cleanup_(look_free) struct look look = { .patient = patient,
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
