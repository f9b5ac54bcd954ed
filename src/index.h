/* SPDX-License-Identifier: GPL-2.0-only */
/* One of the binary indexes that depmod makes, modules.*.bin, as a file in memory. */
#pragma once

#include "util.h"

struct buf;

/*
 * Whether every byte of @file is of one node, and each node can be reached from the root:
 * what index_write() of kmod's tools/depmod.c leaves.
 */
bool index_is_whole(const struct buf *file) _must_check_ _nonnull_(1);

/* Whether @file, which is whole, has a value for @key. */
bool index_has(const struct buf *file, const char *key) _must_check_ _nonnull_(1, 2);
