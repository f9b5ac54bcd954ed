/* SPDX-License-Identifier: GPL-2.0-only */
/* A table of symbols, sorted by name. A name may appear more than once. */
#pragma once

#include <stdint.h>

#include "base/util.h"

struct symbol {
	const char *name;  /* the strings are owned by whoever filled the table */
	const char *owner; /* the provider: "vmlinux", or a module's name or path */
	const char *ns;	   /* its namespace; NULL: none */
	uint64_t crc;	   /* a CRC-32; __versions has room for 64 bits */
	bool gpl_only;
	bool weak; /* undefined and weak: may have no provider */
};

struct symtab {
	struct symbol *symbols;
	size_t count;
};

void symtab_free(struct symtab *tab);

/* Append a copy of @sym, but not of its strings. Returns 0 or -ENOMEM. */
int symtab_add(struct symtab *tab, const struct symbol *sym) _checked_;

/* Sort by name, and equal names by owner. symtab_find() needs this. */
void symtab_sort(struct symtab *tab) _nonnull_all_;

/*
 * Return the first symbol of that name, and set *@count to how many there are; the others
 * follow it. Returns NULL and sets 0 if there is none.
 */
const struct symbol *symtab_find(const struct symtab *tab, const char *name,
				 size_t *count) _nonnull_all_;

/* Return true if the table has a symbol of that name. */
bool symtab_has(const struct symtab *tab, const char *name) _nonnull_all_;
