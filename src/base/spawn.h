/* SPDX-License-Identifier: GPL-2.0-only */
/* Run another program of the system, depmod or modprobe, and wait for a process. */
#pragma once

#include <spawn.h>

#include "base/util.h"

struct reason;

/*
 * Start the program @argv, found by PATH, or else in /usr/sbin or /sbin, which the PATH
 * of su may leave out. Its signals have their default handling, so that a program that
 * hangs can be ended. @files may be NULL. Returns 0 or -errno.
 */
int spawn_start(pid_t *pid, char *const argv[],
		const posix_spawn_file_actions_t *files) _must_check_ _nonnull_(1, 2);

/*
 * Wait for the process @pid, which messages call @name. Returns 0 if it exited with
 * status 0, or -errno with @reason filled in.
 */
int spawn_wait(pid_t pid, const char *name,
	       struct reason *reason) _must_check_ _nonnull_all_;
