// SPDX-License-Identifier: GPL-2.0-only
#include "fit/symvers.h"

#include <lzma.h>
#include <zlib.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"

#define SYMVERS_MAX_BYTES (64UL << 20)
#define XZ_MAX_MEMORY (256UL << 20)
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

/* Parse an export type: the names of export_str() in scripts/mod/modpost.c since 5.7. */
static int parse_export(const char *s, bool *gpl_only)
{
	static const char *const types[] = {
		"EXPORT_SYMBOL",
		"EXPORT_SYMBOL_GPL",
		"EXPORT_SYMBOL_GPL_FUTURE",
		"EXPORT_UNUSED_SYMBOL",
		"EXPORT_UNUSED_SYMBOL_GPL",
	};

	*gpl_only = strstr(s, "_GPL") != NULL;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(s, types[i]))
			return 0;
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

/* A line_fn: cut the line into its columns, and add it to the table of @arg. */
static int parse_line(char *line, void *arg, struct reason *reason)
{
	struct symvers *sv = arg;
	struct symbol sym = { 0 };
	char *columns[MAX_COLUMNS] = { NULL };
	size_t n = split(line, columns);

	if (n < MIN_COLUMNS || n > MAX_COLUMNS)
		return reason_set(reason, -EBADMSG, "not 4 or 5 columns");
	if (parse_crc(columns[0], &sym.crc) < 0)
		return reason_set(reason, -EBADMSG, "not a CRC of 0x and 8 digits");
	if (!is_word(columns[1]))
		return reason_set(reason, -EBADMSG, "not a symbol's name");
	if (!is_word(columns[2]))
		return reason_set(reason, -EBADMSG, "not a module's name");
	if (parse_export(columns[3], &sym.gpl_only) < 0)
		return reason_set(reason, -EBADMSG, "not a kind of export");
	if (n == MAX_COLUMNS && *columns[4]) {
		if (!is_word(columns[4]))
			return reason_set(reason, -EBADMSG, "not a namespace");
		sym.ns = columns[4];
	}
	sym.name = columns[1];
	sym.owner = columns[2];
	return reason_errno(reason, symtab_add(&sv->table, &sym));
}

int symvers_parse(struct symvers *sv, char *text, size_t size, struct reason *reason)
{
	int ret;

	*sv = (struct symvers){ .text = text };
	ret = size ? each_line(text, size, parse_line, sv, reason)
		   : reason_set(reason, -EBADMSG, "it is empty");
	if (ret < 0)
		symvers_free(sv);
	else
		symtab_sort(&sv->table);
	return ret;
}

/*
 * Unpack the gzip file @file, which must be one stream, into @text. zlib verifies
 * checksum and length. Returns 0, -EFBIG or -EBADMSG.
 */
static int unpack_gzip(const struct buf *file, struct buf *text)
{
	z_stream in = { .next_in = (unsigned char *)file->data,
			.avail_in = (unsigned int)file->size,
			.next_out = (unsigned char *)text->data,
			.avail_out = SYMVERS_MAX_BYTES + 1 };
	int ret = inflateInit2(&in, 16 + MAX_WBITS);

	if (ret == Z_OK)
		ret = inflate(&in, Z_FINISH);
	inflateEnd(&in);
	text->size = in.total_out;
	if (ret == Z_BUF_ERROR && !in.avail_out)
		return -EFBIG;
	return ret == Z_STREAM_END && !in.avail_in ? 0 : -EBADMSG;
}

/* Likewise for an xz file. liblzma verifies the checks. */
static int unpack_xz(const struct buf *file, struct buf *text)
{
	lzma_stream in = LZMA_STREAM_INIT;
	lzma_ret ret =
		lzma_stream_decoder(&in, XZ_MAX_MEMORY, LZMA_TELL_UNSUPPORTED_CHECK);

	in.next_in = (const unsigned char *)file->data;
	in.avail_in = file->size;
	in.next_out = (unsigned char *)text->data;
	in.avail_out = SYMVERS_MAX_BYTES + 1;
	if (ret == LZMA_OK)
		ret = lzma_code(&in, LZMA_FINISH);
	lzma_end(&in);
	text->size = in.total_out;
	if (ret == LZMA_OK && !in.avail_out)
		return -EFBIG;
	return ret == LZMA_STREAM_END && !in.avail_in ? 0 : -EBADMSG;
}

/* Unpack @file in place, if it begins as a packed one. Returns as symvers_load() does. */
static int unpack(struct buf *file, struct reason *reason)
{
	const bool gzip = file->size > 2 && !memcmp(file->data, "\x1f\x8b", 2);
	struct buf text = { 0 };
	int ret;

	if (!gzip && (file->size <= 6 || memcmp(file->data, "\xfd\x37zXZ", 6) != 0))
		return 0;
	text.data = malloc(SYMVERS_MAX_BYTES + 1);
	if (!text.data)
		return reason_errno(reason, -ENOMEM);
	ret = gzip ? unpack_gzip(file, &text) : unpack_xz(file, &text);
	buf_free(file);
	*file = text;
	if (ret == -EBADMSG)
		return reason_set(reason, ret,
				  "it cannot be unpacked: it is damaged, or there is "
				  "something after its end");
	if (ret == -EFBIG || text.size > SYMVERS_MAX_BYTES)
		return reason_set(reason, -EFBIG, "larger than %lu bytes, unpacked",
				  SYMVERS_MAX_BYTES);
	text.data[text.size] = '\0';
	return 0;
}

int symvers_load(struct symvers *sv, const char *path, struct reason *reason)
{
	struct buf file = { 0 };
	int ret;

	*sv = (struct symvers){ 0 };
	ret = read_path(path, SYMVERS_MAX_BYTES, &file, reason);
	if (ret == 0)
		ret = unpack(&file, reason);
	if (ret == 0)
		return symvers_parse(sv, file.data, file.size, reason);
	buf_free(&file);
	return ret;
}

int symvers_find(const struct host *host, char **out)
{
	static const struct {
		const char *before;
		const char *after;
	} places[] = {
		{ "lib/modules/", "/symvers" },
		{ "lib/modules/", "/symvers.gz" },
		{ "lib/modules/", "/symvers.xz" },
		{ "lib/modules/", "/build/Module.symvers" },
		{ "boot/symvers-", "" },
		{ "boot/symvers-", ".gz" },
		{ "boot/symvers-", ".xz" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *below = NULL;
		int ret;

		below = strdup_printf("%s%s%s", places[i].before, host->release,
				      places[i].after);
		if (!below)
			return -ENOMEM;
		ret = root_resolve(host->root, below, out);
		if (ret != -ENOENT && ret != -ENOTDIR)
			return ret;
	}
	*out = NULL;
	return 0;
}
