/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes to a folder that can be taken back, as long as the process lives.
 *
 * Calling sequence: a struct tree with the folder's descriptor, any number of
 * tree_write() and tree_remove(), then tree_commit(), or tree_undo() which gives back
 * what there was; tree_free() in both cases. A replaced or removed file waits beside its
 * place, as ".NAME.wgkmod-old". Only one process may work on a folder at a time.
 *
 * Paths are relative to the folder, and no component may be a link; they are borrowed
 * until tree_commit() or tree_undo(). Each function
 * returns 0 or -errno; after a failure the steps done until then can still be undone.
 */
#pragma once

#include "util.h"

struct step;

struct tree {
	int fd; /* borrowed */
	struct step *steps;
	size_t count;
	size_t room;
};

/*
 * Put @size bytes at @data into the file @path (mode 0644), replacing one there; missing
 * folders are made (mode 0755). Temporary file, fsync, rename, fsync of the folder.
 */
int tree_write(struct tree *tree, const char *path, const char *data,
	       size_t size) _must_check_ _nonnull_(1, 2, 3);

/* Take the file @path away. */
int tree_remove(struct tree *tree, const char *path) _must_check_ _nonnull_(1, 2);

/* Take everything back, last step first. Goes on after an error, and returns the first.
 */
int tree_undo(struct tree *tree) _must_check_ _nonnull_(1);

/* Drop what was kept for tree_undo(). */
int tree_commit(struct tree *tree) _must_check_ _nonnull_(1);

void tree_free(struct tree *tree);
#define _cleanup_tree_ _cleanup_(tree_free)
