/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes that somebody else made in a directory that is to be dropped, taken over into the
 * one that has its place.
 */
#pragma once

#include "base/util.h"

struct reason;
struct snapshot;

/*
 * What is in the directory @from and was not in @before, or was another file, is linked into
 * the directory @to; what was in @before and is gone is taken out there. Where @to is no
 * longer as in @made, somebody was there later than here, and that stays. A path that is
 * @ignored is left alone. Returns whether there was anything, or -errno with @reason filled
 * in, and then some may have been taken over.
 */
int carry_changes(const struct snapshot *before, int from, const struct snapshot *made,
		  int to, bool (*ignored)(const char *path),
		  struct reason *reason) _must_check_ _nonnull_all_;
