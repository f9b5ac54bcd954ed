// SPDX-License-Identifier: GPL-2.0-only
#include "fit/symtab.h"

void symtab_free(struct symtab *tab)
{
	free(tab->symbols);
	*tab = (struct symtab){ 0 };
}

int symtab_add(struct symtab *tab, const struct symbol *sym)
{
	struct symbol *grown = grow(tab->symbols, tab->count, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	tab->symbols = grown;
	grown[tab->count++] = *sym;
	return 0;
}

/* A symbol without an owner equals each of its name. */
static int compare_symbols(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order || !x->owner || !y->owner)
		return order;
	return strcmp(x->owner, y->owner);
}

void symtab_sort(struct symtab *tab)
{
	if (tab->count)
		qsort(tab->symbols, tab->count, sizeof(*tab->symbols), compare_symbols);
}

const struct symbol *symtab_find(const struct symtab *tab, const char *name,
				 size_t *count)
{
	const struct symbol key = { .name = name };
	const struct symbol *first, *end, *hit = NULL;

	*count = 0;
	if (tab->count)
		hit = bsearch(&key, tab->symbols, tab->count, sizeof(key),
			      compare_symbols);
	if (!hit)
		return NULL;

	first = hit;
	while (first > tab->symbols && !strcmp(first[-1].name, name))
		first--;
	end = hit + 1;
	while (end < tab->symbols + tab->count && !strcmp(end->name, name))
		end++;
	*count = (size_t)(end - first);
	return first;
}

bool symtab_has(const struct symtab *tab, const char *name)
{
	size_t count;

	return symtab_find(tab, name, &count) != NULL;
}
