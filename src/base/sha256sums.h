/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SHA-256 digests, by libcrypto, and lists of digests and paths in the format of
 * sha256sum: SHA256SUMS, and the state of wgkmod.
 */
#pragma once

#include "base/util.h"

#define SHA256_BYTES 32
#define SHA256_DIGITS 64

/* Compute the digest of @size bytes at @data. Returns 0, or -EIO if libcrypto fails. */
int sha256(const void *data, size_t size,
	   unsigned char digest[static SHA256_BYTES]) _checked_;

/* Write @size bytes as lower-case digits, two for each, and a NUL. */
void hex_text(const unsigned char *bytes, size_t size, char *hex) _nonnull_all_;

/* Read a digest from 64 lower-case digits at @hex. Returns 0 or -EINVAL. */
int sha256_parse(const char *hex, unsigned char digest[static SHA256_BYTES]) _checked_;

struct sum {
	const char *path; /* points into the list's text */
	unsigned char digest[SHA256_BYTES];
};

struct sums {
	char *text;
	struct sum *entries; /* sorted by path, no path twice */
	size_t count;
};

void sums_free(struct sums *sums);
#define _cleanup_sums_ _cleanup_(sums_free)

/*
 * Parse @size bytes at @text, and take ownership of @text, on failure too. Each line is
 * 64 digits, two spaces (or a space and '*'), a path of printable ASCII that is not
 * empty, and a newline. Returns 0, or with @reason filled in -EBADMSG (anything else, or
 * a path that appears twice) or -ENOMEM; then @sums is empty.
 */
int sums_parse(struct sums *sums, char *text, size_t size,
	       struct reason *reason) _checked_;

/* Return the entry of @path, or NULL. */
const struct sum *sums_find(const struct sums *sums, const char *path) _nonnull_all_;

/*
 * Return true if @path is relative and its components consist of [A-Za-z0-9._+-], do not
 * start with '.', and leave room for a prefix and a suffix. Every function that trusts a
 * name asks this first.
 */
bool sums_is_path(const char *path) _nonnull_all_;

/* Return true if @path is such a path, starts with "kernel/" and ends with ".ko". */
bool sums_is_module_path(const char *path) _nonnull_all_;
