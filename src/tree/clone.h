/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clone a directory: the files of the clone are hard links to the originals; its
 * directories are copies, with mode, owner, times and extended attributes (labels, access
 * lists). As both share their files, a file must be replaced, never written to.
 */
#pragma once

#include "base/util.h"

struct snapshot;

enum clone_how {
	CLONE_LINK,
	CLONE_COPY,
	CLONE_SKIP,
};

typedef enum clone_how (*clone_how_fn)(const char *path);

/*
 * Clone what @snap lists of the directory @from into the empty directory @to of the same
 * file system, and give @to the metadata of @from. @how decides for every regular file.
 * Returns 0, or -errno with @reason filled in.
 */
int clone_make(const struct snapshot *snap, int from, int to, clone_how_fn how,
	       struct reason *reason) _checked_;

/*
 * Make @to_name in @to a hard link to the file or symbolic link @name in @from, or a copy
 * with its metadata where a hard link is not possible. @to_name must not exist. Returns 0
 * or -errno.
 */
int clone_file(int from, const char *name, int to, const char *to_name) _checked_;

/* Do the same, but always copy. */
int clone_copy(int from, const char *name, int to, const char *to_name) _checked_;

/*
 * Copy the owner, mode and extended attributes of the file @name in @from to the regular
 * file @name in @to, unless the former is a link. Returns 0 or -errno.
 */
int copy_ownership(int from, int to, const char *name) _checked_;

/*
 * Remove @name in the directory @parent and everything below it. It may be missing.
 * Continues after an error, and returns the first: 0 or -errno.
 */
int clone_drop(int parent, const char *name) _checked_;
