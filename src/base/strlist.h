/* SPDX-License-Identifier: GPL-2.0-only */
/* A list of strings, mostly paths. */
#pragma once

#include "base/util.h"

struct strlist {
	char **items; /* owned, and each string too */
	size_t count;
};

void strlist_free(struct strlist *names);
#define _cleanup_strlist_ _cleanup_(strlist_free)

/* Append a copy of @name. Returns 0 or -ENOMEM. */
int strlist_add(struct strlist *names, const char *name) _checked_;

/* Return true if @name is in the list. */
bool strlist_has(const struct strlist *names, const char *name) _nonnull_all_;

/* Return true if @name is in the list, which strlist_sort() has sorted. */
bool strlist_find(const struct strlist *sorted, const char *name) _nonnull_all_;

/* Remove the item at @index, and keep the order of the others. */
void strlist_drop(struct strlist *names, size_t index) _nonnull_all_;

/* Sort by strcmp(). */
void strlist_sort(struct strlist *names) _nonnull_all_;
