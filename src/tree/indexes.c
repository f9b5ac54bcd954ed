// SPDX-License-Identifier: GPL-2.0-only
#include "tree/indexes.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strlist.h"
#include "fit/module.h"
#include "fit/providers.h"
#include "tree/depmod.h"
#include "tree/index.h"
#include "tree/snapshot.h"

#define INDEX_MAX_BYTES (64UL << 20)

/* The table depfiles[] of kmod's tools/depmod.c, of all its versions. */
/* clang-format off */
static const struct {
	const char *name;
	bool always; /* made by each of those versions */
} outputs[] = {
	{ "modules.dep", true },
	{ "modules.dep.bin", true },
	{ "modules.alias", true },
	{ "modules.alias.bin", true },
	{ "modules.softdep", true },
	{ "modules.weakdep", false },
	{ "modules.symbols", true },
	{ "modules.symbols.bin", true },
	{ "modules.builtin.bin", true },
	{ "modules.builtin.alias.bin", false },
	{ "modules.devname", true },
};
/* clang-format on */

static bool is_output(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++)
		if (!strcmp(path, outputs[i].name))
			return true;
	return false;
}

/* ".PID.USEC.SEC", behind the name of an index that depmod has not renamed yet. */
static bool is_temporary(const char *suffix)
{
	for (int i = 0; i < 3; i++) {
		size_t digits = *suffix == '.' ? strspn(suffix + 1, "0123456789") : 0;

		if (!digits)
			return false;
		suffix += 1 + digits;
	}
	return !*suffix;
}

bool indexes_is_output(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++) {
		size_t len = strlen(outputs[i].name);

		if (!strncmp(path, outputs[i].name, len) &&
		    (!path[len] || is_temporary(path + len)))
			return true;
	}
	return false;
}

enum clone_how indexes_how(const char *path)
{
	if (indexes_is_output(path))
		return CLONE_SKIP;
	/* depmod of kmod replaces its output files; others write into existing ones. */
	if (!strncmp(path, "modules.", strlen("modules.")) && !strchr(path, '/'))
		return CLONE_COPY;
	return CLONE_LINK;
}

int indexes_list(const struct snapshot *snap, struct strlist *out)
{
	for (size_t i = 0; i < snap->count; i++)
		if (is_output(snap->entries[i].path) &&
		    strlist_add(out, snap->entries[i].path) < 0)
			return -ENOMEM;
	return 0;
}

static bool has(int fd, const char *name)
{
	return faccessat(fd, name, F_OK, 0) == 0;
}

/* depmod does not look whether it could seek in what it writes, and ends with 0. */
static bool is_whole(int directory, const char *name)
{
	_cleanup_buf_ struct buf file = { 0 };
	struct reason ignored = { 0 };

	return read_beneath(directory, name, INDEX_MAX_BYTES, &file, &ignored) == 0 &&
	       index_is_whole(&file);
}

/* The lines of the list @name, NULL without that file; they are cut out of @text. */
static int read_list(int directory, const char *name, struct buf *text,
		     struct reason *reason)
{
	struct reason why = { 0 };
	int ret = read_beneath(directory, name, INDEX_MAX_BYTES, text, &why);

	if (ret < 0 && ret != -ENOENT)
		return reason_set(reason, ret, "%s: %s", name, why.text);
	return 0;
}

/* depmod takes a modules.builtin that it cannot read for one that ends, and says nothing. */
static int check_builtin(int to, struct reason *reason)
{
	_cleanup_buf_ struct buf list = { 0 }, index = { 0 };
	struct reason why = { 0 };
	char *cursor, *line;
	int ret = read_list(to, "modules.builtin", &list, reason);

	if (ret < 0 || !list.data)
		return ret;
	ret = read_beneath(to, "modules.builtin.bin", INDEX_MAX_BYTES, &index, &why);
	if (ret < 0)
		return reason_set(reason, ret, "modules.builtin.bin: %s", why.text);
	cursor = list.data;
	while ((line = strsep(&cursor, "\n"))) {
		_cleanup_free_ char *name = module_name_of(line);

		if (!name)
			return reason_errno(reason, -ENOMEM);
		if (*name && !index_find(&index, name))
			return reason_set(reason, -EIO,
					  "depmod left %s out of modules.builtin.bin",
					  name);
	}
	return 0;
}

/* Whether @path of modules.dep, perhaps of a compressed file, is the @line of modules.order. */
static bool is_ordered(const char *path, const char *line)
{
	size_t len = strlen(line);

	return len && !strncmp(path, line, len) && (!path[len] || path[len] == '.');
}

/*
 * The same of modules.order: those that it lists come first in modules.dep, in its order,
 * and of two modules for one alias the first is loaded (depmod_modules_sort() in kmod's
 * tools/depmod.c).
 */
static int check_order(int to, struct reason *reason)
{
	_cleanup_buf_ struct buf list = { 0 }, dep = { 0 };
	_cleanup_strlist_ struct strlist order = { 0 };
	char *cursor, *line, *path;
	bool others = false;
	size_t at = 0;
	int ret = read_list(to, "modules.order", &list, reason);

	if (ret < 0 || !list.data)
		return ret;
	ret = modules_dep_read_at(to, &dep, reason);
	if (ret < 0)
		return ret;
	cursor = list.data;
	while ((line = strsep(&cursor, "\n")))
		if (strlist_add(&order, line) < 0)
			return reason_errno(reason, -ENOMEM);
	cursor = dep.data;
	while ((path = modules_dep_next(&cursor))) {
		size_t next = at;

		while (next < order.count && !is_ordered(path, order.items[next]))
			next++;
		if (next < order.count && !others) {
			at = next + 1;
			continue;
		}
		others = true;
		for (size_t i = 0; i < order.count; i++)
			if (is_ordered(path, order.items[i]))
				return reason_set(reason, -EIO,
						  "depmod did not follow modules.order: "
						  "%s comes late",
						  path);
	}
	return 0;
}

static bool is_empty(int directory, const char *name)
{
	struct stat st;

	return fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == 0;
}

/* A directory, what was there when somebody looked, and what its modules.dep lists. */
struct place {
	int fd;
	const struct snapshot *snap;
	struct strlist listed; /* names of modules whose file is there, sorted */
	bool missing;	       /* one is listed and not there */
};

static void place_free(struct place *place)
{
	strlist_free(&place->listed);
}
#define _cleanup_place_ _cleanup_(place_free)

/* Behind a link there may be a file, or none. */
static bool is_there(const struct place *place, const char *path)
{
	const struct snapshot_entry *entry = snapshot_find(place->snap, path);

	return (entry && S_ISREG(entry->st.st_mode)) || has(place->fd, path);
}

/*
 * Reads the modules.dep of @place. With @now: each module that it lists, and whose file
 * is still there then, is listed by that as well.
 */
static int read_dep(struct place *place, const struct place *now, struct reason *reason)
{
	_cleanup_buf_ struct buf dep = { 0 };
	char *cursor, *path;
	int ret = modules_dep_read_at(place->fd, &dep, reason);

	if (ret < 0)
		return ret;
	cursor = dep.data;
	while ((path = modules_dep_next(&cursor))) {
		_cleanup_free_ char *name = module_name_of(path);

		if (!name)
			return reason_errno(reason, -ENOMEM);
		if (now && is_there(now, path) && !strlist_find(&now->listed, name))
			return reason_set(reason, -EIO, "depmod left out %s", name);
		if (!is_there(place, path))
			place->missing = true;
		else if (strlist_add(&place->listed, name) < 0)
			return reason_errno(reason, -ENOMEM);
	}
	strlist_sort(&place->listed);
	return 0;
}

/* No other file is listed, and each that was and is there still. */
static int check_dep(struct place *from, struct place *to, bool had,
		     struct reason *reason)
{
	int ret = read_dep(to, NULL, reason);

	if (ret == 0 && to->missing)
		ret = reason_set(reason, -EIO,
				 "depmod listed a module that is not there");
	return ret == 0 && had ? read_dep(from, to, reason) : ret;
}

static bool is_module_file(const struct snapshot_entry *entry)
{
	static const char *const suffixes[] = { ".ko", ".ko.gz", ".ko.xz", ".ko.zst" };
	size_t len = strlen(entry->path);

	for (size_t i = 0; S_ISREG(entry->st.st_mode) && i < ARRAY_SIZE(suffixes); i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && !strcmp(entry->path + len - n, suffixes[i]))
			return true;
	}
	return false;
}

static bool is_module(int directory, const char *path)
{
	_cleanup_close_ int fd = open_beneath(directory, path, O_RDONLY);
	_cleanup_(module_free) struct module mod = { 0 };
	struct reason ignored = { 0 };

	return fd >= 0 && module_read_fd(&mod, path, fd, &ignored) == 0;
}

/*
 * depmod passes over a directory that it cannot read, and says nothing: each module that is
 * there now is listed, by its name, but for what was there and not listed before, as it
 * is no module.
 */
static int check_files(const struct place *from, const struct place *to,
		       struct reason *reason)
{
	for (size_t i = 0; i < to->snap->count; i++) {
		const struct snapshot_entry *entry = &to->snap->entries[i];
		const char *path = entry->path;
		_cleanup_free_ char *name = NULL;

		if (!is_module_file(entry))
			continue;
		name = module_name_of(path);
		if (!name)
			return reason_errno(reason, -ENOMEM);
		if (strlist_find(&to->listed, name) ||
		    (!strlist_find(&from->listed, name) &&
		     snapshot_find(from->snap, path)))
			continue;
		if (is_module(to->fd, path))
			return reason_set(reason, -EIO, "depmod left out %s", path);
	}
	return 0;
}

/*
 * Of one index, that @had it before or not: it is there if each depmod makes it, whole,
 * and whose it was; what this depmod does not make is copied.
 */
static int check_output(size_t i, bool had, int from, int to, struct reason *reason)
{
	const char *name = outputs[i].name;
	int ret;

	/* That of kmod 28 leaves modules.builtin.alias.bin empty. What is built in does not
	 * change by what is installed: the one there was stays. */
	if (!outputs[i].always && is_empty(to, name)) {
		if (!had || is_empty(from, name))
			return 0;
		if (unlinkat(to, name, 0) < 0)
			return reason_set(reason, -errno, "%s: %s", name,
					  strerror(errno));
	}
	/* Where the kernel has no list of what is built in. */
	if (!strcmp(name, "modules.builtin.bin") && is_empty(to, name) &&
	    !has(to, "modules.builtin"))
		return 0;
	if (has(to, name) && strstr(name, ".bin") && !is_whole(to, name))
		return reason_set(reason, -EIO, "depmod wrote a damaged %s", name);
	if (!had)
		return 0;
	if (!has(to, name) && outputs[i].always)
		return reason_set(reason, -EIO, "depmod did not write %s", name);
	ret = has(to, name) ? copy_ownership(from, to, name)
			    : clone_copy(from, name, to, name);
	return ret < 0 ? reason_set(reason, ret, "%s: %s", name, strerror(-ret)) : 0;
}

int indexes_check(const struct snapshot *before, const struct snapshot *now, int from,
		  int to, struct reason *reason)
{
	_cleanup_place_ struct place old = { .fd = from, .snap = before };
	_cleanup_place_ struct place new = { .fd = to, .snap = now };
	_cleanup_strlist_ struct strlist had = { 0 };
	int ret = 0;

	if (indexes_list(before, &had) < 0)
		return reason_errno(reason, -ENOMEM);
	if (!has(to, "modules.dep"))
		return reason_set(reason, -EIO, "depmod wrote nothing");
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(outputs); i++)
		ret = check_output(i, strlist_has(&had, outputs[i].name), from, to,
				   reason);
	if (ret == 0)
		ret = check_dep(&old, &new, strlist_has(&had, "modules.dep"), reason);
	if (ret == 0)
		ret = check_files(&old, &new, reason);
	if (ret == 0)
		ret = check_order(to, reason);
	return ret < 0 ? ret : check_builtin(to, reason);
}

int indexes_read(int fd, struct buf *dep)
{
	struct reason ignored = { 0 };
	int ret = read_beneath(fd, "modules.dep.bin", INDEX_MAX_BYTES, dep, &ignored);

	if (ret < 0)
		return ret;
	return index_is_whole(dep) && is_whole(fd, "modules.alias.bin") ? 0 : -EBADMSG;
}

/* A value is a line of modules.dep: the path, a colon, what it needs. */
char *indexes_taken(const struct buf *dep, const char *path)
{
	_cleanup_free_ char *name = module_name_of(path);
	const char *line = name ? index_find(dep, name) : NULL;

	return line ? strndup(line, strcspn(line, ":")) : NULL;
}

int indexes_drop_new(int fd, const struct strlist *before)
{
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++)
		if (!strlist_has(before, outputs[i].name) &&
		    unlinkat(fd, outputs[i].name, 0) < 0 && errno != ENOENT)
			return -errno;
	return 0;
}
