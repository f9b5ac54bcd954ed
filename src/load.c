// SPDX-License-Identifier: GPL-2.0-only
#include "load.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "link.h"
#include "log.h"
#include "module.h"
#include "names.h"
#include "run.h"
#include "sys.h"

#define WIREGUARD "wireguard"
#define KMSG_MAX_BYTES 8192

/* The kernel's messages from now on. -1 where they cannot be read. */
static int open_kmsg(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* A record is "PRIORITY,NUMBER,TIME,FLAGS;text" and lines that start with a blank. */
static void print_kmsg(int fd)
{
	char record[KMSG_MAX_BYTES + 1];
	ssize_t len;

	/* EPIPE: some were overwritten, go on with the rest. */
	while (fd >= 0 && ((len = read(fd, record, KMSG_MAX_BYTES)) > 0 ||
			   (len < 0 && errno == EPIPE))) {
		char *text;

		if (len < 0)
			continue;
		record[len] = '\0';
		text = strchr(record, ';');
		if (!text)
			continue;
		text[strcspn(text, "\n")] = '\0';
		log_error("the kernel says: %s", text + 1);
	}
}

static int run_modprobe(void)
{
	char *const argv[] = { (char *)"modprobe", (char *)WIREGUARD, NULL };
	struct reason reason = { 0 };
	pid_t pid = -1;
	int ret = run_start(&pid, argv, NULL);

	if (ret < 0)
		reason_set(&reason, ret, "cannot run modprobe: %s", strerror(-ret));
	else
		ret = run_wait(pid, "modprobe", &reason);
	if (ret < 0)
		log_cannot(WIREGUARD, "%s", reason.text);
	return ret;
}

/* Whether everything that is loaded of @paths is what the files there are. */
static bool is_ours(int fd, const struct names *paths)
{
	bool ok = true, there = false;

	for (size_t i = 0; i < paths->count; i++) {
		const char *path = paths->items[i];
		_cleanup_free_ char *name = module_name_of(path);
		enum sys_loaded loaded = sys_compare(fd, path);

		there |= name && !strcmp(name, WIREGUARD) && loaded != SYS_ABSENT;
		if (loaded == SYS_ABSENT || loaded == SYS_SAME)
			continue;
		log_cannot(
			path,
			loaded == SYS_OTHER
				? "another module of its name is loaded; unload that, or "
				  "boot again"
				: "a module of its name is loaded, and nothing tells "
				  "whether it is this one");
		ok = false;
	}
	if (!there) {
		log_cannot(WIREGUARD, "modprobe did not load it");
		ok = false;
	}
	return ok;
}

static bool is_usable(void)
{
	int ret = link_try(WIREGUARD);

	if (ret < 0)
		log_cannot(WIREGUARD, "no interface of its kind can be made: %s",
			   strerror(-ret));
	return ret == 0;
}

static int list_loaded(const struct names *paths, struct names *out)
{
	for (size_t i = 0; i < paths->count; i++) {
		_cleanup_free_ char *name = module_name_of(paths->items[i]);

		if (!name || (sys_is_loaded(name) && names_add(out, name) < 0))
			return -ENOMEM;
	}
	return 0;
}

/* Users first: go over them as long as one goes. */
static void unload(const struct names *paths, const struct names *before)
{
	_cleanup_names_ struct names now = { 0 };
	bool progress = true;

	if (list_loaded(paths, &now) < 0)
		return;
	while (progress) {
		progress = false;
		for (size_t i = now.count; i-- > 0;) {
			if (!names_has(before, now.items[i]) &&
			    syscall(SYS_delete_module, now.items[i], O_NONBLOCK) < 0)
				continue;
			progress |= !names_has(before, now.items[i]);
			names_drop(&now, i);
		}
	}
	for (size_t i = 0; i < now.count; i++)
		log_error("module '%s' cannot be unloaded, and stays until the next boot",
			  now.items[i]);
}

enum exit_code load_modules(int fd, const struct names *paths)
{
	_cleanup_names_ struct names before = { 0 };
	_cleanup_close_ int kmsg = -1;

	if (list_loaded(paths, &before) < 0) {
		log_error("%s", strerror(ENOMEM));
		return EXIT_UNLOADED;
	}
	kmsg = open_kmsg();
	if (run_modprobe() == 0 && is_ours(fd, paths) && is_usable())
		return EXIT_DONE;
	print_kmsg(kmsg);
	unload(paths, &before);
	return EXIT_UNLOADED;
}
