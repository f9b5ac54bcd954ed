/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Edit a directory that nobody else uses yet, and whose files may be hard links to those
 * of another directory: a file is replaced, never written to.
 *
 * Paths are relative to the directory @fd, and no component may be a link. A missing
 * parent directory of a new file is made, with mode 0755, and its path is added to @made
 * unless that is NULL. Each function returns 0 or -errno.
 */
#pragma once

#include "base/util.h"

/* Write @size bytes at @data to the file @path (mode 0644), replacing an existing one. */
int edit_write(int fd, const char *path, const char *data, size_t size,
	       struct strlist *made) _must_check_ _nonnull_(2);

/* Make the directory @path if it does not exist. */
int edit_make_directory(int fd, const char *path) _checked_;

/* Remove the file @path. */
int edit_remove(int fd, const char *path) _checked_;

/* Rename the file or symbolic link @path to @to_path, replacing an existing one. */
int edit_move(int fd, const char *path, const char *to_path) _checked_;

/*
 * Link the file or symbolic link @path in the directory @from to @to_path below @to, as
 * clone_file() does, replacing an existing one.
 */
int edit_copy(int from, const char *path, int to, const char *to_path) _checked_;

/*
 * Remove the directory @path if it is empty. Sets *@gone if it does not exist any more.
 */
int edit_prune(int fd, const char *path, bool *gone) _checked_;

/* Write the entries of the directory @fd to the disk. */
int edit_sync(int fd) _must_check_;
