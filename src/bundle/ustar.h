/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Read a bundle: one uncompressed ustar file (POSIX.1-1988), parsed in memory. No name in
 * it becomes a path on the system by itself.
 *
 * Only this passes: regular files, each with a plain header whose checksum is right, with
 * magic and version of ustar, no link name, every number in octal digits and every text
 * filled up with zeros; permissions up to 0777; a size that fits into the file; zeros
 * after the data up to the next block; at the end as many zeros as tar writes, at most a
 * whole record, and nothing else.
 */
#pragma once

#include "base/file.h"
#include "base/util.h"

/* The longest path and its NUL: prefix, slash and name of a ustar header. */
#define USTAR_PATH_BYTES (155 + 1 + 100 + 1)

struct ustar_file {
	char path[USTAR_PATH_BYTES]; /* "RELEASE/SHA256SUMS"; sums_is_path() accepts it */
	struct slice data;	     /* inside the bundle */
};

struct ustar {
	struct ustar_file *files; /* sorted by path, no path twice */
	size_t count;
};

/*
 * Parse @size bytes at @data, which must outlive @bundle. Returns 0, or -EBADMSG or
 * -ENOMEM with @reason, which names the entry, filled in. Call ustar_free() in either
 * case.
 */
int ustar_parse(struct ustar *bundle, const char *data, size_t size,
		struct reason *reason) _checked_;

/* Return the file @path, or NULL. */
const struct ustar_file *ustar_find(const struct ustar *bundle,
				    const char *path) _nonnull_all_;

void ustar_free(struct ustar *bundle);
#define _cleanup_ustar_ _cleanup_(ustar_free)
