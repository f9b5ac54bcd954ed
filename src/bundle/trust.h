/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Find out whether a file was signed by a key that this host trusts. The file is opened
 * once, without following a link, checked by its descriptor, and read once. Its detached
 * signature, FILE.minisig, is verified over the bytes that were read, and the caller gets
 * those bytes. Nothing interprets them before that.
 */
#pragma once

#include "base/file.h"
#include "base/util.h"
#include "bundle/minisign.h"

#define TRUST_MAX_BYTES (64UL << 20)

/* Which signatures are accepted. All strings are borrowed. */
struct trust_policy {
	const char *root;    /* its keys are ROOT/etc/wgkmod/keys.d/NAME.pub, no link */
	const char *key;     /* file of one more key, or NULL */
	bool allow_unsigned; /* accept a file that has no signature */
};

/* Who signed a file, after the signature was verified. */
struct signer {
	char id[KEY_ID_DIGITS + 1]; /* empty: not signed, and the policy allows that */
	char *key_path;		    /* owned */
	char *comment;		    /* the trusted comment; owned */
};

/*
 * Read the file @fd, called @path, into @out, and verify its signature by the keys of
 * @policy. A file without a signature is refused unless @policy allows it; a signature
 * that exists must be valid even then. Prints what is wrong. Returns 0, -EBADMSG (it
 * cannot be trusted) or -errno; call signer_free() and buf_free() in any case.
 */
int trust_read(const struct trust_policy *policy, const char *path, int fd,
	       struct buf *out, struct signer *signer) _checked_;

/*
 * Apply the rule for something that cannot be signed, such as a directory: print that
 * @path is not signed, and return 0 if @policy allows that, else -EBADMSG.
 */
int trust_unsigned(const struct trust_policy *policy, const char *path) _checked_;

/* Print on standard output who signed @path, if it is signed. */
void signer_say(const struct signer *signer, const char *path) _nonnull_all_;

void signer_free(struct signer *signer);
#define _cleanup_signer_ _cleanup_(signer_free)
