/* SPDX-License-Identifier: GPL-2.0-only */
/* SHA-256, by libcrypto. */
#pragma once

#include "util.h"

#define SHA256_BYTES 32
#define SHA256_DIGITS 64

/* The digest of @size bytes at @data. Returns 0, or -EIO when libcrypto fails. */
int sha256(const void *data, size_t size,
	   unsigned char digest[static SHA256_BYTES]) _must_check_ _nonnull_(1, 3);

/* As 64 digits and a NUL. */
void sha256_hex(const unsigned char digest[static SHA256_BYTES],
		char hex[static SHA256_DIGITS + 1]) _nonnull_(1, 2);

/* The digest of 64 lower case digits at @hex. Returns 0 or -EINVAL. */
int sha256_parse(const char *hex, unsigned char digest[static SHA256_BYTES]) _must_check_
	_nonnull_(1, 2);
