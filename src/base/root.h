/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths below a root directory, which no link leads out of. */
#pragma once

#include "base/util.h"

/*
 * Resolve the relative @path below the canonical @root as if @root were "/": an absolute
 * link starts at @root, and ".." stops there. On success *@out is the canonical path,
 * which the caller owns. Returns 0 or -errno.
 */
int root_resolve(const char *root, const char *path,
		 char **out) _must_check_ _nonnull_all_;
