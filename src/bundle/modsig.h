/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The signature that a kernel module carries at its end: a detached CMS signature, a
 * struct module_signature and a marker (include/linux/module_signature.h and
 * scripts/sign-file.c of the kernel).  The signature does not have the certificate of who
 * made it, only its name: issuer and serial number, or key identifier.
 */
#pragma once

#include "base/file.h"
#include "base/util.h"

struct reason;
struct x509_st;

enum modsig_state {
	MODSIG_NONE,	/* it carries no signature */
	MODSIG_UNKNOWN, /* it does, and there is no certificate to verify it with */
	MODSIG_GOOD,	/* it holds, by the certificate */
};

struct modsig {
	enum modsig_state state;
	size_t body;  /* bytes of the module itself, without the signature */
	char *signer; /* for messages, owned; NULL where there is no signature */
};

/*
 * Read the signature at the end of @module, and verify it where @certificate is not NULL.
 * Returns 0, or with @reason filled in -EBADMSG (it cannot be read, is not what the
 * kernel takes, is not of @certificate, or does not hold) or -ENOMEM. modsig_free()
 * either way.
 */
int modsig_read(struct modsig *sig, struct slice module, struct x509_st *certificate,
		struct reason *reason) _must_check_ _nonnull_(1, 4);

void modsig_free(struct modsig *sig);

/*
 * Read a certificate, DER as the kernel's own signing_key.x509. Returns 0, or with
 * @reason filled in -EBADMSG or -ENOMEM. certificate_free() it.
 */
int certificate_read(struct x509_st **certificate, struct slice file,
		     struct reason *reason) _must_check_ _nonnull_all_;

/*
 * What the kernel calls the key of @certificate in /proc/keys after its subject,
 * hexadecimal and without a leading zero byte: the subject key identifier, or where it
 * has none the serial number (x509_key_preparse() in
 * crypto/asymmetric_keys/x509_public_key.c). Owned by the caller; NULL without memory.
 */
char *certificate_key_name(const struct x509_st *certificate) _must_check_ _nonnull_all_;

/* Its subject, for messages. Owned by the caller; NULL without memory. */
char *certificate_subject(const struct x509_st *certificate) _must_check_ _nonnull_all_;

void certificate_free(struct x509_st **certificate);
