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

#include "file.h"
#include "util.h"

/* A path and its NUL: ustar's prefix, a slash and its name at the most. */
#define BUNDLE_PATH_BYTES (155 + 1 + 100 + 1)

struct reason;

struct bundle_file {
	char *path; /* "RELEASE/SHA256SUMS", …; by sums_is_path() */
	struct buf data;
};

struct bundle {
	struct bundle_file *files; /* sorted by path, no path twice */
	size_t count;
};

/*
 * Take @size bytes at @data apart. Returns 0, or with @reason, which names the entry,
 * filled in -EBADMSG or -ENOMEM. bundle_free() either way.
 */
int bundle_parse(struct bundle *bundle, const char *data, size_t size,
		 struct reason *reason) _must_check_ _nonnull_(1, 2, 4);

/* The file of @path, or NULL. */
struct bundle_file *bundle_find(const struct bundle *bundle, const char *path)
	_nonnull_(1, 2);

void bundle_free(struct bundle *bundle);
#define _cleanup_bundle_ _cleanup_(bundle_free)
