/* SPDX-License-Identifier: GPL-2.0-only */
/* A list of paths, and the same as text: one a line. */
#pragma once

#include "base/util.h"

struct buf;
struct reason;

struct strlist {
	char **items; /* owned, as is each */
	size_t count;
};

void strlist_free(struct strlist *names);
#define _cleanup_strlist_ _cleanup_(strlist_free)

/* Append a copy of @name. Returns 0 or -ENOMEM. */
int strlist_add(struct strlist *names, const char *name) _must_check_ _nonnull_all_;

bool strlist_has(const struct strlist *names, const char *name) _nonnull_all_;

/* The same of names that strlist_sort() sorted. */
bool strlist_find(const struct strlist *sorted, const char *name) _nonnull_all_;

/* Forget the item at @index; the order of the others stays. */
void strlist_drop(struct strlist *names, size_t index) _nonnull_all_;

/* In the order of strcmp(). */
void strlist_sort(struct strlist *names) _nonnull_all_;

/*
 * Whether @path is relative and of components of [A-Za-z0-9._+@~=-] that are neither
 * empty nor start with '.'.
 */
bool strlist_path_ok(const char *path) _nonnull_all_;

/*
 * Read @text: each line a path that strlist_path_ok() allows, the last one with its newline
 * as well. Returns 0, or with @reason filled in -EBADMSG or -ENOMEM.
 */
int strlist_parse(struct strlist *names, const char *text,
		  struct reason *reason) _must_check_ _nonnull_all_;

/* Write @names as strlist_parse() reads them. buf_free() either way. 0 or -errno. */
int strlist_format(const struct strlist *names,
		   struct buf *out) _must_check_ _nonnull_all_;
