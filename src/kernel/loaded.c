// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/loaded.h"

#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "fit/module.h"

static char *read_attribute(const char *name, const char *file)
{
	_cleanup_free_ char *path = strdup_printf("/sys/module/%s/%s", name, file);

	return path ? read_first_line(path) : NULL;
}

bool loaded_any(const char *name)
{
	_cleanup_free_ char *state = read_attribute(name, "initstate");

	/* A built-in module has a directory there too, but not this file. */
	return state != NULL;
}

bool loaded_live(const char *name)
{
	_cleanup_free_ char *state = read_attribute(name, "initstate");

	return state && !strcmp(state, "live");
}

/* Returns 1: equal; 0: different; -1: file or kernel has none. */
static int compare_srcversion(int fd, const char *path, const char *name)
{
	_cleanup_free_ char *loaded = read_attribute(name, "srcversion");
	_cleanup_(module_free) struct module mod = { 0 };
	struct reason ignored = { 0 };
	const char *own;

	if (!loaded || module_read_fd(&mod, path, fd, &ignored) < 0)
		return -1;
	own = module_info(&mod, "srcversion", 0);
	return own ? !strcmp(own, loaded) : -1;
}

/* Returns the same. The kernel shows the whole note, which is in the file as it is. */
static int compare_build_id(int fd, const char *name)
{
	_cleanup_free_ char *path =
		strdup_printf("/sys/module/%s/notes/.note.gnu.build-id", name);
	_cleanup_buf_ struct buf file = { 0 };
	struct reason ignored = { 0 };
	char note[SMALL_MAX_BYTES];
	ssize_t len = path ? read_small(path, note, sizeof(note)) : -1;

	if (len <= 0 || lseek(fd, 0, SEEK_SET) < 0 ||
	    read_fd(fd, MODULE_MAX_BYTES, &file, &ignored) < 0)
		return -1;
	return memmem(file.data, file.size, note, (size_t)len) != NULL;
}

enum loaded loaded_compare(int directory, const char *path)
{
	_cleanup_close_ int fd = open_beneath(directory, path, O_RDONLY);
	_cleanup_free_ char *name = module_name_of(path);
	int source, build;

	if (!name || !loaded_any(name))
		return LOADED_NONE;
	if (fd < 0)
		return LOADED_UNKNOWN;
	source = compare_srcversion(fd, path, name);
	build = compare_build_id(fd, name);
	if (source == 0 || build == 0)
		return LOADED_OTHER;
	return source > 0 || build > 0 ? LOADED_SAME : LOADED_UNKNOWN;
}
