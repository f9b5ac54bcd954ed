/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes to a directory that nobody else uses yet, and whose files may be hard links to
 * those of another: a file is replaced, never written into.
 *
 * Paths are relative to the directory @fd, and no component may be a link. Missing directories
 * on the way to what is made are made (mode 0755), and their paths added to @made, where
 * that is not NULL. Each function returns 0 or -errno.
 */
#pragma once

#include "base/util.h"

struct strlist;

/* Put @size bytes at @data into the file @path (mode 0644), replacing one there. */
int edit_write(int fd, const char *path, const char *data, size_t size,
	       struct strlist *made) _must_check_ _nonnull_(2);

/* Make the directory @path, if it is not there. */
int edit_make_directory(int fd, const char *path, struct strlist *made) _must_check_
	_nonnull_(2);

/* Take the file @path away. */
int edit_remove(int fd, const char *path) _must_check_ _nonnull_all_;

/*
 * Move the file or symbolic link @path of the directory @from to @to_path below @to, as
 * clone_file(), replacing one there.
 */
int edit_move(int from, const char *path, int to, const char *to_path,
	      struct strlist *made) _must_check_ _nonnull_(2, 4);

/* Take the directory @path away if it is empty; sets *@gone, also when it was not there. */
int edit_prune(int fd, const char *path, bool *gone) _must_check_ _nonnull_all_;

/* Have the names that are in the directory @fd on the disk. */
int edit_sync(int fd) _must_check_;
