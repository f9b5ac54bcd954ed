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

struct module;

/* What modules are proven against. All strings are borrowed. */
struct proof_basis {
	const char *release;
	const char *vermagic; /* the kernel's; NULL: that of the modules of @host */
	const char *symvers;  /* path of its symbol table; NULL: the host's own, if any */
	const struct host *host; /* may be NULL if the two above are given */
	bool installed;		 /* a module that provides a symbol must be on @host */
	const struct sums *ours; /* files of an earlier install, or NULL: see below */
	/*
	 * The release that the modules were built for, if it is another one: then the
	 * vermagic may differ in the release, which the kernel skips for a module with
	 * CRCs (same_magic() in kernel/module.c), and every CRC must be in the table.
	 * NULL: it is @release.
	 */
	const char *built_for;
	bool quiet; /* count the problems, and print none */
};

/* The figures of a proof. */
struct proof {
	const char *release;
	size_t n_modules;
	unsigned int problems; /* each was printed */
	bool unversioned;      /* no CRCs in the kernel: the next two count symbols */
	size_t equal;	       /* entries of __versions with exactly one provider */
	size_t unchecked;      /* entries that only the kernel can check: no table */
};

/*
 * Prove that @modules fit the kernel of @basis. Its own modules tell its vermagic: the
 * first below kernel/ in modules.dep that has "intree" and is none of @modules, which may
 * be installed already and prove nothing about themselves. Without a symbol table, count
 * the symbols whose versions only the kernel can check. @basis->ours will be replaced, so
 * none of them counts as a module of the kernel's.
 *
 * Print each problem by log_failure() and, with @unread more that the caller has printed,
 * their number. Returns 0; -ENOEXEC if there is a problem, or the symbol table is missing
 * or malformed and so proves nothing; -errno if there is nothing to compare with, or
 * without memory.
 */
int proof_run(struct proof *proof, const struct proof_basis *basis,
	      const struct module *modules, size_t n_modules,
	      unsigned int unread) _must_check_ _nonnull_(1, 2);

/* Return what @equal counts, as the end of a sentence. */
const char *proof_equal_what(const struct proof *proof) _nonnull_all_;

/* Print on standard output what happened to the modules, @what, and what was proven. */
void proof_print(const struct proof *proof, const char *what) _nonnull_all_;
