/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one look at a kernel's directory before the first write. Dry runs, installs and
 * removals share what it finds, and the clone is made of what it saw.
 */
#pragma once

#include "base/util.h"

struct snapshot;

/*
 * Take a snapshot of the kernel's directory of @host, and check for each of these, that
 * would make a change of it fail:
 *
 *  - a mount over it or in it, or a subvolume in it, which the clone would not have;
 *  - a lower layer of an overlay file system, which cannot exchange directories;
 *  - a file system that is read-only, or has no room for @need bytes and the clone;
 *  - an immutable or append-only file, to which no hard link can be made.
 *
 * Prints what is wrong, and what to do about it. Returns 0 or -errno; call
 * snapshot_free() in either case.
 */
int survey_take(struct snapshot *tree, const struct host *host,
		unsigned long long need) _checked_;
