/* SPDX-License-Identifier: GPL-2.0-only */
/* One of the binary indexes that depmod makes, modules.*.bin, as a file in memory. */
#pragma once

#include "base/util.h"

struct buf;

/*
 * Whether each node that can be reached from the root of @file is in it, and all of them
 * together are as large as it is: so it is with what index_write() of kmod's
 * tools/depmod.c leaves, and not where a part was overwritten.
 */
bool index_is_whole(const struct buf *file) _must_check_ _nonnull_all_;

/* The first value of @key in @file, which is whole, and owns it; or NULL. */
const char *index_find(const struct buf *file,
		       const char *key) _must_check_ _nonnull_all_;
