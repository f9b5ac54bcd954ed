/* SPDX-License-Identifier: GPL-2.0-only */
/* The indexes that depmod makes in a directory of modules, as files. */
#pragma once

#include "base/util.h"
#include "tree/clone.h"

struct buf;
struct strlist;
struct reason;
struct snapshot;

/* Return true if depmod makes the file @path of a directory of modules. */
bool indexes_is_output(const char *path) _nonnull_all_;

/* For clone_make(): skip the files that depmod makes, and copy those it may write to. */
enum clone_how indexes_how(const char *path) _nonnull_all_;

/* List the files in @snap that depmod makes. Returns 0 or -ENOMEM. */
int indexes_list(const struct snapshot *snap,
		 struct strlist *out) _must_check_ _nonnull_all_;

/*
 * Look at what depmod wrote into the directory @to of @now, against the directory @from of
 * @before. What was there, and this depmod does not make, is copied. Returns 0, or -errno
 * with @reason filled in.
 */
int indexes_check(const struct snapshot *before, const struct snapshot *now, int from,
		  int to, struct reason *reason) _must_check_ _nonnull_all_;

/*
 * Read what modprobe finds modules by, the modules.dep.bin of the directory @fd, and see that
 * it is whole, and modules.alias.bin too. Returns 0 or -errno: -EBADMSG when one is damaged.
 */
int indexes_read(int fd, struct buf *dep) _must_check_ _nonnull_all_;

/*
 * The path, below that directory and the caller's, of the file that modprobe takes for the
 * module of @path's name; NULL where @dep, of indexes_read(), has none, or without memory.
 */
char *indexes_taken(const struct buf *dep, const char *path) _must_check_ _nonnull_all_;

/*
 * Remove the files from @fd that depmod makes and @before does not name. Returns 0 or
 * -errno.
 */
int indexes_drop_new(int fd, const struct strlist *before) _must_check_ _nonnull_all_;
