/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules of the kernel's loader for the sections and symbols of a module, before it
 * interprets them: setup_load_info(), find_module_sections() and simplify_symbols() in
 * the kernel's kernel/module.c. Further rules make sure that libkmod, which goes by names
 * where the kernel goes by types and flags, sees the same module.
 */
#pragma once

#include "fit/elf.h"
#include "fit/symtab.h"

/* Where a module has what its proof needs. */
struct layout {
	unsigned int symtab; /* index of the section, as the next two */
	unsigned int strtab;
	unsigned int export_strings; /* 0: none */
	size_t n_symbols;
	size_t struct_bytes;	 /* of its struct module */
	const char *unversioned; /* a section of exports without CRCs; NULL: none */
};

/*
 * Check each section of @elf, then each symbol. Returns 0 with @out filled in, or
 * -EBADMSG with @reason filled in.
 */
int elf_rules_check(const struct elf *elf, struct layout *out,
		    struct reason *reason) _checked_;

/*
 * Return symbol @index, which must be below n_symbols of @layout, or its name, which is
 * inside the data of @elf.
 */
Elf64_Sym elf_rules_symbol(const struct elf *elf, const struct layout *layout,
			   size_t index) _nonnull_all_;
const char *elf_rules_symbol_name(const struct elf *elf, const struct layout *layout,
				  const Elf64_Sym *symbol) _nonnull_all_;

/*
 * Set the namespace of each of the sorted @exports, which libkmod does not tell, as
 * EXPORT_SYMBOL_NS() of include/linux/export.h left it in the module @elf. The names of
 * the namespaces are in *@strings, which the caller frees after @exports. Returns 0, or
 * with @reason filled in -EBADMSG (a string is outside of its section, or the kernel and
 * libkmod would see different names) or -ENOMEM.
 */
int elf_rules_exports(const struct elf *elf, const struct layout *layout,
		      struct symtab *exports, char **strings,
		      struct reason *reason) _checked_;
