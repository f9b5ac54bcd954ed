// SPDX-License-Identifier: GPL-2.0-only
#include "sys.h"

#include <fcntl.h>
#include <string.h>

#include "file.h"
#include "log.h"
#include "module.h"

#define SYS_MAX_BYTES 4096

/* All of a small file: not read_path(), as sysfs does not tell the size of a text. */
static ssize_t read_bytes(const char *path, char *out, size_t room)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : read(fd, out, room);
}

char *sys_read(const char *path)
{
	char text[SYS_MAX_BYTES];
	ssize_t len = read_bytes(path, text, sizeof(text) - 1);

	if (len < 0)
		return NULL;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return strdup(text);
}

static char *read_attribute(const char *name, const char *file)
{
	_cleanup_free_ char *path = text_printf("/sys/module/%s/%s", name, file);

	return path ? sys_read(path) : NULL;
}

bool sys_is_loaded(const char *name)
{
	_cleanup_free_ char *state = read_attribute(name, "initstate");

	/* A built-in one has a folder there as well, and no such file. */
	return state != NULL;
}

/* 1: the same; 0: another; -1: one of the two does not have it. */
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

/* The kernel shows the whole note, which is in the file as it is. */
static int compare_build_id(int fd, const char *name)
{
	_cleanup_free_ char *path =
		text_printf("/sys/module/%s/notes/.note.gnu.build-id", name);
	_cleanup_buf_ struct buf file = { 0 };
	struct reason ignored = { 0 };
	char note[SYS_MAX_BYTES];
	ssize_t len = path ? read_bytes(path, note, sizeof(note)) : -1;

	if (len <= 0 || lseek(fd, 0, SEEK_SET) < 0 ||
	    read_fd(fd, MODULE_MAX_BYTES, &file, &ignored) < 0)
		return -1;
	return memmem(file.data, file.size, note, (size_t)len) != NULL;
}

enum sys_loaded sys_compare(int folder, const char *path)
{
	_cleanup_close_ int fd = open_beneath(folder, path, O_RDONLY);
	_cleanup_free_ char *name = module_name_of(path);
	int source, build;

	if (!name || !sys_is_loaded(name))
		return SYS_ABSENT;
	if (fd < 0)
		return SYS_INCOMPARABLE;
	source = compare_srcversion(fd, path, name);
	build = compare_build_id(fd, name);
	if (source == 0 || build == 0)
		return SYS_OTHER;
	return source > 0 || build > 0 ? SYS_SAME : SYS_INCOMPARABLE;
}
