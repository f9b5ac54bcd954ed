// SPDX-License-Identifier: GPL-2.0-only
#include "rows.h"

#include <err.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ko.h"

const char *module_name = "?";
unsigned int differences;

void difference(const char *fmt, ...)
{
	va_list args;

	differences++;
	printf("parity: %s: ", module_name);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

const char *place(const struct ko *ko, const struct section *section, uint64_t offset,
		  char *buf, size_t size)
{
	const struct symbol *symbol = ko_symbol_at(ko, section, offset);
	int len = snprintf(buf, size, "%s+0x%" PRIx64, section->name, offset);

	if (symbol && len > 0 && (size_t)len < size)
		snprintf(buf + len, size - (size_t)len, " (in %s)", symbol->name);
	return buf;
}

void rows_add(struct rows *rows, const char *key, const struct section *section,
	      uint64_t offset, const char *fmt, ...)
{
	struct row *row;
	va_list args;

	/* doubles at each power of two */
	if (!(rows->n & (rows->n - 1))) {
		rows->row = reallocarray(rows->row, rows->n ? rows->n * 2 : 1,
					 sizeof(*rows->row));
		if (!rows->row)
			err(2, "no memory");
	}
	row = &rows->row[rows->n++];
	row->section = section;
	row->offset = offset;
	row->key = strdup(key);
	va_start(args, fmt);
	if (!row->key || vasprintf(&row->value, fmt, args) < 0)
		err(2, "no memory");
	va_end(args);
}

static int by_key(const struct row *a, const struct row *b)
{
	int order = strcmp(a->key, b->key);

	if (order)
		return order;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static int by_row(const void *a, const void *b)
{
	const struct row *one = a, *other = b;
	int order = by_key(one, other);

	return order ? order : strcmp(one->value, other->value);
}

/* What a row is of, in words: its key, or the place, with the symbol that @ko has there.
 */
static const char *key_of(const struct row *row, const struct ko *ko)
{
	static char buf[512];
	const struct section *section = row->section;

	if (section)
		section = ko_section(ko, section->name, section->nth);
	if (!row->section)
		return row->key;
	if (section)
		return place(ko, section, row->offset, buf, sizeof(buf));
	snprintf(buf, sizeof(buf), "%s+0x%" PRIx64, row->key, row->offset);
	return buf;
}

/* The rows from @start on that have the key of the first. */
static size_t group(const struct rows *rows, size_t start)
{
	size_t n = 1;

	while (start + n < rows->n && !by_key(&rows->row[start], &rows->row[start + n]))
		n++;
	return n;
}

/* Compares @n and @m rows of one key: what is in one only, in pairs as far as they go. */
static void compare_group(struct row *ours, size_t n, struct row *vendors, size_t m,
			  const struct ko *ko)
{
	size_t i = 0, j = 0, n_left = 0, m_left = 0;

	while (i < n || j < m) {
		int order = i == n   ? 1
			    : j == m ? -1
				     : strcmp(ours[i].value, vendors[j].value);

		if (order < 0)
			ours[n_left++] = ours[i++];
		else if (order > 0)
			vendors[m_left++] = vendors[j++];
		else
			i++, j++;
	}
	for (i = 0; i < n_left && i < m_left; i++)
		difference("%s: is %s, the vendor's %s", key_of(&ours[i], ko),
			   ours[i].value, vendors[i].value);
	for (j = i; j < n_left; j++)
		difference("%s: has %s, the vendor's has not", key_of(&ours[j], ko),
			   ours[j].value);
	for (j = i; j < m_left; j++)
		difference("%s: lacks %s, which the vendor's has",
			   key_of(&vendors[j], ko), vendors[j].value);
}

void rows_compare(struct rows *ours, struct rows *vendors, const struct ko *ko)
{
	size_t i = 0, j = 0;

	if (ours->n)
		qsort(ours->row, ours->n, sizeof(*ours->row), by_row);
	if (vendors->n)
		qsort(vendors->row, vendors->n, sizeof(*vendors->row), by_row);
	while (i < ours->n || j < vendors->n) {
		int order = i == ours->n      ? 1
			    : j == vendors->n ? -1
					      : by_key(&ours->row[i], &vendors->row[j]);
		size_t n = order <= 0 ? group(ours, i) : 0;
		size_t m = order >= 0 ? group(vendors, j) : 0;

		compare_group(ours->row + i, n, vendors->row + j, m, ko);
		i += n;
		j += m;
	}
}
