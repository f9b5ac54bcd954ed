/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The proof that a set of modules fits a kernel. It is stricter than the kernel's own
 * loader: the kernel links what passes here.
 *
 * - The vermagic equals that of the kernel, whole, and starts with the release. (If the
 *   module has CRCs, same_magic() in kernel/module.c skips the release.)
 * - __versions exists, names no symbol twice, and has module_layout
 *   (check_modstruct_version()).
 * - Every undefined symbol is in __versions, except a weak one without a provider
 *   (simplify_symbols()).
 * - Every symbol in __versions has exactly one provider: the kernel, one of its modules
 *   or another module of the set, with the same CRC (check_version()).
 * - A kernel without CONFIG_MODVERSIONS, as its vermagic tells, has no CRCs: then no
 *   module has __versions, and the rules apply to every undefined symbol.
 * - Nothing else provides a symbol that the set exports (verify_exported_symbols()).
 * - Only a module whose licences are all among those of license_is_gpl_compatible() in
 *   include/linux/license.h uses a symbol for GPL modules. libkmod does not tell the
 *   kind of an export, so every export of the set counts as one for GPL modules.
 * - A module imports the namespace of each symbol that it uses
 *   (verify_namespace_is_imported()).
 * - If the host is known, the kernel's module that provides a symbol is installed.
 * - Exports have CRCs if the kernel has them (check_module_license_and_versions()).
 * - All modules were built for the same struct module (elf_validity_cache_index_mod() of
 *   later kernels).
 * - No two modules of the set have the same name, and a name in .modinfo is that of the
 *   file.
 */
#pragma once

#include "base/util.h"

struct host;
struct module;
struct providers;
struct reason;
struct sums;
struct symvers;

struct proof {
	const char *release;
	const char *vermagic;		   /* the kernel's; NULL: not found, no proof */
	const struct symvers *symvers;	   /* NULL: only exports of the set are known */
	const struct providers *providers; /* NULL: no host to ask */
	const struct module *modules;
	size_t n_modules;

	/* Results of proof_run(), which adds to the @problems of the caller. */
	unsigned int problems; /* each was printed */
	bool unversioned;      /* no CRCs in the kernel: the next two count symbols */
	size_t equal;	       /* entries of __versions with exactly one provider */
	size_t unchecked;      /* entries that only the kernel can check: no @symvers */
};

/*
 * Check every rule, print each problem by log_failure() and count it. Returns EXIT_DONE
 * if @problems is 0 at the end, else EXIT_WRONG_KERNEL, or EXIT_FAILED without memory.
 */
enum exit_code proof_run(struct proof *proof) _must_check_ _nonnull_all_;

/* Return what @equal counts, as the end of a sentence. */
const char *proof_equal_what(const struct proof *proof) _nonnull_all_;

/* Print the last line of a failed proof on standard error. */
void proof_print_problems(const char *release, unsigned int problems) _nonnull_all_;

/*
 * Find the vermagic of the kernel's own modules: that of the first module below kernel/
 * in modules.dep that has "intree" and is none of the @n_set modules in @set, which may
 * be installed already and prove nothing about themselves. On success *@out is owned by
 * the caller. Returns 0, or -errno with @reason filled in.
 */
int proof_vermagic(const struct host *host, const struct module *set, size_t n_set,
		   char **out, struct reason *reason) _must_check_ _nonnull_(1, 4, 5);

/*
 * Prove that @modules fit the kernel of @host: by the vermagic of the kernel's own
 * modules, and by the symbol table @symvers_path (NULL: the host's own). Without a table,
 * count the symbols whose versions only the kernel can check. @ours, or NULL, lists the
 * files of an earlier install: @modules replace them, and none of them counts as one of
 * the kernel's own modules. Print each problem; @proof gets the figures. Returns what
 * proof_run() does, or EXIT_FAILED.
 */
enum exit_code proof_on_host(struct proof *proof, const struct host *host,
			     const struct module *modules, size_t n_modules,
			     const struct sums *ours,
			     const char *symvers_path) _must_check_ _nonnull_(1, 2, 3);

/*
 * Return the exit status for @err, the result of reading what the modules are compared
 * with: EXIT_WRONG_KERNEL if it is missing or malformed and so proves nothing,
 * EXIT_FAILED if the system failed to read it.
 */
enum exit_code proof_exit_code(int err) _must_check_;

/* Print on standard output what happened to the modules, @what, and what was proven. */
void proof_print(const struct proof *proof, const char *what) _nonnull_all_;
