// SPDX-License-Identifier: GPL-2.0-only
#include "base/strlist.h"

void strlist_free(struct strlist *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct strlist){ 0 };
}

int strlist_add(struct strlist *names, const char *name)
{
	char **grown = grow(names->items, names->count, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	names->items = grown;
	grown[names->count] = strdup(name);
	if (!grown[names->count])
		return -ENOMEM;
	names->count++;
	return 0;
}

bool strlist_has(const struct strlist *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->items[i], name))
			return true;
	return false;
}

void strlist_drop(struct strlist *names, size_t index)
{
	char *gone = names->items[index];

	names->count--;
	memmove(&names->items[index], &names->items[index + 1],
		(names->count - index) * sizeof(*names->items));
	free(gone);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strlist_sort(struct strlist *names)
{
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), compare);
}

bool strlist_find(const struct strlist *sorted, const char *name)
{
	return sorted->count && bsearch(&name, sorted->items, sorted->count,
					sizeof(*sorted->items), compare) != NULL;
}
