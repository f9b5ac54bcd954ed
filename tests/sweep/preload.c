// SPDX-License-Identifier: GPL-2.0-only
/*
 * LD_PRELOAD for a wgkmod that believes it is on another system: the kernel's release is
 * $FAKE_RELEASE, and unloading a module takes its directory out of /sys/module, unless it
 * holds a file "permanent". What kernel.modules_disabled is, /fake/modules_disabled says, and what a keyring holds,
 * /fake/ring-SERIAL. With $FAKE_NO_EXCHANGE no file system can exchange two names. The
 * commands $FAKE_BEFORE and $FAKE_AFTER run right before and after the first exchange of
 * the kernel's directory, and $FAKE_MADE right after the first directory $FAKE_MADE_NAME
 * was made.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static long real_syscall(long number, ...)
{
	static long (*real)(long number, ...);
	va_list args;
	long a[5];

	va_start(args, number);
	for (int i = 0; i < 5; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (!real)
		real = dlsym(RTLD_NEXT, "syscall");
	return real(number, a[0], a[1], a[2], a[3], a[4]);
}

/* A kernel without modules does not even have the file. */
int open(const char *path, int flags, ...)
{
	static int (*real)(const char *path, int flags, ...);
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	if (!real)
		real = dlsym(RTLD_NEXT, "open");
	if (!strcmp(path, "/proc/sys/kernel/modules_disabled"))
		path = "/fake/modules_disabled";
	return real(path, flags, mode);
}

int uname(struct utsname *uts)
{
	memset(uts, 0, sizeof(*uts));
	if (!getenv("FAKE_RELEASE"))
		return -1;
	snprintf(uts->release, sizeof(uts->release), "%s", getenv("FAKE_RELEASE"));
	return 0;
}

/* A command of the environment, without this library. */
static void run_once(const char *name)
{
	const char *command = getenv(name);
	int saved = errno;

	if (command) {
		unsetenv("LD_PRELOAD");
		if (system(command) != 0)
			abort();
		unsetenv(name);
	}
	errno = saved;
}

/* A file system that cannot exchange; or somebody else, right before and after it does. */
int renameat2(int from, const char *name, int to, const char *to_name, unsigned int flags)
{
	int ret;

	if (flags == RENAME_EXCHANGE && getenv("FAKE_NO_EXCHANGE")) {
		errno = EINVAL;
		return -1;
	}
	if (flags != RENAME_EXCHANGE || strncmp(name, ".wgkmod-", 8) != 0)
		return (int)real_syscall(SYS_renameat2, from, name, to, to_name, flags);
	run_once("FAKE_BEFORE");
	ret = (int)real_syscall(SYS_renameat2, from, name, to, to_name, flags);
	run_once("FAKE_AFTER");
	return ret;
}

/* Somebody else, right after a directory was made. */
int mkdirat(int dir, const char *name, mode_t mode)
{
	const char *made = getenv("FAKE_MADE_NAME");
	int ret = (int)real_syscall(SYS_mkdirat, dir, name, mode);
	const char *slash = strrchr(name, '/');

	if (ret == 0 && made && !strcmp(slash ? slash + 1 : name, made))
		run_once("FAKE_MADE");
	return ret;
}

static long delete_module(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "/sys/module/%s/permanent", name);
	if (access(path, F_OK) == 0) {
		errno = EBUSY;
		return -1;
	}
	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return rename(path, "/tmp/unloaded") < 0 ||
	       snprintf(path, sizeof(path), "rm -r /tmp/unloaded") < 0 || system(path);
}

/* keyctl(KEYCTL_READ, serial, buffer, room): how much there is, and as much as fits. */
static long read_keyring(int serial, void *out, size_t room)
{
	char path[64];
	ssize_t got;
	off_t size;
	int fd;

	snprintf(path, sizeof(path), "/fake/ring-%d", serial);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	size = lseek(fd, 0, SEEK_END);
	got = out ? pread(fd, out, room, 0) : 0;
	close(fd);
	return got < 0 ? -1 : size;
}

long syscall(long number, ...)
{
	va_list args;
	long a[5];

	va_start(args, number);
	for (int i = 0; i < 5; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_delete_module)
		return delete_module((const char *)a[0]);
	if (number == SYS_keyctl && a[0] == KEYCTL_READ)
		return read_keyring((int)a[1], (void *)a[2], (size_t)a[3]);
	return real_syscall(number, a[0], a[1], a[2], a[3], a[4]);
}
