// SPDX-License-Identifier: GPL-2.0-only
#include "health/look.h"

#include <fcntl.h>
#include <inttypes.h>

#include "base/file.h"
#include "base/log.h"
#include "fit/module.h"
#include "fit/providers.h"
#include "health/causes.h"
#include "kernel/keyrings.h"
#include "kernel/preflight.h"

/*
 * Return true if @name is one of the libraries of WireGuard's, which a bundle may have.
 */
static bool is_library(const char *name)
{
	return strstr(name, "chacha") || strstr(name, "curve25519") ||
	       strstr(name, "blake2s") || strstr(name, "poly1305");
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

/* A module that a bundle may have installed is no reference. */
static bool is_ours(const char *path, const void *arg)
{
	const struct look *look = arg;
	_cleanup_free_ char *name = module_name_of(path);

	return !name || is_library(name) || !strcmp(name, WIREGUARD) ||
	       sums_find(&look->state.installed, path);
}

static void missing(struct look *look, const char *by, const char *name, const char *how)
{
	findings_add(look->findings,
		     is_library(name) ? CAUSE_LIBRARY_MISSING : CAUSE_NEEDED_MISSING,
		     "%s needs %s, %s", by, name, how);
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

		if (!name || !*name || look_loads(look, name))
			continue;
		path = look_on_disk(look, name);
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

/* Set *@equal if @table has @version with its CRC. Returns true if it has the name. */
static bool compare_in(const struct symtab *table, const struct symbol *version,
		       bool *equal)
{
	size_t count;
	const struct symbol *sym = symtab_find(table, version->name, &count);

	for (size_t i = 0; i < count; i++)
		*equal |= sym[i].crc == version->crc;
	return count > 0;
}

/*
 * Set *@equal if a provider of @version is known and has its CRC. Returns true if a
 * provider is known: in the kernel's table, or else in what its own module needs or the
 * modules that are loaded before export.
 */
static bool compare_crc(const struct look *look, const struct symbol *version,
			bool *equal)
{
	bool known;

	*equal = false;
	known = compare_in(&look->symvers.table, version, equal) ||
		compare_in(&look->reference.versions, version, equal);
	for (size_t i = 0; i < look->n_modules; i++)
		known |= compare_in(&look->modules[i].exports, version, equal);
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
			     mod->path, look->reference.path,
			     look->reference.versions.count);
		return;
	}
	for (size_t i = 0; i < mod->versions.count; i++) {
		const struct symbol *version = &mod->versions.symbols[i];
		bool equal;

		if (compare_crc(look, version, &equal) && !equal)
			findings_add(look->findings, CAUSE_WRONG_VERSIONS,
				     "%s: disagrees about version of symbol %s: "
				     "0x%08" PRIx64 " is not that of this kernel",
				     mod->path, version->name, version->crc);
	}
}

/* Find out whether the running kernel will refuse @mod for its signature. */
static void look_at_signature(const struct look *look, const struct module *mod)
{
	const char *signer = module_info(mod, "signer", 0);
	struct reason reason = { 0 };

	if (!preflight_enforces())
		return;
	if (!module_info(mod, "sig_id", 0)) {
		findings_add(look->findings,
			     preflight_is_locked_down() ? CAUSE_LOCKDOWN
							: CAUSE_NOT_SIGNED,
			     "%s carries no signature", mod->path);
		return;
	}
	switch (keyrings_trust_subject(signer ? signer : "", &reason)) {
	case KEYRINGS_FOREIGN:
		findings_add(look->findings, CAUSE_KEY_UNKNOWN,
			     "%s is signed by '%s', and /proc/keys has no such key in "
			     ".builtin_trusted_keys or .secondary_trusted_keys",
			     mod->path, signer ? signer : "");
		break;
	case KEYRINGS_UNKNOWN:
		findings_unseen(look->findings, "the keys of the kernel, /proc/keys: %s",
				reason.text);
		break;
	case KEYRINGS_TRUSTED:
	case KEYRINGS_PLATFORM:
		break;
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

void modules_look(struct look *look)
{
	_cleanup_providers_ struct providers providers = { 0 };
	struct reason reason = { 0 };
	int ret;

	read_loads(look);
	/* Without a module of the kernel, the symbol table alone is compared with. */
	(void)!reference_read(&look->reference, &look->host, is_ours, look, &reason);
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
		if (look->running)
			look_at_signature(look, mod);
	}
}
