/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The signature that a kernel module carries at its end (include/linux/module_signature.h
 * of the kernel), and the certificate of who made it. The kernel verifies the signature;
 * here only the key is compared with those that the kernel trusts.
 */
#pragma once

#include "base/file.h"
#include "base/util.h"

struct x509_st;

/* Return true if @module ends as a module with a signature does. */
bool modsig_present(struct slice module) _must_check_;

/*
 * Read a certificate, DER as the kernel's own signing_key.x509. Returns 0, or with
 * @reason filled in -EBADMSG. Call certificate_free() after success.
 */
int certificate_read(struct x509_st **certificate, struct slice file,
		     struct reason *reason) _checked_;

/*
 * Return what the kernel calls the key of @certificate in /proc/keys after its subject,
 * hexadecimal and without a leading zero byte: the subject key identifier, or where it
 * has none the serial number (x509_key_preparse() in
 * crypto/asymmetric_keys/x509_public_key.c). Owned by the caller; NULL without memory.
 */
char *certificate_key_name(const struct x509_st *certificate) _checked_;

/* Return its subject, for messages. Owned by the caller; NULL without memory. */
char *certificate_subject(const struct x509_st *certificate) _checked_;

void certificate_free(struct x509_st **certificate);
