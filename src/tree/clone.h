/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A second directory with all that a first one holds, its files being hard links and its
 * directories copies, mode, owner, times and extended attributes (labels, access lists)
 * included. Files of one are the files of the other: replace them, never write into them.
 */
#pragma once

#include "base/util.h"

struct reason;
struct snapshot;

enum clone_how {
	CLONE_LINK,
	CLONE_COPY,
	CLONE_SKIP,
};

typedef enum clone_how (*clone_how_fn)(const char *path);

/*
 * Make all that @snap says of the directory @from in the empty directory @to, of the same file
 * system, and give @to itself the looks of @from. @how is asked for every regular file,
 * by one of two processes; NULL links them all. Returns 0, or -errno with @reason filled
 * in.
 */
int clone_make(const struct snapshot *snap, int from, int to, clone_how_fn how,
	       struct reason *reason) _must_check_ _nonnull_(1, 5);

/*
 * Make @to_name in @to what the file or symbolic link @name in @from is: a hard link to
 * it if that can be, else a copy with all that belongs to it. Nothing may be at @to_name.
 * Returns 0 or -errno.
 */
int clone_file(int from, const char *name, int to,
	       const char *to_name) _must_check_ _nonnull_all_;

/* The same, but always a copy. */
int clone_copy(int from, const char *name, int to,
	       const char *to_name) _must_check_ _nonnull_all_;

/*
 * Give @to_name in @to the owner, mode, extended attributes and times of @name in @from;
 * each of them a directory or a regular file. Returns 0 or -errno.
 */
int copy_metadata(int from, const char *name, int to,
		  const char *to_name) _must_check_ _nonnull_all_;

/*
 * Give the regular file @name in @to the owner, mode and extended attributes of that in
 * @from, unless that is a link. Returns 0 or -errno.
 */
int copy_ownership(int from, int to, const char *name) _must_check_ _nonnull_all_;

/*
 * Take away whatever is at @name in the directory @parent, with all below it; nothing there
 * is success. Goes on after an error, and returns the first: 0 or -errno.
 */
int clone_drop(int parent, const char *name) _must_check_ _nonnull_all_;
