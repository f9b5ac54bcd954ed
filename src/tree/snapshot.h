/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a directory holds at a moment: every path with its inode, kind, mode, owner, size and
 * times. Two of them tell whether somebody changed something in between. The change time
 * of files does not count, as linking them elsewhere changes it, and neither do those of
 * the directory itself, which is renamed; what else changes a file in place is seen through
 * each of its links.
 */
#pragma once

#include <sys/stat.h>

#include "base/util.h"

struct reason;

struct snapshot_entry {
	char *path; /* below the directory; "." is the directory itself, and first */
	struct stat st;
};

struct snapshot {
	struct snapshot_entry
		*entries; /* a directory before what is in it, sorted there */
	size_t count;
	size_t room;
};

/*
 * Look at everything in the directory @fd, through no link. Returns 0, or with @reason
 * filled in -errno: -EXDEV when something else is mounted in there. Then @snap holds
 * nothing.
 */
int snapshot_take(struct snapshot *snap, int fd,
		  struct reason *reason) _must_check_ _nonnull_all_;

/*
 * Look once more at what is in the directory @fd itself; what the directories in it held is taken
 * over. Returns as snapshot_take().
 */
int snapshot_renew(struct snapshot *snap, int fd,
		   struct reason *reason) _must_check_ _nonnull_all_;

void snapshot_free(struct snapshot *snap);
#define _cleanup_snapshot_ _cleanup_(snapshot_free)

/* The entry of @path, but not of ".", owned by @snap; or NULL. */
const struct snapshot_entry *snapshot_find(const struct snapshot *snap,
					   const char *path) _nonnull_all_;

/* Whether @path is somewhere in @directory, if that is one, but not ".". */
bool snapshot_is_below(const char *path,
		       const struct snapshot_entry *directory) _nonnull_all_;

/* Whether the two, of one path, are the same: see above. */
bool snapshot_same(const struct snapshot_entry *a,
		   const struct snapshot_entry *b) _nonnull_all_;

/*
 * The path of the first difference of the two, owned by one of them, or NULL. What is at
 * a path that is @ignored makes none.
 */
const char *snapshot_difference(const struct snapshot *a, const struct snapshot *b,
				bool (*ignored)(const char *path)) _nonnull_all_;

/*
 * A quick look: the path of the first directory that the directory @fd does not have as it was,
 * or NULL. By the times of a directory it sees what came into it and what went, unless that
 * is the directory @fd itself, or it was within a tick of the file system's clock.
 */
const char *snapshot_changed(const struct snapshot *snap, int fd) _nonnull_all_;
