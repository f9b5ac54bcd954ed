// SPDX-License-Identifier: GPL-2.0-only
#include "bundle/ustar.h"

#include <stdio.h>
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
	struct ustar_file key = { .data = { 0 } };

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

/* Return the name of an entry type that is refused, or NULL. */
static const char *kind_of(char typeflag)
{
	static const struct {
		const char *flags, *words;
	} kinds[] = {
		{ "1", "a hard link" },
		{ "2", "a symbolic link" },
		{ "34", "a device" },
		{ "5", "a directory" },
		{ "6", "a FIFO" },
		{ "xgX", "a pax header, which ustar does not have" },
		{ "LK", "a GNU header of a long name, which ustar does not have" },
		{ "S", "a sparse file, which ustar does not have" },
	};

	if (typeflag == REGTYPE)
		return NULL;
	for (size_t i = 0; typeflag && i < ARRAY_SIZE(kinds); i++)
		if (strchr(kinds[i].flags, typeflag))
			return kinds[i].words;
	return "of no kind that ustar has";
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

/* Return true if the text ends the field, or a NUL and nothing but zeros follow it. */
static bool is_text(const char *field, size_t size)
{
	size_t len = strnlen(field, size);

	return all_zero(field + len, size - len);
}

/*
 * Return true if the fields that nobody here reads are as POSIX has them: other programs
 * that list the bundle read them, and have to see the same. No permission is taken beyond
 * 0777.
 */
static bool rest_ok(const struct header *header)
{
	size_t mode, ignored;

	return parse_octal(header->mode, sizeof(header->mode), &mode) && mode <= 0777 &&
	       parse_octal(header->uid, sizeof(header->uid), &ignored) &&
	       parse_octal(header->gid, sizeof(header->gid), &ignored) &&
	       parse_octal(header->mtime, sizeof(header->mtime), &ignored) &&
	       (all_zero(header->devmajor, sizeof(header->devmajor)) ||
		parse_octal(header->devmajor, sizeof(header->devmajor), &ignored)) &&
	       (all_zero(header->devminor, sizeof(header->devminor)) ||
		parse_octal(header->devminor, sizeof(header->devminor), &ignored)) &&
	       is_text(header->uname, sizeof(header->uname)) &&
	       is_text(header->gname, sizeof(header->gname)) &&
	       is_text(header->name, sizeof(header->name)) &&
	       is_text(header->prefix, sizeof(header->prefix));
}

/* Return what is wrong with the header at walk->at, or NULL; sets walk->length. */
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
	if (!all_zero(header->linkname, sizeof(header->linkname)))
		return "a file with the name of a link";
	if (!all_zero(header->pad, sizeof(header->pad)))
		return "its header goes on where ustar's ends";
	if (!sums_is_path(walk->path))
		return "not a path that a bundle may have";
	if (!checksum_ok(header))
		return "its header has a wrong checksum";
	if (!parse_octal(header->size, sizeof(header->size), &walk->length))
		return "its size is not eleven octal digits";
	if (!rest_ok(header))
		return "a field of its header is not as ustar has it";
	if (walk->length > room || blocks(walk->length) > room)
		return "larger than what is left of the bundle";
	if (!all_zero(walk->data + walk->at + BLOCK + walk->length,
		      blocks(walk->length) - walk->length))
		return "there is data after its end";
	return NULL;
}

/* Read the entry at walk->at, and move on to the next. */
static int read_entry(struct archive_walk *walk, struct ustar_file *file,
		      struct reason *reason)
{
	const char *wrong;

	set_path(walk, (const void *)(walk->data + walk->at));
	wrong = check_header(walk);
	if (wrong)
		return reason_set(reason, -EBADMSG, "entry '%s': %s", walk->path, wrong);
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
	while (walk->size - walk->at >= BLOCK &&
	       !all_zero(walk->data + walk->at, BLOCK)) {
		struct ustar_file *grown =
			grow(bundle->files, bundle->count, sizeof(*grown));
		int ret;

		if (!grown)
			return reason_errno(reason, -ENOMEM);
		bundle->files = grown;
		ret = read_entry(walk, &grown[bundle->count], reason);
		if (ret < 0)
			return ret;
		bundle->count++;
	}
	return check_end(walk, reason);
}

/* Return true if a parent directory of @path is itself a file of the bundle. */
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

/*
 * Return what kind of file starts with these bytes, or NULL if it may be a bundle.
 */
static const char *kind_of_file(const char *data, size_t size)
{
	/* clang-format off */
	static const struct {
		const char *magic;
		size_t size;
		const char *words;
	} kinds[] = {
		{ "\x1f\x8b", 2, "it is compressed by gzip: gunzip it first" },
		{ "\xfd" "7zXZ\0", 6, "it is compressed by xz: unxz it first" },
		{ "\x28\xb5\x2f\xfd", 4, "it is compressed by zstd: unzstd it first" },
		{ "BZh", 3, "it is compressed by bzip2: bunzip2 it first" },
		{ "\x04\x22\x4d\x18", 4, "it is compressed by lz4: unlz4 it first" },
		{ "PK\3\4", 4, "it is a zip archive: unzip it first" },
		{ "7z\xbc\xaf\x27\x1c", 6, "it is a 7z archive: unpack it first" },
		{ "\xed\xab\xee\xdb", 4, "it is an RPM package, not a bundle" },
		{ "!<arch>\n", 8,
		  "it is a Debian package or another ar archive, not a bundle" },
		{ "07070", 5, "it is a cpio archive, not a bundle" },
		{ "\x7f" "ELF", 4,
		  "it is an ELF file, as a module is, not a bundle: see 'wgkmod check'" },
		{ "untrusted comment:", 18,
		  "it is a file of minisign, not the bundle that was signed" },
		{ "<", 1,
		  "it is a page of HTML or XML, as a server sends it for an error" },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (size >= kinds[i].size && !memcmp(data, kinds[i].magic, kinds[i].size))
			return kinds[i].words;
	return NULL;
}

int ustar_parse(struct ustar *bundle, const char *data, size_t size,
		struct reason *reason)
{
	struct archive_walk walk = { .data = data, .size = size };
	const char *kind;
	int ret;

	*bundle = (struct ustar){ 0 };
	kind = kind_of_file(data, size);
	if (kind)
		return reason_set(reason, -EBADMSG, "%s", kind);
	ret = read_entries(&walk, bundle, reason);
	if (ret < 0)
		return ret;
	if (!bundle->count)
		return reason_set(reason, -EBADMSG, "it is empty");
	qsort(bundle->files, bundle->count, sizeof(*bundle->files), compare);
	return check_paths(bundle, reason);
}
