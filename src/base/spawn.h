/* SPDX-License-Identifier: GPL-2.0-only */
/* Running another program of the system, depmod or modprobe, and waiting for a process. */
#pragma once

#include <spawn.h>

#include "base/util.h"

struct reason;

/*
 * Start @argv by PATH, else from /usr/sbin or /sbin: PATH, for example that of su, may
 * leave them out. The signals that we hold back or ignore are as usual for it: one that
 * hangs may be ended. @files may be NULL. Returns 0 or -errno.
 */
int spawn_start(pid_t *pid, char *const argv[],
		const posix_spawn_file_actions_t *files) _must_check_ _nonnull_(1, 2);

/*
 * Wait for @pid, which messages call @name. Returns 0 when it exited with 0, or -errno
 * with @reason filled in.
 */
int spawn_wait(pid_t pid, const char *name,
	       struct reason *reason) _must_check_ _nonnull_all_;
