/* SPDX-License-Identifier: GPL-2.0-only */
/* Run another program of the system, depmod or modprobe, and wait for a process. */
#pragma once

#include <spawn.h>

#include "base/util.h"

struct reason;

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
