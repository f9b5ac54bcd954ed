// SPDX-License-Identifier: GPL-2.0-only
#include "bundle/ustar.h"

#include <stdio.h>
#include <string.h>
#include <tar.h>

#include "base/log.h"
#include "base/sha256sums.h"

#define BLOCK 512UL
#define RECORD (20 * BLOCK)

/* POSIX.1-1988, "Extended tar Format"; <tar.h> has the constants and no struct. */
struct header {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12];
	char mtime[12], chksum[8];
	char typeflag;
	char linkname[100];
	char magic[6];
	char version[2];
	char uname[32], gname[32], devmajor[8], devminor[8];
	char prefix[155];
	char pad[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

/* Where the walk over the bundle stands. */
struct archive_walk {
	const char *data;
	size_t size;
	size_t at; /* of the header in hand */
	char path[USTAR_PATH_BYTES];
	size_t length; /* of the data after the header */
};

void ustar_free(struct ustar *bundle)
{
	free(bundle->files);
	*bundle = (struct ustar){ 0 };
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct ustar_file *)a)->path,
		      ((const struct ustar_file *)b)->path);
}

const struct ustar_file *ustar_find(const struct ustar *bundle, const char *path)
{
	struct ustar_file key;

	if (!bundle->count || strlen(path) >= sizeof(key.path))
		return NULL;
	memcpy(key.path, path, strlen(path) + 1);
	return bsearch(&key, bundle->files, bundle->count, sizeof(key), compare);
}

static bool all_zero(const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i])
			return false;
	return true;
}

static size_t blocks(size_t size)
{
	return (size + BLOCK - 1) / BLOCK * BLOCK;
}

/* What is not a regular file, in words. */
static const char *kind_of(char typeflag)
{
	switch (typeflag) {
	case REGTYPE:
		return NULL;
	case LNKTYPE:
		return "a hard link";
	case SYMTYPE:
		return "a symbolic link";
	case CHRTYPE:
	case BLKTYPE:
		return "a device";
	case DIRTYPE:
		return "a directory";
	case FIFOTYPE:
		return "a FIFO";
	case 'x':
	case 'g':
	case 'X':
		return "a pax header, which ustar does not have";
	case 'L':
	case 'K':
		return "a GNU header of a long name, which ustar does not have";
	case 'S':
		return "a sparse file, which ustar does not have";
	default:
		return "of no kind that ustar has";
	}
}

/* Parse a field of octal digits and, as its last byte, a NUL or a space. */
static bool parse_octal(const char *text, size_t size, size_t *number)
{
	*number = 0;
	for (size_t i = 0; i < size - 1; i++) {
		if (text[i] < '0' || text[i] > '7')
			return false;
		*number = *number << 3 | (size_t)(text[i] - '0');
	}
	return text[size - 1] == '\0' || text[size - 1] == ' ';
}

/* The checksum is the sum of all bytes, its own field taken for blanks. */
static bool checksum_ok(const struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	size_t sum = 0, said = 0;

	for (size_t i = 0; i < BLOCK; i++)
		sum += bytes[i];
	for (size_t i = 0; i < sizeof(header->chksum); i++)
		sum += ' ' - (size_t)(unsigned char)header->chksum[i];
	/* Six digits, a NUL and a space. */
	return parse_octal(header->chksum, sizeof(header->chksum) - 1, &said) &&
	       header->chksum[7] == ' ' && said == sum;
}

static void set_path(struct archive_walk *walk, const struct header *header)
{
	snprintf(walk->path, sizeof(walk->path), "%.*s%s%.*s",
		 (int)strnlen(header->prefix, sizeof(header->prefix)), header->prefix,
		 header->prefix[0] ? "/" : "",
		 (int)strnlen(header->name, sizeof(header->name)), header->name);
}

/* What is wrong with the header at walk->at, in words, or NULL; sets path and length. */
static const char *check_header(struct archive_walk *walk)
{
	const struct header *header = (const void *)(walk->data + walk->at);
	size_t room = walk->size - walk->at - BLOCK;
	const char *kind;

	if (memcmp(header->magic, TMAGIC, TMAGLEN) != 0 ||
	    memcmp(header->version, TVERSION, TVERSLEN) != 0)
		return "its header is not ustar's";
	kind = kind_of(header->typeflag);
	if (kind)
		return kind;
	if (header->linkname[0])
		return "a file with the name of a link";
	if (!all_zero(header->pad, sizeof(header->pad)))
		return "its header goes on where ustar's ends";
	if (!sums_is_path(walk->path))
		return "not a path that a bundle may have";
	if (!checksum_ok(header))
		return "its header has a wrong checksum";
	if (!parse_octal(header->size, sizeof(header->size), &walk->length))
		return "its size is not eleven octal digits";
	if (walk->length > room || blocks(walk->length) > room)
		return "larger than what is left of the bundle";
	if (!all_zero(walk->data + walk->at + BLOCK + walk->length,
		      blocks(walk->length) - walk->length))
		return "there is data after its end";
	return NULL;
}

static int refuse(const struct archive_walk *walk, struct reason *reason, const char *why)
{
	char shown[4 * 100 + 1], *to = shown;

	/* A hostile name, so that no terminal takes it for anything but text. */
	for (const char *c = walk->path; *c && to < shown + sizeof(shown) - 5; c++) {
		if (*c > ' ' && *c <= '~' && *c != '\\')
			*to++ = *c;
		else
			to += sprintf(to, "\\%03o", (unsigned char)*c);
	}
	*to = '\0';
	return reason_set(reason, -EBADMSG, "entry '%s': %s", shown, why);
}

/* Read the entry at walk->at, and move on to the next. */
static int read_entry(struct archive_walk *walk, struct ustar_file *file,
		      struct reason *reason)
{
	const char *wrong;

	set_path(walk, (const void *)(walk->data + walk->at));
	wrong = check_header(walk);
	if (wrong)
		return refuse(walk, reason, wrong);
	memcpy(file->path, walk->path, sizeof(file->path));
	file->data = (struct slice){ walk->data + walk->at + BLOCK, walk->length };
	walk->at += BLOCK + blocks(walk->length);
	return 0;
}

/* From the first block of zeros on. */
static int check_end(const struct archive_walk *walk, struct reason *reason)
{
	size_t whole = (walk->at + 2 * BLOCK + RECORD - 1) / RECORD * RECORD;

	if (walk->size < whole)
		return reason_set(reason, -EBADMSG, "it was cut short");
	if (walk->size > whole || !all_zero(walk->data + walk->at, whole - walk->at))
		return reason_set(reason, -EBADMSG, "there is data after its end");
	return 0;
}

static int read_entries(struct archive_walk *walk, struct ustar *bundle,
			struct reason *reason)
{
	size_t room = 0;

	while (walk->size - walk->at >= BLOCK &&
	       !all_zero(walk->data + walk->at, BLOCK)) {
		int ret;

		if (bundle->count == room) {
			struct ustar_file *more;

			room = room ? 2 * room : 64;
			more = reallocarray(bundle->files, room, sizeof(*more));
			if (!more)
				return reason_errno(reason, -ENOMEM);
			bundle->files = more;
		}
		ret = read_entry(walk, &bundle->files[bundle->count], reason);
		if (ret < 0)
			return ret;
		bundle->count++;
	}
	return check_end(walk, reason);
}

/* Whether a directory that @path lies in is a file of the bundle. */
static bool is_below_file(const struct ustar *bundle, const char *path)
{
	char directory[USTAR_PATH_BYTES];
	const char *slash = path;

	while ((slash = strchr(slash, '/'))) {
		snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
		if (ustar_find(bundle, directory))
			return true;
		slash++;
	}
	return false;
}

static int check_paths(const struct ustar *bundle, struct reason *reason)
{
	for (size_t i = 0; i < bundle->count; i++) {
		const char *path = bundle->files[i].path;

		if (i > 0 && !strcmp(bundle->files[i - 1].path, path))
			return reason_set(reason, -EBADMSG,
					  "entry '%s': it appears twice", path);
		if (is_below_file(bundle, path))
			return reason_set(reason, -EBADMSG,
					  "entry '%s': its parent is a file", path);
	}
	return 0;
}

int ustar_parse(struct ustar *bundle, const char *data, size_t size,
		struct reason *reason)
{
	struct archive_walk walk = { .data = data, .size = size };
	int ret;

	*bundle = (struct ustar){ 0 };
	ret = read_entries(&walk, bundle, reason);
	if (ret < 0)
		return ret;
	if (!bundle->count)
		return reason_set(reason, -EBADMSG, "it is empty");
	qsort(bundle->files, bundle->count, sizeof(*bundle->files), compare);
	return check_paths(bundle, reason);
}
