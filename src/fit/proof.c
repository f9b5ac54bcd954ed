// SPDX-License-Identifier: GPL-2.0-only
#include "fit/proof.h"

#include <inttypes.h>

#include "base/log.h"
#include "fit/module.h"
#include "fit/providers.h"
#include "fit/symvers.h"

/* A proof in progress. */
struct run {
	struct proof *proof;
	const char *vermagic;		   /* of the kernel */
	const struct symvers *symvers;	   /* NULL: only exports of the set are known */
	const struct providers *providers; /* NULL: not asked */
	const struct module *modules;
	struct symtab set;     /* all that @modules export */
	const char *built_for; /* the release that @modules are for */
	bool quiet;
};

/* Print a problem, count it and continue: the user wants to see all of them. */
#define problem(run, mod, ...)                                 \
	do {                                                   \
		if (!(run)->quiet)                             \
			log_failure((mod)->path, __VA_ARGS__); \
		(run)->proof->problems++;                      \
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

/* Return what follows the release in @vermagic, from the blank on. */
static const char *after_release(const char *vermagic)
{
	return vermagic + strcspn(vermagic, " ");
}

static void check_vermagic(struct run *run, const struct module *mod)
{
	const char *vermagic = module_info(mod, "vermagic", 0);
	const bool other = strcmp(run->built_for, run->proof->release) != 0;
	size_t len = strlen(run->built_for);

	if (!vermagic) {
		problem(run, mod, "it has no vermagic");
		return;
	}
	if (module_info(mod, "vermagic", 1))
		problem(run, mod, "it has more than one vermagic");
	if (strncmp(vermagic, run->built_for, len) != 0 ||
	    (vermagic[len] != ' ' && vermagic[len] != '\0'))
		problem(run, mod, "its vermagic '%s' is not of %s", vermagic,
			run->built_for);
	if (other ? strcmp(after_release(vermagic), after_release(run->vermagic)) != 0
		  : strcmp(vermagic, run->vermagic) != 0)
		problem(run, mod, "its vermagic '%s' is not the kernel's '%s'", vermagic,
			run->vermagic);
}

static void check_name(struct run *run, const struct module *mod)
{
	const char *name = module_info(mod, "name", 0);

	if (name && strcmp(name, mod->name) != 0)
		problem(run, mod, "it calls itself '%s'", name);
	for (const struct module *other = run->modules; other < mod; other++)
		if (!strcmp(other->name, mod->name))
			problem(run, mod, "'%s' is a module of the same name",
				other->path);
}

/*
 * Compare with the largest: the size in the kernel is not known, but a smaller one was
 * cut short.
 */
static void check_struct(struct run *run, const struct module *mod)
{
	const struct module *largest = mod;

	for (size_t i = 0; i < run->proof->n_modules; i++)
		if (run->modules[i].struct_bytes > largest->struct_bytes)
			largest = &run->modules[i];
	if (largest != mod)
		problem(run, mod, "its struct module has %zu bytes, that of '%s' %zu",
			mod->struct_bytes, largest->path, largest->struct_bytes);
}

static void check_info(struct run *run, const struct module *mod)
{
	check_vermagic(run, mod);
	check_name(run, mod);
	check_struct(run, mod);
	if (!module_info(mod, "license", 0))
		problem(run, mod, "it has no licence");
}

/* Return @by, or NULL if it is in a module of the kernel that the host does not have. */
static const struct symbol *find_installed(struct run *run, const struct module *mod,
					   const struct symbol *by)
{
	if (!run->providers || provider_installed(run->providers, by->owner))
		return by;
	problem(run, mod,
		"'%s', which it needs, is in the kernel's module '%s', which is not "
		"installed here: install the package that has it",
		by->name, by->owner);
	return NULL;
}

/*
 * Return the one provider of a symbol other than @mod. NULL: printed, or left unchecked.
 */
static const struct symbol *find_provider(struct run *run, const struct module *mod,
					  const char *name)
{
	const struct symbol *in_set, *in_kernel = NULL;
	size_t n_set, n_kernel = 0;

	in_set = symtab_find(&run->set, name, &n_set);
	if (run->symvers)
		in_kernel = symtab_find(&run->symvers->table, name, &n_kernel);

	if (n_set + n_kernel > 1) {
		const struct symbol *one = in_kernel ? in_kernel : in_set;
		const struct symbol *two = n_kernel == 1 ? in_set : one + 1;

		problem(run, mod, "'%s', which it needs, is provided by '%s' and by '%s'",
			name, one->owner, two->owner);
		return NULL;
	}
	if (n_set == 1 && in_set->owner == mod->path) {
		problem(run, mod, "'%s' is provided only by itself", name);
		return NULL;
	}
	if (n_set == 1)
		return in_set;
	if (n_kernel == 1)
		return find_installed(run, mod, in_kernel);
	if (run->symvers)
		problem(run, mod, "'%s', which it needs, is provided by nothing", name);
	else
		run->proof->unchecked++;
	return NULL;
}

static void check_version(struct run *run, const struct module *mod,
			  const struct symbol *version, const char *licence)
{
	const struct symbol *by = find_provider(run, mod, version->name);

	if (!by)
		return;
	if (by->crc != version->crc)
		problem(run, mod,
			"version of '%s' is 0x%08" PRIx64 ", but 0x%08" PRIx64 " in '%s'",
			version->name, version->crc, by->crc, by->owner);
	else
		run->proof->equal++;
	if (by->gpl_only && licence)
		problem(run, mod, "'%s' of '%s' is for GPL modules, its licence is '%s'",
			by->name, by->owner, licence);
	if (by->ns && !imports(mod, by->ns))
		problem(run, mod,
			"'%s' of '%s' is in namespace %s, which it does not import",
			by->name, by->owner, by->ns);
}

/*
 * Return true if the kernel was built without CONFIG_MODVERSIONS
 * (MODULE_VERMAGIC_MODVERSIONS in include/linux/vermagic.h). Then nothing has a CRC, and
 * the loader compares the vermagic.
 */
static bool lacks_versions(const struct run *run)
{
	return !strstr(run->vermagic, " modversions ");
}

static void check_versions(struct run *run, const struct module *mod)
{
	const struct symtab *versions = &mod->versions;
	const char *licence = foreign_licence(mod);

	if (lacks_versions(run)) {
		if (versions->count)
			problem(run, mod, "it has symbol versions, the kernel has none");
		return;
	}
	if (mod->unversioned)
		problem(run, mod, "its exports in %s have no versions", mod->unversioned);
	if (!versions->count) {
		problem(run, mod, "it has no symbol versions (__versions)");
		return;
	}
	if (!symtab_has(versions, "module_layout"))
		problem(run, mod, "it has no version of 'module_layout'");
	for (size_t i = 0; i < versions->count; i++) {
		const struct symbol *version = &versions->symbols[i];

		if (i && !strcmp(version->name, version[-1].name))
			problem(run, mod, "it has two versions of '%s'", version->name);
		else
			check_version(run, mod, version, licence);
	}
}

/*
 * Check the undefined symbols that are not in __versions, where check_versions() has
 * checked them; or all of them if the kernel has no versions: every CRC in its table is 0
 * then.
 */
static void check_undefined(struct run *run, const struct module *mod)
{
	const bool all = lacks_versions(run);
	const char *licence = foreign_licence(mod);

	for (size_t i = 0; (all || mod->versions.count) && i < mod->undefined.count;
	     i++) {
		const struct symbol *sym = &mod->undefined.symbols[i];
		bool provided =
			symtab_has(&run->set, sym->name) ||
			(run->symvers && symtab_has(&run->symvers->table, sym->name));

		if (all && (provided || !sym->weak)) {
			check_version(run, mod, sym, licence);
			continue;
		}
		if (symtab_has(&mod->versions, sym->name))
			continue;
		if (sym->weak && !provided)
			continue;
		problem(run, mod, "it has no version of '%s', which it needs%s",
			sym->name,
			provided || !run->symvers ? "" : " and which nothing provides");
	}
}

/* The kernel refuses a second provider even if nothing uses the symbol. */
static void check_export(struct run *run, const struct module *mod, const char *name)
{
	const struct symbol *in_kernel = NULL, *in_set;
	size_t n_kernel, n_set;

	if (run->symvers)
		in_kernel = symtab_find(&run->symvers->table, name, &n_kernel);
	if (in_kernel)
		problem(run, mod, "it exports '%s', as '%s' of the kernel does", name,
			in_kernel->owner);
	in_set = symtab_find(&run->set, name, &n_set);
	if (!in_set || n_set < 2)
		return;
	if (in_set->owner == mod->path)
		in_set++;
	problem(run, mod, "it exports '%s', as '%s' does", name, in_set->owner);
}

static void check_exports(struct run *run, const struct module *mod)
{
	const struct symtab *exports = &mod->exports;

	for (size_t i = 0; i < exports->count; i++) {
		const char *name = exports->symbols[i].name;

		if (i == 0 || strcmp(name, exports->symbols[i - 1].name) != 0)
			check_export(run, mod, name);
	}
}

static int collect_exports(struct run *run)
{
	for (size_t i = 0; i < run->proof->n_modules; i++) {
		const struct symtab *exports = &run->modules[i].exports;

		for (size_t k = 0; k < exports->count; k++) {
			struct symbol sym = exports->symbols[k];

			/*
			 * libkmod does not tell the kind of an export: take the stricter
			 * one.
			 */
			sym.gpl_only = true;
			if (symtab_add(&run->set, &sym) < 0)
				return -ENOMEM;
		}
	}
	symtab_sort(&run->set);
	return 0;
}

const char *proof_equal_what(const struct proof *proof)
{
	return proof->unversioned
		       ? "symbols provided (the kernel has no versions of them)"
		       : "symbol versions equal";
}

static int check_all(struct run *run)
{
	struct proof *proof = run->proof;

	if (collect_exports(run) < 0)
		return log_no_memory();
	proof->unversioned = lacks_versions(run);
	for (size_t i = 0; i < proof->n_modules; i++) {
		const struct module *mod = &run->modules[i];

		check_info(run, mod);
		check_versions(run, mod);
		check_undefined(run, mod);
		check_exports(run, mod);
	}
	/*
	 * The kernel's own symbols are all that shows that another kernel's modules fit.
	 */
	if (strcmp(run->built_for, proof->release) != 0 &&
	    (proof->unversioned || proof->unchecked || !run->symvers)) {
		if (!run->quiet)
			log_failure(proof->release,
				    "modules that were built for %s need its symbol "
				    "table, with versions, to be compared with",
				    run->built_for);
		proof->problems++;
	}
	return proof->problems ? -ENOEXEC : 0;
}

/* A module of the set may be installed already, and proves nothing about itself. */
static bool is_in_set(const char *path, const void *arg)
{
	const struct run *run = arg;
	_cleanup_free_ char *name = module_name_of(path);

	for (size_t i = 0; name && i < run->proof->n_modules; i++)
		if (!strcmp(run->modules[i].name, name))
			return true;
	return !name;
}

/*
 * Read the table of @basis; *@there tells whether there is one. Returns 0, or after a
 * message -ENOEXEC if the table proves nothing, and -errno if the system failed to read
 * it.
 */
static int load_symvers(const struct proof_basis *basis, struct symvers *symvers,
			bool *there)
{
	_cleanup_free_ char *found = NULL;
	const char *path = basis->symvers;
	struct reason reason = { 0 };
	int ret = path ? 0 : symvers_find(basis->host, &found);

	if (ret < 0)
		reason_errno(&reason, ret);
	if (found)
		path = found;
	if (ret == 0 && path)
		ret = symvers_load(symvers, path, &reason);
	*there = ret == 0 && path;
	log_reason(path ? path : basis->release, ret, &reason);
	return ret == 0 || is_system_error(ret) ? ret : -ENOEXEC;
}

/* Fill in @run->vermagic and @providers. Returns 0 or -ENOENT. */
static int ask_host(struct run *run, const struct proof_basis *basis,
		    struct module *reference, struct providers *providers)
{
	struct reason reason = { 0 };

	run->vermagic = basis->vermagic;
	if (!run->vermagic) {
		if (reference_read(reference, basis->host, is_in_set, run, &reason) < 0) {
			log_failure(basis->release, "no vermagic to compare with: %s",
				    reason.text);
			return -ENOENT;
		}
		run->vermagic = module_info(reference, "vermagic", 0);
	}
	if (!basis->installed)
		return 0;
	if (providers_read(providers, basis->host, basis->ours, &reason) < 0) {
		log_failure(basis->release, "its lists of modules: %s", reason.text);
		return -ENOENT;
	}
	run->providers = providers;
	return 0;
}

int proof_run(struct proof *proof, const struct proof_basis *basis,
	      const struct module *modules, size_t n_modules, unsigned int unread)
{
	_cleanup_symvers_ struct symvers symvers = { 0 };
	_cleanup_providers_ struct providers providers = { 0 };
	_cleanup_(module_free) struct module reference = { 0 };
	struct run run = {
		.proof = proof,
		.modules = modules,
		.built_for = basis->built_for ? basis->built_for : basis->release,
		.quiet = basis->quiet,
	};
	int table, ret;
	bool there = false;

	*proof = (struct proof){ .release = basis->release, .n_modules = n_modules };
	table = load_symvers(basis, &symvers, &there);
	ret = ask_host(&run, basis, &reference, &providers);
	if (ret < 0)
		return ret;
	if (table < 0 && table != -ENOEXEC)
		return table;
	proof->problems = table < 0;
	run.symvers = there ? &symvers : NULL;
	ret = check_all(&run);
	symtab_free(&run.set);
	if ((ret == -ENOEXEC || unread) && !basis->quiet)
		log_error("the modules do not fit %s: %u problem%s", basis->release,
			  proof->problems + unread, PLURAL(proof->problems + unread));
	return ret;
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
