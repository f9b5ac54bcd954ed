// SPDX-License-Identifier: GPL-2.0-only
#include "symvers.h"

#include <string.h>

#include "file.h"
#include "log.h"

#define SYMVERS_MAX_BYTES (64UL << 20)
#define CRC_DIGITS 8
#define MIN_COLUMNS 4
#define MAX_COLUMNS 5

void symvers_free(struct symvers *sv)
{
	symtab_free(&sv->table);
	free(sv->text);
	sv->text = NULL;
}

static bool is_word(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static int parse_crc(const char *s, uint64_t *crc)
{
	if (strncmp(s, "0x", 2) != 0 || strlen(s) != 2 + CRC_DIGITS)
		return -EBADMSG;
	if (strspn(s + 2, "0123456789abcdefABCDEF") != CRC_DIGITS)
		return -EBADMSG;
	*crc = strtoull(s + 2, NULL, 16);
	return 0;
}

/* The names of export_str() in scripts/mod/modpost.c, of all kernels since 5.7. */
static int parse_export(const char *s, bool *gpl_only)
{
	static const struct {
		const char *name;
		bool gpl_only;
	} types[] = {
		{ "EXPORT_SYMBOL", false },	      { "EXPORT_SYMBOL_GPL", true },
		{ "EXPORT_SYMBOL_GPL_FUTURE", true }, { "EXPORT_UNUSED_SYMBOL", false },
		{ "EXPORT_UNUSED_SYMBOL_GPL", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!strcmp(s, types[i].name)) {
			*gpl_only = types[i].gpl_only;
			return 0;
		}
	}
	return -EBADMSG;
}

static size_t split(char *line, char *columns[static MAX_COLUMNS])
{
	size_t n = 0;
	char *column;

	while ((column = strsep(&line, "\t"))) {
		if (n == MAX_COLUMNS)
			return n + 1;
		columns[n++] = column;
	}
	return n;
}

/* @line is cut into its columns. Returns what is wrong with it, or NULL. */
static const char *parse_line(char *line, struct symbol *sym)
{
	char *columns[MAX_COLUMNS] = { NULL };
	size_t n = split(line, columns);

	if (n < MIN_COLUMNS || n > MAX_COLUMNS)
		return "not 4 or 5 columns";
	if (parse_crc(columns[0], &sym->crc) < 0)
		return "not a CRC of 0x and 8 digits";
	if (!is_word(columns[1]))
		return "not a symbol's name";
	if (!is_word(columns[2]))
		return "not a module's name";
	if (parse_export(columns[3], &sym->gpl_only) < 0)
		return "not a kind of export";
	sym->name = columns[1];
	sym->owner = columns[2];
	if (n == MAX_COLUMNS && *columns[4]) {
		if (!is_word(columns[4]))
			return "not a namespace";
		sym->ns = columns[4];
	}
	return NULL;
}

static int parse_text(struct symvers *sv, size_t size, struct reason *reason)
{
	char *line = sv->text, *end;

	if (!size)
		return reason_set(reason, -EBADMSG, "it is empty");
	if (memchr(line, '\0', size))
		return reason_set(reason, -EBADMSG, "it holds a NUL byte");
	for (size_t number = 1; *line; number++, line = end + 1) {
		struct symbol sym = { 0 };
		const char *wrong;

		end = strchr(line, '\n');
		if (!end)
			return reason_set(reason, -EBADMSG,
					  "line %zu: no newline, the file was cut short",
					  number);
		*end = '\0';
		wrong = parse_line(line, &sym);
		if (wrong)
			return reason_set(reason, -EBADMSG, "line %zu: %s", number,
					  wrong);
		if (symtab_add(&sv->table, &sym) < 0)
			return reason_errno(reason, -ENOMEM);
	}
	symtab_sort(&sv->table);
	return 0;
}

int symvers_parse(struct symvers *sv, char *text, size_t size, struct reason *reason)
{
	int ret;

	*sv = (struct symvers){ .text = text };
	ret = parse_text(sv, size, reason);
	if (ret < 0)
		symvers_free(sv);
	return ret;
}

int symvers_load(struct symvers *sv, const char *path, struct reason *reason)
{
	struct buf file = { 0 };
	int ret;

	*sv = (struct symvers){ 0 };
	ret = read_path(path, SYMVERS_MAX_BYTES, &file, reason);
	if (ret < 0)
		return ret;
	return symvers_parse(sv, file.data, file.size, reason);
}
