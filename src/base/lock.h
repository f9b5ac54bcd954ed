/* SPDX-License-Identifier: GPL-2.0-only */
/* A lock that lets one process at a time change a directory. */
#pragma once

#include "base/util.h"

struct reason;

/*
 * Lock the directory @fd, called @path, until every copy of the descriptor is closed,
 * here and in the processes that inherited it. The lock is on the directory itself, not
 * on a lock file, so a refused run has written nothing. Anybody who may read the
 * directory can hold the lock: while this waits, it prints for whom, and after five
 * minutes it gives up. Returns 0, or -errno with @reason filled in.
 */
int lock_take(int fd, const char *path, struct reason *reason) _must_check_ _nonnull_all_;

/* Return true if a process has locked the directory @fd. */
bool lock_is_taken(int fd);
