/* SPDX-License-Identifier: GPL-2.0-only */
/* Directories that others may change meanwhile: paths below a root, and a lock. */
#pragma once

#include "base/util.h"

struct reason;

/*
 * Return true if the kernel has openat2(), of Linux 5.6, which everything here and
 * open_beneath() needs.
 */
bool root_works(void) _must_check_;

/*
 * Open @path below the canonical @root as if @root were "/": an absolute link starts at
 * @root, and ".." stops there. If @out is not NULL, *@out is set to the canonical path,
 * which the caller owns. Returns a descriptor that the caller owns, or -errno.
 */
int root_open(const char *root, const char *path, int flags, char **out) _must_check_
	_nonnull_(1, 2);

/*
 * Resolve @path below @root as root_open() does. On success *@out is the canonical path,
 * which the caller owns. Returns 0 or -errno.
 */
int root_resolve(const char *root, const char *path,
		 char **out) _must_check_ _nonnull_all_;

/*
 * Lock the directory @fd, called @path, until every copy of the descriptor is closed,
 * here and in the processes that inherited it. The lock is on the directory itself, not
 * on a lock file, so a refused run has written nothing. Anybody who may read the
 * directory can hold the lock: this says that it waits, and after five minutes it gives
 * up. Returns 0, or -errno with @reason filled in.
 */
int lock_take(int fd, const char *path, struct reason *reason) _must_check_ _nonnull_all_;

/* Return true if a process has locked the directory @fd. */
bool lock_is_taken(int fd);
