// SPDX-License-Identifier: GPL-2.0-only
#include "tree/indexes.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strlist.h"
#include "fit/module.h"
#include "fit/providers.h"
#include "tree/snapshot.h"

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

/* ".PID.USEC.SEC", after the name of an index that depmod has not renamed yet. */
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

static bool is_empty(int directory, const char *name)
{
	struct stat st;

	return fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == 0;
}

/*
 * Return true if depmod has nothing to write into the index, or, as kmod 28 in
 * modules.builtin.alias.bin, writes nothing.
 */
static bool may_be_empty(int fd, size_t i)
{
	return !outputs[i].always || !strcmp(outputs[i].name, "modules.dep") ||
	       !strcmp(outputs[i].name, "modules.devname") ||
	       (!strcmp(outputs[i].name, "modules.builtin.bin") &&
		!has(fd, "modules.builtin"));
}

/*
 * Check one index, which was there before or not (@had). What this depmod does not make
 * is copied, and the owner and mode are those of before.
 */
static int check_output(size_t i, bool had, int from, int to, struct reason *reason)
{
	const char *name = outputs[i].name;
	int ret;

	if (is_empty(to, name) && !may_be_empty(to, i))
		return reason_set(reason, -EIO, "depmod left %s empty", name);
	/* What is built in does not change: the index that was there stays. */
	if (is_empty(to, name) && !outputs[i].always && had && !is_empty(from, name) &&
	    unlinkat(to, name, 0) < 0)
		return reason_errno_at(reason, -errno, "%s", name);
	if (!had)
		return 0;
	if (!has(to, name) && outputs[i].always)
		return reason_set(reason, -EIO, "depmod did not write %s", name);
	ret = has(to, name) ? copy_ownership(from, to, name)
			    : clone_copy(from, name, to, name);
	return reason_errno_at(reason, ret, "%s", name);
}

/* List the paths, or with @names the names, of the modules in modules.dep, sorted. */
static int list_dep(int fd, bool names, struct strlist *out, struct reason *reason)
{
	_cleanup_buf_ struct buf dep = { 0 };
	char *cursor, *path;
	int ret = modules_dep_read_at(fd, &dep, reason);

	if (ret < 0)
		return ret;
	cursor = dep.data;
	while ((path = modules_dep_next(&cursor))) {
		_cleanup_free_ char *name = names ? module_name_of(path) : strdup(path);

		if (!name || strlist_add(out, name) < 0)
			return reason_errno(reason, -ENOMEM);
	}
	strlist_sort(out);
	return 0;
}

/* Check that each module that was listed before, and whose file is there, still is. */
static int check_dep(int from, int to, struct reason *reason)
{
	_cleanup_strlist_ struct strlist before = { 0 }, now = { 0 };
	int ret = list_dep(from, false, &before, reason);

	if (ret == 0)
		ret = list_dep(to, true, &now, reason);
	for (size_t i = 0; ret == 0 && i < before.count; i++) {
		_cleanup_free_ char *name = module_name_of(before.items[i]);

		if (!name)
			return reason_errno(reason, -ENOMEM);
		if (has(to, before.items[i]) && !strlist_find(&now, name))
			ret = reason_set(reason, -EIO, "depmod left out %s", name);
	}
	return ret;
}

int indexes_check(const struct snapshot *before, int from, int to, struct reason *reason)
{
	_cleanup_strlist_ struct strlist had = { 0 };
	int ret = 0;

	if (indexes_list(before, &had) < 0)
		return reason_errno(reason, -ENOMEM);
	if (!has(to, "modules.dep"))
		return reason_set(reason, -EIO, "depmod wrote nothing");
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(outputs); i++)
		ret = check_output(i, strlist_has(&had, outputs[i].name), from, to,
				   reason);
	if (ret == 0 && strlist_has(&had, "modules.dep"))
		ret = check_dep(from, to, reason);
	return ret;
}

int indexes_list_all(int fd, const struct strlist *paths, struct reason *reason)
{
	_cleanup_strlist_ struct strlist listed = { 0 };
	int ret = list_dep(fd, false, &listed, reason);

	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(outputs); i++)
		if (outputs[i].always && !may_be_empty(fd, i) &&
		    (!has(fd, outputs[i].name) || is_empty(fd, outputs[i].name)))
			ret = reason_set(reason, -EIO, "%s is missing or empty",
					 outputs[i].name);
	for (size_t i = 0; ret == 0 && i < paths->count; i++)
		if (!strlist_find(&listed, paths->items[i]))
			ret = reason_set(reason, -EIO, "modules.dep does not list %s",
					 paths->items[i]);
	return ret;
}

int indexes_drop_new(int fd, const struct strlist *before)
{
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++)
		if (!strlist_has(before, outputs[i].name) &&
		    unlinkat(fd, outputs[i].name, 0) < 0 && errno != ENOENT)
			return -errno;
	return 0;
}
