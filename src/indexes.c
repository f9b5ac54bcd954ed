// SPDX-License-Identifier: GPL-2.0-only
#include "indexes.h"

#include <ctype.h>
#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "depmod.h"
#include "file.h"
#include "log.h"
#include "module.h"
#include "names.h"
#include "snapshot.h"

#define INDEX_MAX_BYTES (64UL << 20)

/* The table depfiles[] of kmod's tools/depmod.c, of all its versions. */
static const struct {
	const char *name;
	bool always; /* made by each of those versions */
} outputs[] = {
	{ "modules.dep", true },	 { "modules.dep.bin", true },
	{ "modules.alias", true },	 { "modules.alias.bin", true },
	{ "modules.softdep", true },	 { "modules.weakdep", false },
	{ "modules.symbols", true },	 { "modules.symbols.bin", true },
	{ "modules.builtin.bin", true }, { "modules.builtin.alias.bin", false },
	{ "modules.devname", true },
};

static bool is_output(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++)
		if (!strcmp(path, outputs[i].name))
			return true;
	return false;
}

bool indexes_is_output(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++) {
		size_t len = strlen(outputs[i].name);

		/* "modules.dep.12.34" is one that depmod has not renamed yet. */
		if (!strncmp(path, outputs[i].name, len) &&
		    (!path[len] ||
		     (path[len] == '.' && isdigit((unsigned char)path[len + 1]))))
			return true;
	}
	return false;
}

enum clone_how indexes_how(const char *path)
{
	if (indexes_is_output(path))
		return CLONE_SKIP;
	/* That of kmod renames what it wrote; others write into what is there. */
	if (!strncmp(path, "modules.", strlen("modules.")) && !strchr(path, '/'))
		return CLONE_COPY;
	return CLONE_LINK;
}

int indexes_list(const struct snapshot *snap, struct names *out)
{
	for (size_t i = 0; i < snap->count; i++)
		if (is_output(snap->entries[i].path) &&
		    names_add(out, snap->entries[i].path) < 0)
			return -ENOMEM;
	return 0;
}

static bool has(int fd, const char *name)
{
	return faccessat(fd, name, F_OK, 0) == 0;
}

/*
 * An index as index_write() of kmod's tools/depmod.c leaves it, all numbers of 32 bits, big
 * endian: magic, version, the root; then the nodes, children before their parent. A node is
 * named by its offset and flags that say what of it there is, in this order: a prefix, a
 * string; the first and last byte of its children, and them, 0 for none; the number of its
 * values, and of each a priority and a string.
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

static bool walk_node(const struct buf *file, uint32_t node, size_t before,
		      unsigned int depth, size_t *used);

static bool walk_children(struct reader *in, size_t before, unsigned int depth,
			  size_t *used)
{
	unsigned char first, last;
	uint32_t child;

	if (in->file->size - in->at < 2)
		return false;
	first = (unsigned char)in->file->data[in->at++];
	last = (unsigned char)in->file->data[in->at++];
	for (unsigned int i = first; i <= last; i++)
		if (!read_number(in, &child) ||
		    (child && !walk_node(in->file, child, before, depth + 1, used)))
			return false;
	return first <= last;
}

/* Adds to *@used what the node and all below it take. It has to begin before @before. */
static bool walk_node(const struct buf *file, uint32_t node, size_t before,
		      unsigned int depth, size_t *used)
{
	struct reader in = { .file = file, .at = node & INDEX_OFFSET };
	const size_t start = in.at;

	if (start < INDEX_HEAD || start > before || depth > INDEX_DEPTH)
		return false;
	if (node & INDEX_PREFIX && !skip_string(&in))
		return false;
	if (node & INDEX_CHILDREN && !walk_children(&in, start, depth, used))
		return false;
	if (node & INDEX_VALUES && !skip_values(&in))
		return false;
	*used += in.at - start;
	return true;
}

/*
 * Whether every byte of the index is of one node, and each node can be reached. depmod
 * does not look whether it could seek in what it writes, and ends with 0.
 */
static bool is_whole(int folder, const char *name)
{
	_cleanup_close_ int fd = open_beneath(folder, name, O_RDONLY);
	_cleanup_buf_ struct buf file = { 0 };
	struct reader in = { .file = &file };
	struct reason ignored = { 0 };
	uint32_t magic, version, root;
	size_t used = INDEX_HEAD;

	if (fd < 0 || read_fd(fd, INDEX_MAX_BYTES, &file, &ignored) < 0)
		return false;
	if (!read_number(&in, &magic) || !read_number(&in, &version) ||
	    !read_number(&in, &root) || magic != INDEX_MAGIC)
		return false;
	return walk_node(&file, root, file.size, 0, &used) && used == file.size;
}

static bool is_empty(int folder, const char *name)
{
	struct stat st;

	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == 0;
}

/* Names of modules in the modules.dep of the folder @fd, sorted; those whose path is
 * there in @in as well. *@missing is set when one is not. */
static int dep_names(int fd, int in, struct names *out, bool *missing,
		     struct reason *reason)
{
	_cleanup_buf_ struct buf dep = { 0 };
	char *cursor, *path;
	int ret = depmod_read_at(fd, &dep, reason);

	if (ret < 0)
		return ret;
	cursor = dep.data;
	while ((path = depmod_next(&cursor))) {
		_cleanup_free_ char *name = module_name_of(path);

		if (!has(in, path)) {
			*missing = true;
			continue;
		}
		if (!name || names_add(out, name) < 0)
			return reason_errno(reason, -ENOMEM);
	}
	names_sort(out);
	return 0;
}

/* Each module that was listed and is still there is listed again, and no other file. */
static int check_dep(int from, int to, struct reason *reason)
{
	_cleanup_names_ struct names before = { 0 }, now = { 0 };
	bool gone = false, missing = false;
	int ret = dep_names(to, to, &now, &missing, reason);

	if (ret == 0 && missing)
		ret = reason_set(reason, -EIO,
				 "depmod listed a module that is not there");
	if (ret == 0)
		ret = dep_names(from, to, &before, &gone, reason);
	for (size_t i = 0, j = 0; ret == 0 && i < before.count; i++) {
		while (j < now.count && strcmp(now.items[j], before.items[i]) < 0)
			j++;
		if (j == now.count || strcmp(now.items[j], before.items[i]) != 0)
			ret = reason_set(reason, -EIO, "depmod left out %s",
					 before.items[i]);
	}
	return ret;
}

int indexes_check(const struct snapshot *snap, int from, int to, struct reason *reason)
{
	_cleanup_names_ struct names before = { 0 };

	if (indexes_list(snap, &before) < 0)
		return reason_errno(reason, -ENOMEM);
	if (!has(to, "modules.dep"))
		return reason_set(reason, -EIO, "depmod wrote nothing");
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++) {
		const char *name = outputs[i].name;
		int ret;

		/* That of kmod 28 leaves modules.builtin.alias.bin empty. What is built
		 * in does not change by what is installed: the one there was stays. */
		if (!outputs[i].always && is_empty(to, name)) {
			if (!names_has(&before, name) || is_empty(from, name))
				continue;
			if (unlinkat(to, name, 0) < 0)
				return reason_set(reason, -errno, "%s: %s", name,
						  strerror(errno));
		}
		if (has(to, name) && strstr(name, ".bin") && !is_whole(to, name))
			return reason_set(reason, -EIO, "depmod wrote a damaged %s",
					  name);
		if (has(to, name) || !names_has(&before, name))
			continue;
		if (outputs[i].always)
			return reason_set(reason, -EIO, "depmod did not write %s", name);
		ret = clone_copy(from, name, to, name);
		if (ret < 0)
			return reason_set(reason, ret, "%s: %s", name, strerror(-ret));
	}
	return names_has(&before, "modules.dep") ? check_dep(from, to, reason) : 0;
}

int indexes_drop_new(int fd, const struct names *before)
{
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++)
		if (!names_has(before, outputs[i].name) &&
		    unlinkat(fd, outputs[i].name, 0) < 0 && errno != ENOENT)
			return -errno;
	return 0;
}
