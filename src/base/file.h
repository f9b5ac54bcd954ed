/* SPDX-License-Identifier: GPL-2.0-only */
/* Read whole files once, and open paths without following a link. */
#pragma once

#include <dirent.h>

#include "base/util.h"

/* The bytes of a file. @data is owned; a NUL follows it, which @size does not count. */
struct buf {
	char *data;
	size_t size;
};

/* Bytes that somebody else owns. */
struct slice {
	const char *data;
	size_t size;
};

/*
 * Return true if the error @err (-errno) means that the system failed (no memory, a
 * broken disk, no permission), and false if the file is at fault: missing, malformed, too
 * large or of another kind.
 */
bool is_system_error(int err) _must_check_;

/* Return @err if the system failed, 0 for 0, and -EBADMSG if the file is at fault. */
int file_error(int err) _must_check_;

/*
 * Return the graver of two results, of which a verb reports one: -EBADMSG, then -ENOEXEC,
 * then any other error, then 0.
 */
int graver_error(int a, int b) _must_check_;

void buf_free(struct buf *buf);
#define _cleanup_buf_ _cleanup_(buf_free)

void close_directory(DIR **dir);
#define _cleanup_dir_ _cleanup_(close_directory)

/*
 * Open the directory @fd, which the result or the error owns, to list it. Returns NULL
 * with errno set, also if @fd is -errno.
 */
DIR *list_directory(int fd) _must_check_;

/*
 * Return the next entry of @dir that is not "." or "..", or NULL with errno set, which is
 * 0 at the end.
 */
const struct dirent *next_entry(DIR *dir) _checked_;

/*
 * List the names in @dir, sorted. Returns 0 or -errno; call strlist_free() in either
 * case.
 */
int read_names(DIR *dir, struct strlist *names) _checked_;

/*
 * Open @path, relative to the directory @dirfd, with @flags, by openat2(), under the
 * rules @resolve of linux/openat2.h. Returns a descriptor that the caller owns, or
 * -errno.
 */
int open_resolved(int dirfd, const char *path, int flags,
		  unsigned long long resolve) _checked_;

/*
 * Open @path, relative to the directory @dirfd, with @flags. No component may be a link,
 * empty, "." or "..". Returns a descriptor that the caller owns, or -errno: -ELOOP for a
 * link, -EINVAL for such a path.
 */
int open_beneath(int dirfd, const char *path, int flags) _checked_;

/*
 * Open the directory that holds @path, under the rules of open_beneath(), and set *@base
 * to the last component, inside @path. Returns a descriptor that the caller owns, or
 * -errno.
 */
int open_parent(int dirfd, const char *path, const char **base) _checked_;

/*
 * Read the regular file @fd whole into @out, at most @max bytes. Returns 0, or -errno
 * with @reason filled in: -EFBIG for a larger file, -EINVAL for one that is not regular.
 */
int read_fd(int fd, size_t max, struct buf *out, struct reason *reason) _checked_;

/* Open @path as open_beneath() does, and read it as read_fd() does. */
int read_beneath(int dirfd, const char *path, size_t max, struct buf *out,
		 struct reason *reason) _checked_;

/* Open @path, which the user named, following links, and read it as read_fd() does. */
int read_path(const char *path, size_t max, struct buf *out,
	      struct reason *reason) _checked_;

/*
 * Open @path, relative to @dirfd, for read_guarded(). Its last component may not be a
 * link. Returns a descriptor that the caller owns, or -errno with @reason filled in:
 * -EBADMSG for a link.
 */
int open_guarded(int dirfd, const char *path, struct reason *reason) _checked_;

/*
 * Read @fd as read_fd() does, but refuse a file that the wrong user could have written:
 * when run as root, the file must belong to root or to the caller (under sudo: SUDO_UID),
 * and nobody else may have write access. Returns 0, or -errno with @reason filled in:
 * -EBADMSG for a file that breaks this rule, is not regular, or is too large.
 */
int read_guarded(int fd, size_t max, struct buf *out, struct reason *reason) _checked_;

/*
 * Apply the rule of read_guarded() to the directory @fd. Returns 0, -EBADMSG or -errno.
 */
int check_guarded(int fd, struct reason *reason) _checked_;

/*
 * Call @use with each line of @text, which has @size bytes and a NUL after them; the NUL
 * of a line replaces its newline. Stops at the first result that is not 0. Returns 0, or
 * with @reason filled in that result or -EBADMSG: for a NUL byte in @text, or a last line
 * without a newline. @reason starts with the number of the line.
 */
typedef int (*line_fn)(char *line, void *arg, struct reason *reason);
int each_line(char *text, size_t size, line_fn use, void *arg,
	      struct reason *reason) _checked_;

/* Return the number of lines in @text, which has @size bytes. */
size_t count_lines(const char *text, size_t size) _checked_;

/* Write all of @data to @fd. Returns 0 or -errno. */
int write_all(int fd, const char *data, size_t size) _checked_;

/* The largest file of sysfs or procfs that is read here. */
#define SMALL_MAX_BYTES 4096

/*
 * Read the start of the file @path of sysfs or procfs, at most @room bytes, into @out,
 * without asking for its size, which sysfs does not tell. Returns the number of bytes, or
 * -1.
 */
ssize_t read_small(const char *path, char *out, size_t room) _checked_;

/* Return the first line of such a file, owned by the caller, or NULL. */
char *read_first_line(const char *path) _checked_;
