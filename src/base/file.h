/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading whole files once, and opening paths without ever following a link. */
#pragma once

#include "base/util.h"

struct reason;

/* The bytes of a file. @data is owned, and followed by one NUL that @size leaves out. */
struct buf {
	char *data;
	size_t size;
};

/*
 * Whether -errno @err tells of a system that could not (no memory, a broken disk, no
 * right), and not of what it was to read: that is missing, malformed, too large or of
 * another kind.
 */
bool is_system_error(int err) _must_check_;

void buf_free(struct buf *buf);
#define _cleanup_buf_ _cleanup_(buf_free)

/*
 * Open @path, relative and below @dirfd, with @flags. No component may be a link, empty,
 * "." or "..". Returns a descriptor the caller owns, or -errno (-ELOOP or -ENOTDIR for
 * a link, -EINVAL for a path of that kind).
 */
int open_beneath(int dirfd, const char *path, int flags) _must_check_ _nonnull_all_;

/*
 * Open the directory that holds @path below @dirfd, as open_beneath(). *@base is set to
 * the last component, inside @path. Returns a descriptor the caller owns, or -errno.
 */
int open_parent(int dirfd, const char *path,
		const char **base) _must_check_ _nonnull_all_;

/*
 * Read the regular file @fd whole into @out, at most @max bytes. Returns 0, or -errno
 * with @reason filled in (-EFBIG when larger, -EINVAL when not a regular file).
 */
int read_fd(int fd, size_t max, struct buf *out,
	    struct reason *reason) _must_check_ _nonnull_all_;

/* The same for @path, relative and below @dirfd, as open_beneath() opens it. */
int read_beneath(int dirfd, const char *path, size_t max, struct buf *out,
		 struct reason *reason) _must_check_ _nonnull_all_;

/* The same for a path the user named: links are followed. -errno of open() as well. */
int read_path(const char *path, size_t max, struct buf *out,
	      struct reason *reason) _must_check_ _nonnull_all_;

/*
 * Open @path, relative to @dirfd, to be read by read_guarded(). Its last component may be
 * no link. Returns a descriptor the caller owns, or with @reason filled in -errno;
 * -EBADMSG for a link.
 */
int open_guarded(int dirfd, const char *path,
		 struct reason *reason) _must_check_ _nonnull_all_;

/*
 * As read_fd(), but of a file whose content is trusted for who could write it: when run
 * as root, it has to belong to root or to the caller (by sudo's word too), and nobody
 * else may write to it. Returns 0, or -errno with @reason filled in: -EBADMSG for a file
 * that is not so, not regular, or too large.
 */
int read_guarded(int fd, size_t max, struct buf *out,
		 struct reason *reason) _must_check_ _nonnull_all_;

/* What read_guarded() asks of a file's owner and mode, for a directory of such files. */
int check_guarded(int fd, struct reason *reason) _must_check_ _nonnull_all_;

/* Write all of @data to @fd. Returns 0 or -errno. */
int write_all(int fd, const char *data, size_t size) _must_check_ _nonnull_all_;

/* No file of sysfs or procfs that is read here is larger. */
#define SMALL_MAX_BYTES 4096

/*
 * Read the start of the file @path of sysfs or procfs, at most @room bytes, into @out:
 * unlike read_path(), does not ask for its size, which sysfs does not tell. Returns how
 * many bytes were read, or -1.
 */
ssize_t read_small(const char *path, char *out, size_t room) _must_check_ _nonnull_all_;

/* Return the first line of such a file, owned by the caller, or NULL. */
char *read_first_line(const char *path) _must_check_ _nonnull_all_;
