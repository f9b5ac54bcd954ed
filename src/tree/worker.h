/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A second process of ours that does a part of the work meanwhile. Thousands of calls of
 * the file system take two processors half the time.
 *
 * It has what we had open, the host's lock among it: should we be killed, nobody gets that
 * before it is through.
 */
#pragma once

#include <sys/types.h>

#include "base/util.h"

struct reason;

/* Returns 0, or -errno with @reason filled in. */
typedef int (*worker_fn)(const void *arg, struct reason *reason);

struct worker {
	worker_fn work;
	const void *arg; /* borrowed */
	pid_t pid;	 /* 0: there is none, worker_end() does the work itself */
	struct worker_result *result;
};

/* Start @work on @arg; it must leave alone what the caller works on until worker_end(). */
void worker_start(struct worker *worker, worker_fn work, const void *arg) _nonnull_(1, 2);

/*
 * Wait until the work is done. Returns what it returned, with its @reason; or -EIO when
 * the process was killed: then what it did is half done.
 */
int worker_end(struct worker *worker, struct reason *reason) _must_check_ _nonnull_all_;
