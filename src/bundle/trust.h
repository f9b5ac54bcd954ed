/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a file is of somebody this host trusts. The file is opened once, through no
 * link, looked at by its descriptor and read once; its detached signature, FILE.minisig,
 * is verified over the bytes that were read; and those bytes are what the caller gets.
 * Nothing in them was looked at before.
 */
#pragma once

#include "base/file.h"
#include "base/util.h"
#include "bundle/minisign.h"

#define TRUST_MAX_BYTES (64UL << 20)

/* Whom the caller trusts. All strings are borrowed. */
struct trust_policy {
	const char *root;    /* the keys in its etc/wgkmod/keys.d count */
	const char *key;     /* and the key in this file, or NULL */
	bool allow_unsigned; /* a file without a signature is not refused */
};

/* Who signed, once it is proven. */
struct signer {
	char id[KEY_ID_DIGITS + 1]; /* empty: nobody, and --allow-unsigned was given */
	char *key_path;		    /* owned */
	char *comment;		    /* owned; the trusted one */
};

/*
 * Read the file @fd, which is @path, and verify its signature with the keys of @policy.
 * Without a signature it is refused, unless @policy allows that; a signature that
 * is there has to hold even then. Prints what is wrong. Returns EXIT_DONE, with @out and
 * @signer filled in, EXIT_UNTRUSTED or EXIT_FAILED; signer_free() and buf_free() either
 * way.
 */
enum exit_code trust_read(const struct trust_policy *policy, const char *path, int fd,
			  struct buf *out,
			  struct signer *signer) _must_check_ _nonnull_all_;

/* The rule for what cannot be signed, a directory: EXIT_DONE only if @policy allows it. */
enum exit_code trust_unsigned(const struct trust_policy *policy,
			      const char *path) _must_check_ _nonnull_all_;

/* A line on standard output that says who signed @path, if anybody did. */
void signer_say(const struct signer *signer, const char *path) _nonnull_all_;

void signer_free(struct signer *signer);
#define _cleanup_signer_ _cleanup_(signer_free)
