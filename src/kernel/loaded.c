// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/loaded.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/file.h"
#include "base/log.h"
#include "base/spawn.h"
#include "base/strlist.h"
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

int kmsg_open(bool from_now)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && from_now)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* A record is "PRIORITY,NUMBER,TIME,FLAGS;text", then lines that start with a blank. */
const char *kmsg_next(int fd, char record[static KMSG_BYTES], long long *time)
{
	ssize_t len;

	/* EPIPE: records were overwritten; continue with the rest. */
	while ((len = read(fd, record, KMSG_BYTES - 1)) > 0 ||
	       (len < 0 && errno == EPIPE)) {
		char *text;

		record[len < 0 ? 0 : len] = '\0';
		text = strchr(record, ';');
		if (!text || sscanf(record, "%*u,%*u,%lld,", time) != 1)
			continue;
		text[strcspn(text, "\n")] = '\0';
		return text + 1;
	}
	return NULL;
}

static void print_kmsg(int fd)
{
	char record[KMSG_BYTES];
	const char *text;
	long long time;

	while ((text = kmsg_next(fd, record, &time)))
		log_error("the kernel says: %s", text);
}

static int run_modprobe(void)
{
	char *const argv[] = { (char *)"modprobe", (char *)WIREGUARD, NULL };
	_cleanup_buf_ struct buf output = { 0 };
	struct reason reason = { 0 };
	int ret = spawn_collect(argv, -1, &output, &reason);
	char *cursor = output.data, *line;

	while ((line = strsep(&cursor, "\n")))
		if (*line)
			log_words(line);
	return log_reason(WIREGUARD, ret, &reason);
}

/* Check that each loaded module of @paths comes from its file. */
static bool is_ours(int fd, const struct strlist *paths)
{
	bool ok = true, there = false;

	for (size_t i = 0; i < paths->count; i++) {
		const char *path = paths->items[i];
		_cleanup_free_ char *name = module_name_of(path);
		enum loaded loaded = loaded_compare(fd, path);

		there |= name && !strcmp(name, WIREGUARD) && loaded != LOADED_NONE;
		if (loaded == LOADED_NONE || loaded == LOADED_SAME)
			continue;
		log_failure(path, loaded == LOADED_OTHER
					  ? "another module of that name is loaded; "
					    "unload it, or reboot"
					  : "a module of that name is loaded, and "
					    "nothing shows whether it is this one");
		ok = false;
	}
	if (!there) {
		log_failure(WIREGUARD, "modprobe did not load it");
		ok = false;
	}
	return ok;
}

static int list_loaded(const struct strlist *paths, struct strlist *out)
{
	for (size_t i = 0; i < paths->count; i++) {
		_cleanup_free_ char *name = module_name_of(paths->items[i]);

		if (!name || (loaded_any(name) && strlist_add(out, name) < 0))
			return -ENOMEM;
	}
	return 0;
}

/* A module with users cannot be unloaded: repeat while any module goes. */
static void unload(const struct strlist *paths, const struct strlist *before)
{
	_cleanup_strlist_ struct strlist now = { 0 };
	bool progress = true;

	if (list_loaded(paths, &now) < 0)
		return;
	while (progress) {
		progress = false;
		for (size_t i = now.count; i-- > 0;) {
			if (!strlist_has(before, now.items[i]) &&
			    syscall(SYS_delete_module, now.items[i], O_NONBLOCK) < 0)
				continue;
			progress |= !strlist_has(before, now.items[i]);
			strlist_drop(&now, i);
		}
	}
	for (size_t i = 0; i < now.count; i++)
		log_error("module '%s' cannot be unloaded, and stays until the next boot",
			  now.items[i]);
}

int modprobe_load(int fd, const struct strlist *paths)
{
	_cleanup_strlist_ struct strlist before = { 0 };
	_cleanup_close_ int kmsg = kmsg_open(true);

	if (list_loaded(paths, &before) < 0) {
		log_no_memory();
		return -EIO;
	}
	if (run_modprobe() == 0 && is_ours(fd, paths)) {
		/* Its init has succeeded, which registers the kind of interface. */
		if (loaded_live(WIREGUARD))
			return 0;
		log_failure(WIREGUARD, "it is loaded, but not live");
	}
	print_kmsg(kmsg);
	unload(paths, &before);
	return -EIO;
}
