// SPDX-License-Identifier: GPL-2.0-only
#include "tree/index.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "base/file.h"

/*
 * An index as index_write() of kmod's tools/depmod.c leaves it, all numbers of 32 bits, big
 * endian: magic, version, the root; then the nodes, a parent behind its children (kmod 30)
 * or before them (kmod 34). A node is named by its offset and flags that say what of it
 * there is, in this order: a prefix, a string; the first and last byte of its children,
 * and them, 0 for none; the number of its values, and of each a priority and a string.
 */
#define INDEX_MAGIC 0xb007f457
#define INDEX_HEAD 12U
#define INDEX_PREFIX 0x80000000
#define INDEX_VALUES 0x40000000
#define INDEX_CHILDREN 0x20000000
#define INDEX_OFFSET 0x0fffffff
#define INDEX_DEPTH 4096

struct reader {
	const struct buf *file;
	size_t at;
};

static bool read_number(struct reader *in, uint32_t *out)
{
	uint32_t number;

	if (in->file->size - in->at < sizeof(number))
		return false;
	memcpy(&number, in->file->data + in->at, sizeof(number));
	*out = be32toh(number);
	in->at += sizeof(number);
	return true;
}

static bool skip_string(struct reader *in)
{
	const char *from = in->file->data + in->at;
	const char *end = memchr(from, '\0', in->file->size - in->at);

	if (!end)
		return false;
	in->at += (size_t)(end - from) + 1;
	return true;
}

static bool skip_values(struct reader *in)
{
	uint32_t count, priority;

	if (!read_number(in, &count))
		return false;
	while (count-- > 0)
		if (!read_number(in, &priority) || !skip_string(in))
			return false;
	return true;
}

/* The children that come next: *@first is the place of the first, *@count how many. */
static bool skip_children(struct reader *in, size_t *first, size_t *count)
{
	unsigned char from, to;

	if (in->file->size - in->at < 2)
		return false;
	from = (unsigned char)in->file->data[in->at];
	to = (unsigned char)in->file->data[in->at + 1];
	*first = in->at + 2;
	*count = to < from ? 0 : (size_t)(to - from) + 1;
	if (!*count || (in->file->size - *first) / sizeof(uint32_t) < *count)
		return false;
	in->at = *first + *count * sizeof(uint32_t);
	return true;
}

/*
 * Adds to *@used what the node and all below it take. More than there is cannot be used,
 * and a node below another takes something: so this ends soon, whatever the file holds.
 */
static bool walk_node(const struct buf *file, uint32_t node, unsigned int depth,
		      size_t *used)
{
	struct reader in = { .file = file, .at = node & INDEX_OFFSET };
	const size_t start = in.at;
	size_t first = 0, count = 0;

	if (start < INDEX_HEAD || start > file->size || depth > INDEX_DEPTH)
		return false;
	if (node & INDEX_PREFIX && !skip_string(&in))
		return false;
	if (node & INDEX_CHILDREN && !skip_children(&in, &first, &count))
		return false;
	if (node & INDEX_VALUES && !skip_values(&in))
		return false;
	if (depth > 0 && in.at == start)
		return false;
	*used += in.at - start;
	if (*used > file->size)
		return false;
	in.at = first;
	for (size_t i = 0; i < count; i++) {
		uint32_t child;

		if (!read_number(&in, &child) ||
		    (child && !walk_node(file, child, depth + 1, used)))
			return false;
	}
	return true;
}

bool index_is_whole(const struct buf *file)
{
	struct reader in = { .file = file };
	uint32_t magic, version, root;
	size_t used = INDEX_HEAD;

	if (!read_number(&in, &magic) || !read_number(&in, &version) ||
	    !read_number(&in, &root) || magic != INDEX_MAGIC)
		return false;
	return walk_node(file, root, 0, &used) && used == file->size;
}

/* The child, by @byte, of the node whose children come next: 0 for none. */
static uint32_t child_of(struct reader in, unsigned char byte)
{
	const unsigned char from = (unsigned char)in.file->data[in.at];
	const unsigned char to = (unsigned char)in.file->data[in.at + 1];
	uint32_t child = 0;

	if (byte < from || byte > to)
		return 0;
	in.at += 2 + (byte - from) * sizeof(child);
	return read_number(&in, &child) ? child : 0;
}

/* The first of the values that come next: the one of the lowest priority. */
static const char *first_value(struct reader in)
{
	uint32_t number;

	return read_number(&in, &number) && number && read_number(&in, &number)
		       ? in.file->data + in.at
		       : NULL;
}

const char *index_find(const struct buf *file, const char *key)
{
	struct reader in = { .file = file, .at = sizeof(uint32_t) * 2 };
	size_t first, count;
	uint32_t node;

	if (!read_number(&in, &node))
		return NULL;
	while (node) {
		in.at = node & INDEX_OFFSET;
		if (node & INDEX_PREFIX) {
			const char *prefix = file->data + in.at;
			size_t len = strlen(prefix);

			if (strncmp(key, prefix, len) != 0)
				return NULL;
			key += len;
			in.at += len + 1;
		}
		if (*key) {
			node = node & INDEX_CHILDREN ? child_of(in, (unsigned char)*key++)
						     : 0;
			continue;
		}
		if (node & INDEX_CHILDREN && !skip_children(&in, &first, &count))
			return NULL;
		return node & INDEX_VALUES ? first_value(in) : NULL;
	}
	return NULL;
}
