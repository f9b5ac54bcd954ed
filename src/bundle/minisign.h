/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Public keys and detached signatures in the formats of minisign, verified by libcrypto.
 * The documentation of minisign defines the formats
 * (https://jedisct1.github.io/minisign/, "Signature format"). A key file is two lines, a
 * signature file four:
 *
 *	untrusted comment: …
 *	base64("Ed", key id, Ed25519 key)
 *
 *	untrusted comment: …
 *	base64("Ed" or "ED", key id, signature of the file, or of its BLAKE2b-512)
 *	trusted comment: …
 *	base64(signature of the first signature and the trusted comment)
 *
 * Calling sequence: minisign_parse(); minisign_verify() with a key that has the id of the
 * signature; the comment only after that returned 0; minisign_free().
 */
#pragma once

#include "base/util.h"

#define KEY_ID_BYTES 8
#define KEY_ID_DIGITS 16
#define ED25519_KEY_BYTES 32
#define ED25519_SIGNATURE_BYTES 64

/* The size limits of both files. minisign's comments are at most 1024 and 8192 bytes. */
#define PUBLIC_KEY_MAX_BYTES 4096
#define MINISIGN_MAX_BYTES 16384

struct public_key {
	unsigned char id[KEY_ID_BYTES];
	unsigned char key[ED25519_KEY_BYTES];
};

struct minisign {
	bool prehashed; /* "ED" */
	unsigned char id[KEY_ID_BYTES];
	unsigned char global[ED25519_SIGNATURE_BYTES];
	/* What @global signs: the signature of the file, then the comment. Owned. */
	unsigned char *signed_text;
	/* Inside @signed_text; not trusted before minisign_verify() returned 0. */
	const char *comment;
};

/*
 * Parse @size bytes at @text. Each line ends with a newline, which the last line may
 * lack; a carriage return before it is dropped. A key of small order is refused. Returns
 * 0, or with @reason filled in -EBADMSG (anything else) or -ENOMEM; then there is nothing
 * to free.
 */
int public_key_parse(struct public_key *key, const char *text, size_t size,
		     struct reason *reason) _checked_;
int minisign_parse(struct minisign *sig, const char *text, size_t size,
		   struct reason *reason) _checked_;

void minisign_free(struct minisign *sig);
#define _cleanup_minisign_ _cleanup_(minisign_free)

/*
 * Verify that @key, which has the id of @sig, made @sig for the @size bytes at @data, and
 * for the trusted comment.
 * Returns 0, or with @reason filled in -EBADMSG (it did not) or -EIO (libcrypto failed).
 */
int minisign_verify(const struct minisign *sig, const struct public_key *key,
		    const void *data, size_t size, struct reason *reason) _checked_;

/*
 * Return the time in the trusted comment @comment, in seconds since 1970: "timestamp:N",
 * as minisign and scripts/bundle.sh write it. Returns 0 if it has none.
 */
unsigned long long comment_timestamp(const char *comment) _checked_;

/* Write @id as minisign prints it: 16 digits, the last byte first. */
void key_id_hex(const unsigned char id[static KEY_ID_BYTES],
		char hex[static KEY_ID_DIGITS + 1]) _nonnull_all_;
