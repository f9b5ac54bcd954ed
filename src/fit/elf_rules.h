/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel's loader asks of a module's sections and symbols before it looks what
 * these mean: setup_load_info(), find_module_sections() and simplify_symbols() in the
 * kernel's kernel/module.c; and that libkmod, which goes by names where the kernel goes
 * by types and flags, sees the same.
 */
#pragma once

#include "fit/elf.h"

struct reason;

/* Where in a module is what its proof needs. */
struct layout {
	unsigned int symtab; /* index of the section; and so on */
	unsigned int strtab;
	unsigned int export_strings; /* 0: none */
	size_t n_symbols;
	size_t struct_bytes;	 /* of its struct module */
	const char *unversioned; /* a section of exports without CRCs; NULL: none */
};

/*
 * Look at each section of @elf, then at each symbol. Returns 0 with @out filled in, or
 * -EBADMSG with @reason.
 */
int elf_rules_check(const struct elf *elf, struct layout *out,
		    struct reason *reason) _must_check_ _nonnull_all_;

/* Symbol @index, which is below @layout's n_symbols, and its name: in @elf's data. */
Elf64_Sym elf_rules_symbol(const struct elf *elf, const struct layout *layout,
			   size_t index) _nonnull_all_;
const char *elf_rules_symbol_name(const struct elf *elf, const struct layout *layout,
				  const Elf64_Sym *symbol) _nonnull_all_;
