/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A snapshot of a directory: every path with its inode, kind, mode, owner, size and
 * times. Two snapshots tell whether anything changed in between. The change time of a
 * file does not count, as a hard link to the file changes it; neither do the times of the
 * directory itself, which is renamed. Any other change to a file in place shows in each
 * of its links.
 */
#pragma once

#include <sys/stat.h>

#include "base/util.h"

struct snapshot_entry {
	char *path; /* below the directory, or first "." for itself */
	struct stat st;
};

struct snapshot {
	struct snapshot_entry *entries; /* a directory comes before its sorted entries */
	size_t count;
};

/*
 * Take a snapshot of the directory @fd, without following a link. Returns 0, or -errno
 * with @reason filled in: -EXDEV if a directory below it is of another file system, such
 * as a subvolume of btrfs. After a failure @snap is empty.
 */
int snapshot_take(struct snapshot *snap, int fd, struct reason *reason) _checked_;

void snapshot_free(struct snapshot *snap);
#define _cleanup_snapshot_ _cleanup_(snapshot_free)

/*
 * Return the path of the first difference between the two, owned by one of them, or NULL.
 * A difference at a path that @ignored accepts does not count.
 */
const char *snapshot_difference(const struct snapshot *a, const struct snapshot *b,
				bool (*ignored)(const char *path)) _nonnull_all_;
