// SPDX-License-Identifier: GPL-2.0-only
#include "fit/proof.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "fit/module.h"
#include "fit/providers.h"
#include "fit/symvers.h"

/* Print a problem, count it and continue: the user wants to see all of them. */
#define problem(proof, mod, ...)                       \
	do {                                           \
		log_failure((mod)->path, __VA_ARGS__); \
		(proof)->problems++;                   \
	} while (0)

/* license_is_gpl_compatible(), include/linux/license.h */
static bool licence_is_gpl_compatible(const char *licence)
{
	return !strcmp(licence, "GPL") || !strcmp(licence, "GPL v2") ||
	       !strcmp(licence, "GPL and additional rights") ||
	       !strcmp(licence, "Dual BSD/GPL") || !strcmp(licence, "Dual MIT/GPL") ||
	       !strcmp(licence, "Dual MPL/GPL");
}

/*
 * Return a licence that forbids GPL-only symbols, or NULL. check_info() finds a missing
 * one.
 */
static const char *foreign_licence(const struct module *mod)
{
	const char *licence;

	for (unsigned int i = 0; (licence = module_info(mod, "license", i)); i++)
		if (!licence_is_gpl_compatible(licence))
			return licence;
	return NULL;
}

static bool imports(const struct module *mod, const char *ns)
{
	const char *name;

	for (unsigned int i = 0; (name = module_info(mod, "import_ns", i)); i++)
		if (!strcmp(name, ns))
			return true;
	return false;
}

static void check_vermagic(struct proof *proof, const struct module *mod)
{
	const char *vermagic = module_info(mod, "vermagic", 0);
	size_t len = strlen(proof->release);

	if (!vermagic) {
		problem(proof, mod, "it has no vermagic");
		return;
	}
	if (module_info(mod, "vermagic", 1))
		problem(proof, mod, "it has more than one vermagic");
	if (strncmp(vermagic, proof->release, len) != 0 ||
	    (vermagic[len] != ' ' && vermagic[len] != '\0'))
		problem(proof, mod, "its vermagic '%s' is not of %s", vermagic,
			proof->release);
	if (proof->vermagic && strcmp(vermagic, proof->vermagic) != 0)
		problem(proof, mod, "its vermagic '%s' is not the kernel's '%s'",
			vermagic, proof->vermagic);
}

static void check_name(struct proof *proof, const struct module *mod)
{
	const char *name = module_info(mod, "name", 0);

	if (name && strcmp(name, mod->name) != 0)
		problem(proof, mod, "it calls itself '%s'", name);
	for (const struct module *other = proof->modules; other < mod; other++)
		if (!strcmp(other->name, mod->name))
			problem(proof, mod, "'%s' is a module of the same name",
				other->path);
}

/*
 * Compare with the largest: the size in the kernel is not known, but a smaller one was
 * cut short.
 */
static void check_struct(struct proof *proof, const struct module *mod)
{
	const struct module *largest = mod;

	for (size_t i = 0; i < proof->n_modules; i++)
		if (proof->modules[i].struct_bytes > largest->struct_bytes)
			largest = &proof->modules[i];
	if (largest != mod)
		problem(proof, mod, "its struct module has %zu bytes, that of '%s' %zu",
			mod->struct_bytes, largest->path, largest->struct_bytes);
}

static void check_info(struct proof *proof, const struct module *mod)
{
	check_vermagic(proof, mod);
	check_name(proof, mod);
	check_struct(proof, mod);
	if (!module_info(mod, "license", 0))
		problem(proof, mod, "it has no licence");
}

/* Return @by, or NULL if it is in a module of the kernel that the host does not have. */
static const struct symbol *find_installed(struct proof *proof, const struct module *mod,
					   const struct symbol *by)
{
	if (!proof->providers || provider_installed(proof->providers, by->owner))
		return by;
	problem(proof, mod,
		"'%s', which it needs, is in the kernel's module '%s', which is not "
		"installed here: install the package that has it",
		by->name, by->owner);
	return NULL;
}

/*
 * Return the one provider of a symbol other than @mod. NULL: printed, or left unchecked.
 */
static const struct symbol *find_provider(struct proof *proof, const struct symtab *set,
					  const struct module *mod, const char *name)
{
	const struct symbol *in_set, *in_kernel = NULL;
	size_t n_set, n_kernel = 0;

	in_set = symtab_find(set, name, &n_set);
	if (proof->symvers)
		in_kernel = symtab_find(&proof->symvers->table, name, &n_kernel);

	if (n_set + n_kernel > 1) {
		const struct symbol *one = in_kernel ? in_kernel : in_set;
		const struct symbol *two = n_kernel == 1 ? in_set : one + 1;

		problem(proof, mod,
			"'%s', which it needs, is provided by '%s' and by '%s'", name,
			one->owner, two->owner);
		return NULL;
	}
	if (n_set == 1 && in_set->owner == mod->path) {
		problem(proof, mod, "'%s' is provided only by itself", name);
		return NULL;
	}
	if (n_set == 1)
		return in_set;
	if (n_kernel == 1)
		return find_installed(proof, mod, in_kernel);
	if (proof->symvers)
		problem(proof, mod, "'%s', which it needs, is provided by nothing", name);
	else
		proof->unchecked++;
	return NULL;
}

static void check_version(struct proof *proof, const struct symtab *set,
			  const struct module *mod, const struct symbol *version,
			  const char *licence)
{
	const struct symbol *by = find_provider(proof, set, mod, version->name);

	if (!by)
		return;
	if (by->crc != version->crc)
		problem(proof, mod,
			"version of '%s' is 0x%08" PRIx64 ", but 0x%08" PRIx64 " in '%s'",
			version->name, version->crc, by->crc, by->owner);
	else
		proof->equal++;
	if (by->gpl_only && licence)
		problem(proof, mod,
			"'%s' of '%s' is for GPL modules, its licence is '%s'", by->name,
			by->owner, licence);
	if (by->ns && !imports(mod, by->ns))
		problem(proof, mod,
			"'%s' of '%s' is in namespace %s, which it does not import",
			by->name, by->owner, by->ns);
}

/*
 * Return true if the kernel was built without CONFIG_MODVERSIONS
 * (MODULE_VERMAGIC_MODVERSIONS in include/linux/vermagic.h). Then nothing has a CRC, and
 * the loader compares the vermagic.
 */
static bool lacks_versions(const struct proof *proof)
{
	return proof->vermagic && !strstr(proof->vermagic, " modversions ");
}

static void check_versions(struct proof *proof, const struct symtab *set,
			   const struct module *mod)
{
	const struct symtab *versions = &mod->versions;
	const char *licence = foreign_licence(mod);

	if (lacks_versions(proof)) {
		if (versions->count)
			problem(proof, mod,
				"it has symbol versions, the kernel has none");
		return;
	}
	if (mod->unversioned)
		problem(proof, mod, "its exports in %s have no versions",
			mod->unversioned);
	if (!versions->count) {
		problem(proof, mod, "it has no symbol versions (__versions)");
		return;
	}
	if (!symtab_has(versions, "module_layout"))
		problem(proof, mod, "it has no version of 'module_layout'");
	for (size_t i = 0; i < versions->count; i++) {
		const struct symbol *version = &versions->symbols[i];

		if (i && !strcmp(version->name, version[-1].name))
			problem(proof, mod, "it has two versions of '%s'", version->name);
		else
			check_version(proof, set, mod, version, licence);
	}
}

/*
 * Check the undefined symbols that are not in __versions, where check_versions() has
 * checked them; or all of them if the kernel has no versions: every CRC in its table is 0
 * then.
 */
static void check_undefined(struct proof *proof, const struct symtab *set,
			    const struct module *mod)
{
	const bool all = lacks_versions(proof);
	const char *licence = foreign_licence(mod);

	for (size_t i = 0; (all || mod->versions.count) && i < mod->undefined.count;
	     i++) {
		const struct symbol *sym = &mod->undefined.symbols[i];
		bool provided =
			symtab_has(set, sym->name) ||
			(proof->symvers && symtab_has(&proof->symvers->table, sym->name));

		if (all && (provided || !sym->weak)) {
			check_version(proof, set, mod, sym, licence);
			continue;
		}
		if (symtab_has(&mod->versions, sym->name))
			continue;
		if (sym->weak && !provided)
			continue;
		problem(proof, mod, "it has no version of '%s', which it needs%s",
			sym->name,
			provided || !proof->symvers ? "" : " and which nothing provides");
	}
}

/* The kernel refuses a second provider even if nothing uses the symbol. */
static void check_export(struct proof *proof, const struct symtab *set,
			 const struct module *mod, const char *name)
{
	const struct symbol *in_kernel = NULL, *in_set;
	size_t n_kernel, n_set;

	if (proof->symvers)
		in_kernel = symtab_find(&proof->symvers->table, name, &n_kernel);
	if (in_kernel)
		problem(proof, mod, "it exports '%s', as '%s' of the kernel does", name,
			in_kernel->owner);
	in_set = symtab_find(set, name, &n_set);
	if (!in_set || n_set < 2)
		return;
	if (in_set->owner == mod->path)
		in_set++;
	problem(proof, mod, "it exports '%s', as '%s' does", name, in_set->owner);
}

static void check_exports(struct proof *proof, const struct symtab *set,
			  const struct module *mod)
{
	const struct symtab *exports = &mod->exports;

	for (size_t i = 0; i < exports->count; i++) {
		const char *name = exports->symbols[i].name;

		if (i == 0 || strcmp(name, exports->symbols[i - 1].name) != 0)
			check_export(proof, set, mod, name);
	}
}

static int collect_exports(const struct proof *proof, struct symtab *set)
{
	for (size_t i = 0; i < proof->n_modules; i++) {
		const struct symtab *exports = &proof->modules[i].exports;

		for (size_t k = 0; k < exports->count; k++) {
			struct symbol sym = exports->symbols[k];

			/*
			 * libkmod does not tell the kind of an export: take the stricter
			 * one.
			 */
			sym.gpl_only = true;
			if (symtab_add(set, &sym) < 0)
				return -ENOMEM;
		}
	}
	symtab_sort(set);
	return 0;
}

const char *proof_equal_what(const struct proof *proof)
{
	return proof->unversioned
		       ? "symbols provided (the kernel has no versions of them)"
		       : "symbol versions equal";
}

enum exit_code proof_run(struct proof *proof)
{
	_cleanup_symtab_ struct symtab set = { 0 };

	if (collect_exports(proof, &set) < 0) {
		log_error("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	proof->unversioned = lacks_versions(proof);
	for (size_t i = 0; i < proof->n_modules; i++) {
		const struct module *mod = &proof->modules[i];

		check_info(proof, mod);
		check_versions(proof, &set, mod);
		check_undefined(proof, &set, mod);
		check_exports(proof, &set, mod);
	}
	if (!proof->problems && proof->vermagic)
		return EXIT_DONE;
	return EXIT_WRONG_KERNEL;
}

void proof_print_problems(const char *release, unsigned int problems)
{
	log_error("the modules do not fit %s: %u problem%s", release, problems,
		  PLURAL(problems));
}

static bool in_set(const struct module *set, size_t n_set, const char *path)
{
	_cleanup_free_ char *name = module_name_of(path);

	for (size_t i = 0; name && i < n_set; i++)
		if (!strcmp(set[i].name, name))
			return true;
	return !name;
}

/* Returns 1 with the vermagic in *@out, 0 if the module does not count, or -ENOMEM. */
static int try_reference(const struct host *host, const char *path, char **out)
{
	_cleanup_close_ int fd = open_beneath(host->modules_fd, path, O_RDONLY);
	_cleanup_(module_free) struct module mod = { 0 };
	struct reason ignored = { 0 };
	const char *vermagic;

	/* It is gone, or cannot be read: the next module will do. */
	if (fd < 0 || module_read_fd(&mod, path, fd, &ignored) < 0)
		return 0;
	vermagic = module_info(&mod, "vermagic", 0);
	if (!vermagic || !module_info(&mod, "intree", 0))
		return 0;
	*out = strdup(vermagic);
	return *out ? 1 : -ENOMEM;
}

int proof_vermagic(const struct host *host, const struct module *set, size_t n_set,
		   char **out, struct reason *reason)
{
	_cleanup_buf_ struct buf dep = { 0 };
	char *cursor, *path;
	int ret;

	ret = modules_dep_read(host, &dep, reason);
	if (ret < 0)
		return ret;
	cursor = dep.data;
	while ((path = modules_dep_next(&cursor))) {
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

enum exit_code proof_exit_code(int err)
{
	if (err >= 0)
		return EXIT_DONE;
	return is_system_error(err) ? EXIT_FAILED : EXIT_WRONG_KERNEL;
}

/*
 * Read the table @path, or the host's own if that is NULL; *@there tells whether there is
 * one. Returns EXIT_WRONG_KERNEL after a message if the table proves nothing, and
 * EXIT_FAILED if the system failed to read it.
 */
static enum exit_code load_symvers(const struct host *host, const char *path,
				   struct symvers *symvers, bool *there)
{
	_cleanup_free_ char *found = NULL;
	struct reason reason = { 0 };
	int ret = path ? 0 : symvers_find(host, &found);

	if (ret < 0) {
		log_failure(host->release, "its symbol table: %s", strerror(-ret));
		return proof_exit_code(ret);
	}
	if (found)
		path = found;
	*there = path != NULL;
	if (!path)
		return EXIT_DONE;
	ret = symvers_load(symvers, path, &reason);
	if (ret < 0)
		log_failure(path, "%s", reason.text);
	return proof_exit_code(ret);
}

static enum exit_code load_vermagic(const struct host *host, const struct proof *proof,
				    char **vermagic)
{
	struct reason reason = { 0 };
	int ret =
		proof_vermagic(host, proof->modules, proof->n_modules, vermagic, &reason);

	if (ret < 0)
		log_failure(host->release, "no vermagic to compare with: %s",
			    reason.text);
	return proof_exit_code(ret);
}

static enum exit_code load_providers(const struct host *host, const struct sums *ours,
				     struct providers *providers)
{
	struct reason reason = { 0 };
	int ret = providers_read(providers, host, ours, &reason);

	if (ret < 0)
		log_failure(host->release, "its lists of modules: %s", reason.text);
	return proof_exit_code(ret);
}

enum exit_code proof_on_host(struct proof *proof, const struct host *host,
			     const struct module *modules, size_t n_modules,
			     const struct sums *ours, const char *symvers_path)
{
	_cleanup_symvers_ struct symvers symvers = { 0 };
	_cleanup_providers_ struct providers providers = { 0 };
	_cleanup_free_ char *vermagic = NULL;
	enum exit_code table, magic, installed = EXIT_DONE, code;
	bool there = false;

	proof->release = host->release;
	proof->modules = modules;
	proof->n_modules = n_modules;
	table = load_symvers(host, symvers_path, &symvers, &there);
	magic = load_vermagic(host, proof, &vermagic);
	/* Without modules.dep there is no vermagic either, and that was printed. */
	if (magic == EXIT_DONE)
		installed = load_providers(host, ours, &providers);
	if (table == EXIT_FAILED || magic == EXIT_FAILED || installed == EXIT_FAILED)
		return EXIT_FAILED;
	proof->problems +=
		(table != EXIT_DONE) + (magic != EXIT_DONE) + (installed != EXIT_DONE);
	proof->symvers = there && table == EXIT_DONE ? &symvers : NULL;
	proof->vermagic = vermagic;
	proof->providers = providers.host && installed == EXIT_DONE ? &providers : NULL;
	code = proof_run(proof);
	/* These point into this function; the results stay. */
	proof->symvers = NULL;
	proof->providers = NULL;
	proof->vermagic = NULL;
	if (code == EXIT_WRONG_KERNEL)
		proof_print_problems(host->release, proof->problems);
	return code;
}

void proof_print(const struct proof *proof, const char *what)
{
	log_info("%zu module%s for %s %s: %zu %s", proof->n_modules,
		 PLURAL(proof->n_modules), proof->release, what, proof->equal,
		 proof_equal_what(proof));
	if (proof->unchecked)
		log_info("%zu symbol versions could not be checked: there is no symbol "
			 "table of %s here; the kernel checks them when it loads the "
			 "modules",
			 proof->unchecked, proof->release);
}
