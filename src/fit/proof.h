/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The proof that a set of modules fits a kernel. It is stricter than the kernel's own
 * loader: what passes here, the kernel links.
 *
 *  - vermagic equals the kernel's as a whole (same_magic() in kernel/module.c skips the
 *    release when there are CRCs; here it counts) and starts with the release;
 *  - __versions is there, names no symbol twice, and has module_layout
 *    (check_modstruct_version());
 *  - every undefined symbol stands in __versions; a weak one that nobody provides need
 *    not (simplify_symbols());
 *  - every symbol of __versions is provided exactly once, by the kernel, one of its
 *    modules or another module of the set, with the same CRC (check_version());
 *  - a kernel without CONFIG_MODVERSIONS, by its vermagic, has no CRCs: then no module
 *    has __versions, and the rest is asked of every undefined symbol;
 *  - no export of the set is provided by anybody else (verify_exported_symbols());
 *  - a symbol for GPL modules is used only by a module whose licences are all among
 *    those of license_is_gpl_compatible() in include/linux/license.h. libkmod does not
 *    tell an export's kind, so all exports of the set itself count as such;
 *  - a symbol in a namespace is used only by a module that imports it
 *    (verify_namespace_is_imported());
 *  - a module of the kernel that provides something is installed, where a host is known;
 *  - exports have CRCs where the kernel has them (check_module_license_and_versions());
 *  - no modules of the set need each other, and all were built for the same struct module
 *    (elf_validity_cache_index_mod() of later kernels);
 *  - two modules of the set do not have the same name, and the name in .modinfo, where
 *    there is one, is the file's.
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
	const char *vermagic;	       /* the kernel's; NULL: none found, and no proof */
	const struct symvers *symvers; /* NULL: only the set's own exports are known */
	const struct providers *providers; /* NULL: what the host has is not asked */
	const struct module *modules;
	size_t n_modules;

	/* What proof_run() found. @problems counts on from what the caller put there. */
	unsigned int problems; /* each printed */
	bool unversioned;      /* the kernel has no CRCs; what follows counts symbols */
	size_t equal;	       /* entries of __versions with exactly one provider */
	size_t unchecked;      /* entries left to the kernel; only without @symvers */
};

/*
 * Check everything, print each problem by log_failure(), count. Returns EXIT_DONE when
 * @problems is 0 at the end, EXIT_WRONG_KERNEL when not, EXIT_FAILED without memory.
 */
enum exit_code proof_run(struct proof *proof) _must_check_ _nonnull_all_;

/* What @equal counts, after proof_run(): the end of a sentence. */
const char *proof_equal_what(const struct proof *proof) _nonnull_all_;

/* The last line of a proof that failed, on standard error. */
void proof_print_problems(const char *release, unsigned int problems) _nonnull_all_;

/*
 * The vermagic of the kernel's own modules: of the first that modules.dep lists below
 * kernel/, that says intree, and that is none of the @n_set modules in @set (they may be
 * installed already, and prove nothing about themselves). On success *@out is owned by
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

/* For the error @err of what is to be proven against: EXIT_WRONG_KERNEL when it is missing or
 * malformed and so proves nothing, EXIT_FAILED when the system cannot read it. */
enum exit_code proof_exit_code(int err) _must_check_;

/* Say on standard output what became of the modules, @what, and what was proven. */
void proof_print(const struct proof *proof, const char *what) _nonnull_all_;
