// SPDX-License-Identifier: GPL-2.0-only
#include "indexes.h"

#include <fcntl.h>
#include <string.h>

#include "log.h"
#include "names.h"
#include "snapshot.h"

/* The table depfiles[] of kmod's tools/depmod.c, of all its versions. */
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

static bool is_output(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++)
		if (!strcmp(path, outputs[i].name))
			return true;
	return false;
}

enum clone_how indexes_how(const char *path)
{
	if (is_output(path))
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
	return faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
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

		if (has(to, name) || !names_has(&before, name))
			continue;
		if (outputs[i].always)
			return reason_set(reason, -EIO, "depmod did not write %s", name);
		ret = clone_copy(from, name, to, name);
		if (ret < 0)
			return reason_set(reason, ret, "%s: %s", name, strerror(-ret));
	}
	return 0;
}

int indexes_drop_new(int fd, const struct names *before)
{
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++)
		if (!names_has(before, outputs[i].name) &&
		    unlinkat(fd, outputs[i].name, 0) < 0 && errno != ENOENT)
			return -errno;
	return 0;
}
