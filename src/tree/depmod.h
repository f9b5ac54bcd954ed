/* SPDX-License-Identifier: GPL-2.0-only */
/* Run depmod. */
#pragma once

#include <sys/types.h>

#include "base/util.h"

struct host;
struct reason;

/* A depmod that is running. */
struct depmod {
	pid_t pid;
	int words_fd; /* its output */
};

/*
 * Start "depmod -b BASE" for the kernel of @host, with the configuration of that root.
 * depmod inherits the lock of @host, so that nobody gets the lock before depmod has
 * ended, even if wgkmod is killed. Returns 0, and depmod_end() has to follow, or -errno
 * with @reason filled in.
 */
int depmod_start(struct depmod *depmod, const struct host *host, const char *base,
		 struct reason *reason) _must_check_ _nonnull_all_;

/*
 * Pass on the output of depmod, and wait for its end. Returns 0, or -errno with @reason
 * filled in if it failed or reported an error. 0 does not mean that it wrote something:
 * depmod exits with 0 even if it may not write.
 */
int depmod_end(const struct depmod *depmod,
	       struct reason *reason) _must_check_ _nonnull_all_;
