/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading whole files once, and opening paths without ever following a link. */
#pragma once

#include "util.h"

struct reason;

/* The bytes of a file. @data is owned, and followed by one NUL that @size leaves out. */
struct buf {
	char *data;
	size_t size;
};

void buf_free(struct buf *buf);
#define _cleanup_buf_ _cleanup_(buf_free)

/*
 * Open @path, relative and below @dirfd, with @flags. No component may be a link, empty,
 * "." or "..". Returns a descriptor the caller owns, or -errno (-ELOOP or -ENOTDIR for
 * a link, -EINVAL for a path of that kind).
 */
int open_beneath(int dirfd, const char *path, int flags) _must_check_ _nonnull_(2);

/*
 * Open the folder that holds @path below @dirfd, as open_beneath(). *@base is set to
 * the last component, inside @path. Returns a descriptor the caller owns, or -errno.
 */
int open_parent(int dirfd, const char *path, const char **base) _must_check_
	_nonnull_(2, 3);

/*
 * Read the regular file @fd whole into @out, at most @max bytes. Returns 0, or -errno
 * with @reason filled in (-EFBIG when larger, -EINVAL when not a regular file).
 */
int read_fd(int fd, size_t max, struct buf *out, struct reason *reason) _must_check_
	_nonnull_(3, 4);

/* The same for a path the user named: links are followed. -errno of open() as well. */
int read_path(const char *path, size_t max, struct buf *out,
	      struct reason *reason) _must_check_ _nonnull_(1, 3, 4);

/* Write all of @data to @fd. Returns 0 or -errno. */
int write_all(int fd, const char *data, size_t size) _must_check_ _nonnull_(2);
