/* SPDX-License-Identifier: GPL-2.0-only */
/* Only one changes a directory at a time. */
#pragma once

#include "base/util.h"

struct reason;

/*
 * Lock the directory @fd, called @path, until it is closed here and in whoever got it. The
 * lock is on the directory and not on a file, so that a refusal has written nothing. Who
 * may read the directory can hold it: while we wait a line says for whom, and after some
 * minutes that is an error. Returns 0, or -errno with @reason filled in.
 */
int lock_take(int fd, const char *path, struct reason *reason) _must_check_ _nonnull_all_;

/* Whether somebody has the directory @fd locked now. */
bool lock_is_taken(int fd);
