/* SPDX-License-Identifier: GPL-2.0-only */
/* What is compared of a module, as rows. */
#pragma once

#include <stdbool.h>

struct ko;
struct rows;
struct section;

/* Kernel type information, which only the vendor's build has the whole kernel for. */
bool is_btf(const struct section *section);
bool is_build_id(const struct section *section);
/* Entries whose order is that of the symbols; they are compared one by one, as rows. */
bool is_versions(const struct section *section);
bool is_modinfo(const struct section *section);

/* The ELF header's fields, and each loaded section's attributes and place in the order.
 */
void add_sections(struct rows *rows, const struct ko *ko);

/*
 * Each symbol that is no section's: type, binding, visibility, definition, size. Those of
 * .modinfo are numbered through by the compiler, intree's among them; nothing refers to
 * them, and the entries themselves are compared.
 */
void add_symbols(struct rows *rows, const struct ko *ko);

/*
 * Each relocation of a loaded section, by section and offset: type, symbol's name,
 * addend, and where the symbol is defined.
 */
void add_relocations(struct rows *rows, const struct ko *ko);

/* Each entry of .modinfo but intree. */
void add_modinfo(struct rows *rows, const struct ko *ko);

/* The CRC of each symbol that the module was built against. */
void add_versions(struct rows *rows, const struct ko *ko);

/* Whether .modinfo has an intree entry. */
bool has_intree(const struct ko *ko);
