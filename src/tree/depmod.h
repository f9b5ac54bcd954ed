/* SPDX-License-Identifier: GPL-2.0-only */
/* Run depmod. */
#pragma once

#include "base/util.h"

/* The directories of depmod's configuration below a root, in the order of depmod. */
#define DEPMOD_PLACES 5
extern const char *const depmod_places[DEPMOD_PLACES];

/*
 * Run "depmod -b BASE" for the kernel of @host, with the configuration of that root, and
 * pass on its output. An error about a file that is none of @ours, paths below the
 * directory of modules, is no failure. depmod inherits the lock of @host, so that nobody
 * gets the lock before depmod has ended, even if wgkmod is killed. Returns 0, or -errno
 * with @reason filled in if it failed or reported an error; -EINTR and -ETIMEDOUT are
 * those of spawn_collect(). 0 does not mean that it wrote something: depmod exits with 0
 * even if it may not write.
 */
int depmod_run(const struct host *host, const char *base, const struct strlist *ours,
	       struct reason *reason) _checked_;
