/* SPDX-License-Identifier: GPL-2.0-only */
/* The indexes that depmod makes in a directory of modules, as files. */
#pragma once

#include "base/util.h"
#include "tree/clone.h"

struct snapshot;

/* Return true if depmod makes the file @path of a directory of modules. */
bool indexes_is_output(const char *path) _nonnull_all_;

/* For clone_make(): skip the files that depmod makes, and copy those it may write to. */
enum clone_how indexes_how(const char *path) _nonnull_all_;

/* List the files in @snap that depmod makes. Returns 0 or -ENOMEM. */
int indexes_list(const struct snapshot *snap, struct strlist *out) _checked_;

/*
 * Check what depmod wrote into the directory @to, the clone of @from, of which @before is
 * the snapshot: no index is missing or empty, and every module that was listed still is.
 * An index that was there and that this depmod does not make is copied. Returns 0, or
 * -errno with @reason filled in.
 */
int indexes_check(const struct snapshot *before, int from, int to,
		  struct reason *reason) _checked_;

/*
 * Check that the indexes of the directory @fd are there, and that its modules.dep lists
 * all of @paths. Returns 0, or -errno with @reason filled in.
 */
int indexes_list_all(int fd, const struct strlist *paths,
		     struct reason *reason) _checked_;

/*
 * Remove the files from @fd that depmod makes and @before does not name. Returns 0 or
 * -errno.
 */
int indexes_drop_new(int fd, const struct strlist *before) _checked_;
