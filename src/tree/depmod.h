/* SPDX-License-Identifier: GPL-2.0-only */
/* Run depmod. */
#pragma once

#include <sys/types.h>

#include "base/util.h"

struct host;
struct reason;

/* One that runs. */
struct depmod {
	pid_t pid;
	int words_fd; /* what it prints */
};

/*
 * Start "depmod -b BASE" for @host's kernel, with the configuration of its root. It
 * inherits the host's lock: should we be killed, nobody gets that before depmod is gone.
 * Returns 0, and then depmod_end() has to follow, or -errno with @reason filled in.
 */
int depmod_start(struct depmod *depmod, const struct host *host, const char *base,
		 struct reason *reason) _must_check_ _nonnull_all_;

/*
 * Pass on what it prints, and wait for its end, once. Returns 0, or -errno with @reason filled
 * in: it failed, or reported an error. What it wrote is another question: it exits with 0
 * having written nothing, for example when it may not.
 */
int depmod_end(const struct depmod *depmod,
	       struct reason *reason) _must_check_ _nonnull_all_;
