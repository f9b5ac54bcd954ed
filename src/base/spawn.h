/* SPDX-License-Identifier: GPL-2.0-only */
/* Run another program of the system, depmod or modprobe, and wait for a process. */
#pragma once

#include <signal.h>
#include <spawn.h>

#include "base/util.h"

struct buf;
struct reason;

/* Return true if the program @name is in one of the directories of the fixed PATH. */
bool spawn_finds(const char *name) _must_check_ _nonnull_all_;

/*
 * Start the program @argv, found in the directories of a fixed PATH. It gets that PATH and
 * LC_ALL=C as its whole environment, no file beyond those of @files (may be NULL) and the
 * standard ones, and the default handling of signals, so that a program that hangs can be
 * ended. Returns 0 or -errno.
 */
int spawn_start(pid_t *pid, char *const argv[],
		const posix_spawn_file_actions_t *files) _must_check_ _nonnull_(1, 2);

/*
 * Wait for the process @pid, which messages call @name. Returns 0 if it exited with
 * status 0, or -errno with @reason filled in.
 */
int spawn_wait(pid_t pid, const char *name,
	       struct reason *reason) _must_check_ _nonnull_all_;

/*
 * Start @argv as spawn_start() does, in a process group of its own, and wait for its end.
 * @out gets what it wrote to standard output and standard error, with a NUL behind it;
 * call buf_free() in either case. The program inherits @keep_fd (-1: no descriptor), and
 * with it a lock. Returns 0 if it exited with status 0, or -errno with @reason filled in:
 * -EINTR if one of spawn_ending_signals() is blocked and arrives, -ETIMEDOUT if the
 * program takes longer than five minutes. It is killed then, with its whole group.
 */
int spawn_collect(char *const argv[], int keep_fd, struct buf *out,
		  struct reason *reason) _must_check_ _nonnull_all_;

/* Get the signals with which a user ends a program. */
void spawn_ending_signals(sigset_t *set) _nonnull_all_;
