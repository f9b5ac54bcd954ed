// SPDX-License-Identifier: GPL-2.0-only
/*
 * LD_PRELOAD for a wgkmod under valgrind, which before 3.21 does not know openat2(): the two
 * ways in which wgkmod calls it, by older system calls. They could be raced, and are for a
 * test that looks at memory alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_LINKS 40

/* RESOLVE_NO_SYMLINKS: step by step, without following a link. */
static int open_plain(int dirfd, const char *path, int flags)
{
	int at = openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	while (at >= 0 && *path) {
		size_t len = strcspn(path, "/");
		int last = !path[len], next;
		char name[PATH_MAX];
		struct stat st;

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		path += len + (path[len] == '/');
		if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISLNK(st.st_mode)) {
			close(at);
			errno = ELOOP;
			return -1;
		}
		next = openat(at, name,
			      last ? flags | O_NOFOLLOW
				   : O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
	return at;
}

/* RESOLVE_IN_ROOT: each link is followed here, and an absolute one starts at the root. */
static int open_in_root(int top, const char *path, int flags)
{
	char root[PATH_MAX] = "", done[PATH_MAX] = "", rest[PATH_MAX], full[3 * PATH_MAX];
	char link[2 * PATH_MAX], name[NAME_MAX + 1];
	size_t used = 0;
	int links = 0;
	ssize_t len;

	snprintf(full, sizeof(full), "/proc/self/fd/%d", top);
	if (top != AT_FDCWD && readlink(full, root, sizeof(root) - 1) < 0)
		return -1;
	if (!strcmp(root, "/"))
		root[0] = '\0';
	snprintf(rest, sizeof(rest), "%s", path);
	while (*rest) {
		size_t size = strcspn(rest, "/");
		char *slash = strrchr(done, '/');

		snprintf(name, sizeof(name), "%.*s", (int)size, rest);
		memmove(rest, rest + size + (rest[size] == '/'),
			strlen(rest + size + (rest[size] == '/')) + 1);
		if (!strcmp(name, "..") && slash)
			*slash = '\0';
		if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		snprintf(full, sizeof(full), "%s%s/%s", root, done, name);
		len = readlink(full, link, PATH_MAX - 1);
		if (len < 0 && errno != EINVAL)
			return -1;
		if (len < 0) {
			used = strlen(done);
			if (used + 1 + strlen(name) >= sizeof(done)) {
				errno = ENAMETOOLONG;
				return -1;
			}
			done[used] = '/';
			memcpy(done + used + 1, name, strlen(name) + 1);
			continue;
		}
		if (++links > MAX_LINKS) {
			errno = ELOOP;
			return -1;
		}
		if (link[0] == '/')
			done[0] = '\0';
		snprintf(link + len, sizeof(link) - (size_t)len, "/%s", rest);
		snprintf(rest, sizeof(rest), "%.*s", PATH_MAX - 1, link);
	}
	snprintf(full, sizeof(full), "%s%s", root, *done || *root ? done : "/");
	return open(full, flags);
}

long syscall(long number, ...)
{
	static long (*real)(long number, ...);
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == __NR_openat2) {
		const struct open_how *how = (const void *)a[2];

		return how->resolve & RESOLVE_IN_ROOT
			       ? open_in_root((int)a[0], (const char *)a[1],
					      (int)how->flags)
			       : open_plain((int)a[0], (const char *)a[1],
					    (int)how->flags);
	}
	if (!real)
		real = dlsym(RTLD_NEXT, "syscall");
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
