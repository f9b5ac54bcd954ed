/* SPDX-License-Identifier: GPL-2.0-only */
/* Run another program of the system, depmod or modprobe. */
#pragma once

#include <signal.h>

#include "base/util.h"

/* Return true if the program @name is in one of the directories of the fixed PATH. */
bool spawn_finds(const char *name) _checked_;

/*
 * Run the program @argv, found in the directories of a fixed PATH, and wait for its end.
 * It gets that PATH and LC_ALL=C as its whole environment, no file but the standard ones
 * and @keep_fd (-1: none), with which it inherits a lock, and the default handling of
 * signals. @out gets what it wrote to standard output and standard error, and a NUL; call
 * buf_free() in either case. Returns 0 if it exited with status 0, or -errno with @reason
 * filled in: -EIO if it failed, -EINTR if one of spawn_ending_signals() is blocked and
 * arrives, -ETIMEDOUT if the program takes longer than five minutes. It is killed then,
 * with its whole process group.
 */
int spawn_collect(char *const argv[], int keep_fd, struct buf *out,
		  struct reason *reason) _checked_;

/* Get the signals with which a user ends a program. */
void spawn_ending_signals(sigset_t *set) _nonnull_all_;
