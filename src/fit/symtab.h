/* SPDX-License-Identifier: GPL-2.0-only */
/* A table of symbols, sorted by name. A name may stand in it more than once. */
#pragma once

#include <stdint.h>

#include "base/util.h"

struct symbol {
	const char *name;  /* owned by whoever filled the table, as are the next two */
	const char *owner; /* who provides it: "vmlinux", a module's name or path */
	const char *ns;	   /* its namespace; NULL: none */
	uint64_t crc;	   /* a CRC-32; __versions has room for 64 bits */
	bool gpl_only;
	bool weak; /* undefined and weak: need not be there */
};

struct symtab {
	struct symbol *symbols;
	size_t count;
	size_t room;
};

void symtab_free(struct symtab *tab);
#define _cleanup_symtab_ _cleanup_(symtab_free)

/* Append a copy of @sym (not of its strings). Returns 0 or -ENOMEM. */
int symtab_add(struct symtab *tab, const struct symbol *sym) _must_check_ _nonnull_all_;

/* Sort by name, and equal names by owner. To be called before symtab_find(). */
void symtab_sort(struct symtab *tab) _nonnull_all_;

/*
 * All symbols of that name: returns the first and sets *@count, the rest follow it.
 * NULL and 0 when there is none.
 */
const struct symbol *symtab_find(const struct symtab *tab, const char *name,
				 size_t *count) _nonnull_all_;

/* Whether there is a symbol of that name. */
bool symtab_has(const struct symtab *tab, const char *name) _nonnull_all_;
