/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What there is to install: modules whose bytes are in memory and have the digests of
 * the payload's SHA256SUMS. They come from a bundle, or from a build's output directory,
 * which is what a bundle is made of.
 */
#pragma once

#include "base/file.h"
#include "base/sha256sums.h"
#include "base/util.h"
#include "bundle/modsig.h"

struct module;
struct trust_policy;

struct payload_file {
	const char *name; /* as in SHA256SUMS: "modules/kernel/…/x.ko"; owned by @sums */
	const char *path; /* without "modules/", as below lib/modules/RELEASE */
	const unsigned char *digest; /* as well */
	struct buf data;
	struct modsig sig;
};

struct payload {
	struct sums sums;
	struct payload_file *files;  /* sorted by path */
	struct module *modules;	     /* the same, read; n_modules of them */
	struct x509_st *certificate; /* of who signed the modules; NULL: not known */
	size_t count;
	size_t n_modules;
};

/*
 * Read and verify @path for the kernel @release: a bundle as trust_read() and
 * contents_check() say, or a directory, which @policy has to allow. Of a directory the
 * SHA256SUMS are read, then each file they name below modules/, once, through no link;
 * what they name elsewhere is not looked at, but for what is here:
 *
 *	signing_key.x509	the certificate by which all modules have to be signed;
 *				without it the signature of a module is read and not
 *				verified
 *	SHA256SUMS.unsigned	what the modules have to be without their signatures
 *
 * Prints what is wrong, all of it, and who signed. Returns EXIT_DONE, EXIT_UNTRUSTED,
 * EXIT_WRONG_KERNEL (another kernel or architecture) or EXIT_FAILED. payload_free() either way.
 */
enum exit_code payload_read(struct payload *payload, const struct trust_policy *policy,
			    const char *path,
			    const char *release) _must_check_ _nonnull_all_;

void payload_free(struct payload *payload);
#define _cleanup_payload_ _cleanup_(payload_free)
