/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SHA-256, by libcrypto; and lists of digests and paths in the format of sha256sum:
 * SHA256SUMS, and our state.
 */
#pragma once

#include "base/util.h"

#define SHA256_BYTES 32
#define SHA256_DIGITS 64

/* The digest of @size bytes at @data. Returns 0, or -EIO when libcrypto fails. */
int sha256(const void *data, size_t size,
	   unsigned char digest[static SHA256_BYTES]) _must_check_ _nonnull_all_;

/* As 64 digits and a NUL. */
void sha256_hex(const unsigned char digest[static SHA256_BYTES],
		char hex[static SHA256_DIGITS + 1]) _nonnull_all_;

/* The digest of 64 lower case digits at @hex. Returns 0 or -EINVAL. */
int sha256_parse(const char *hex,
		 unsigned char digest[static SHA256_BYTES]) _must_check_ _nonnull_all_;

struct reason;

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
 * Read @size bytes at @text, which is taken over, also in case of failure. Each line is
 * 64 digits, two spaces (or one and '*'), a path of printable ASCII that is not empty,
 * a newline. Returns 0, or with @reason filled in -EBADMSG (anything else, or a path
 * twice) or -ENOMEM; then @sums holds nothing.
 */
int sums_parse(struct sums *sums, char *text, size_t size,
	       struct reason *reason) _must_check_ _nonnull_all_;

/* The entry of @path, or NULL. */
const struct sum *sums_find(const struct sums *sums, const char *path) _nonnull_all_;

/*
 * Whether @path is relative and of components of [A-Za-z0-9._+-] that do not start with
 * '.' and are not too long to have something put before and after. This comes first in
 * everything that trusts a name.
 */
bool sums_is_path(const char *path) _nonnull_all_;

/* Whether it is one that we install as well: "kernel/" before, and ".ko" at the end. */
bool sums_is_module_path(const char *path) _nonnull_all_;
