/* SPDX-License-Identifier: GPL-2.0-only */
/* What every file needs: attributes, cleanup at the end of a scope, the exit status. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define _must_check_ __attribute__((warn_unused_result))
#define _nonnull_all_ __attribute__((nonnull))
#define _nonnull_(...) __attribute__((nonnull(__VA_ARGS__)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _cleanup_(func) __attribute__((cleanup(func)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The exit status; exit_meanings[] in options.c has the text of each. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_WRONG_KERNEL = 3,
	EXIT_FOUND = 3, /* doctor: a cause; guard: a kernel without WireGuard */
	EXIT_UNTRUSTED = 4,
	EXIT_NOT_LOADED = 5,
};

static inline void free_pointer(void *p)
{
	free(*(void **)p);
}

/* Close *@fd, and keep errno, which the caller often has still to report. */
static inline void close_fd(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

#define _cleanup_free_ _cleanup_(free_pointer)
#define _cleanup_close_ _cleanup_(close_fd)

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Return @fd, and set it to -1: the end of the scope does not close it. */
#define TAKE_FD(fd) take_fd(&(fd))
