/* SPDX-License-Identifier: GPL-2.0-only */
/* A list of paths, and the same as text: one a line. */
#pragma once

#include "util.h"

struct buf;
struct reason;

struct names {
	char **items; /* owned, as is each */
	size_t count;
};

void names_free(struct names *names);
#define _cleanup_names_ _cleanup_(names_free)

/* Append a copy of @name. Returns 0 or -ENOMEM. */
int names_add(struct names *names, const char *name) _must_check_ _nonnull_(1, 2);

bool names_has(const struct names *names, const char *name) _nonnull_(1, 2);

/* The same of names that names_sort() sorted. */
bool names_find(const struct names *sorted, const char *name) _nonnull_(1, 2);

/* Forget the item at @index; the order of the others stays. */
void names_drop(struct names *names, size_t index) _nonnull_(1);

/* In the order of strcmp(). */
void names_sort(struct names *names) _nonnull_(1);

/*
 * Whether @path is relative and of components of [A-Za-z0-9._+@~=-] that are neither
 * empty nor start with '.'.
 */
bool names_path_ok(const char *path) _nonnull_(1);

/*
 * Read @text: each line a path that names_path_ok() allows, the last one with its newline
 * as well. Returns 0, or with @reason filled in -EBADMSG or -ENOMEM.
 */
int names_parse(struct names *names, const char *text, struct reason *reason) _must_check_
	_nonnull_(1, 2, 3);

/* Write @names as names_parse() reads them. buf_free() either way. 0 or -errno. */
int names_format(const struct names *names, struct buf *out) _must_check_ _nonnull_(1, 2);
