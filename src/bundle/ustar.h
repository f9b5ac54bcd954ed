/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bundles: one uncompressed ustar file (POSIX.1-1988), taken apart in memory. Nothing of
 * it ever becomes a path on the system by itself.
 *
 * libarchive reads it, and would read much else. So each header is looked at before
 * libarchive is shown it, and only this is let through: a regular file, by a plain header
 * with magic and version of ustar, no link's name, a size in octal digits that the file
 * has room for; zeros behind its data up to the next block; at the end as many zeros as
 * tar writes, up to a whole record, and nothing more. What libarchive then says of name,
 * kind, size and place has to be the same.
 */
#pragma once

#include "base/file.h"
#include "base/util.h"

/* A path and its NUL: ustar's prefix, a slash and its name at the most. */
#define USTAR_PATH_BYTES (155 + 1 + 100 + 1)

struct reason;

struct ustar_file {
	char *path; /* "RELEASE/SHA256SUMS", …; by sums_is_path() */
	struct buf data;
};

struct ustar {
	struct ustar_file *files; /* sorted by path, no path twice */
	size_t count;
};

/*
 * Take @size bytes at @data apart. Returns 0, or with @reason, which names the entry,
 * filled in -EBADMSG or -ENOMEM. ustar_free() either way.
 */
int ustar_parse(struct ustar *bundle, const char *data, size_t size,
		struct reason *reason) _must_check_ _nonnull_all_;

/* The file of @path, or NULL. */
struct ustar_file *ustar_find(const struct ustar *bundle, const char *path) _nonnull_all_;

void ustar_free(struct ustar *bundle);
#define _cleanup_ustar_ _cleanup_(ustar_free)
