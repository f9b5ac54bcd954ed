/* SPDX-License-Identifier: GPL-2.0-only */
/* What every file needs: attributes, cleanup at the end of a scope, common structs. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct buf;
struct host;
struct reason;
struct strlist;
struct sums;

#define _must_check_ __attribute__((warn_unused_result))
#define _nonnull_all_ __attribute__((nonnull))
/* A result to be used, of arguments that are not NULL. */
#define _checked_ _must_check_ _nonnull_all_
#define _nonnull_(...) __attribute__((nonnull(__VA_ARGS__)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _cleanup_(func) __attribute__((cleanup(func)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

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

/*
 * Return the array @items of @count items of @size bytes with room for one more, which is
 * full at each power of two; or NULL without memory, and then @items is still there.
 */
static inline void *grow(void *items, size_t count, size_t size)
{
	if (count & (count - 1))
		return items;
	return reallocarray(items, count ? 2 * count : 1, size);
}

/* Return true if @text ends with @suffix, and has something before it. */
static inline bool ends_with(const char *text, const char *suffix)
{
	size_t len = strlen(text), tail = strlen(suffix);

	return len > tail && !strcmp(text + len - tail, suffix);
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
