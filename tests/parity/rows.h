/* SPDX-License-Identifier: GPL-2.0-only */
/* Facts about a module as rows of key and value, so that one comparison serves them all.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ko;
struct section;

struct row {
	char *key, *value;
	const struct section *section; /* NULL, or what @offset is in */
	uint64_t offset;
};

struct rows {
	struct row *row;
	size_t n;
};

/* Adds a row. The key is copied; @fmt makes the value. */
void rows_add(struct rows *rows, const char *key, const struct section *section,
	      uint64_t offset, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/*
 * Compares as sets in which a row may stand more than once; the order does not matter.
 * Prints each difference with difference(). The rows are sorted by it.
 */
void rows_compare(struct rows *ours, struct rows *vendors, const struct ko *ko);

/* What every difference is printed with: "parity: MODULE: SENTENCE" on standard output.
 */
void difference(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "SECTION+0xOFFSET (in SYMBOL)" in @buf of @size. */
const char *place(const struct ko *ko, const struct section *section, uint64_t offset,
		  char *buf, size_t size);

extern const char *module_name; /* for difference() */
extern unsigned int differences;
