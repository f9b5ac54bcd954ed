/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What there is to install: modules in memory, which have the digests in the SHA256SUMS
 * of the payload. They come from a bundle, or from the output directory of a build, of
 * which a bundle is made.
 */
#pragma once

#include "base/file.h"
#include "base/sha256sums.h"
#include "base/util.h"

struct module;
struct trust_policy;
struct x509_st;

struct payload_file {
	const char *name; /* as in SHA256SUMS: "modules/kernel/x.ko"; owned by @sums */
	const char *path; /* the same without "modules/" */
	const unsigned char *digest; /* owned by @sums */
	struct slice data;
	char *own;	/* the bytes of @data, owned; NULL: they are in the bundle */
	bool is_signed; /* carries a signature for the kernel */
};

struct payload {
	struct buf bundle; /* empty for a directory */
	struct sums sums;
	struct payload_file *files;  /* sorted by path */
	struct module *modules;	     /* the parsed files */
	struct x509_st *certificate; /* of the signer of the modules; NULL: none */
	size_t count;
	size_t n_modules;
	const char *built_for;	      /* by install: another kernel that it is for */
	unsigned long long timestamp; /* comment_timestamp() of the signature, or 0 */
};

/*
 * Read and verify @path for the kernel @release: a bundle under the rules of trust_read()
 * and ustar_parse(), or a directory, which @policy has to allow. Of a bundle only the
 * directory @release is read, and its SHA256SUMS has to name just what is in it. In a
 * directory, SHA256SUMS is read, and then each file that it names below modules/, once,
 * without following a link. Of the other files only signing_key.x509 is read, the
 * certificate of the key that signed the modules for the kernel. If it is there, every
 * module has to carry a signature, which only the kernel verifies.
 *
 * Prints everything that is wrong, and who signed. Returns 0, -EBADMSG (not trusted, or
 * damaged), -ENOEXEC (for another kernel or architecture) or -errno; call payload_free()
 * in any case.
 */
int payload_read(struct payload *payload, const struct trust_policy *policy,
		 const char *path, const char *release) _checked_;

/*
 * Verify the signature of the bundle @path, and list the kernel releases that it has
 * modules for, sorted. Prints what is wrong. Returns 0, -EBADMSG (not trusted, or
 * damaged) or -errno; call strlist_free() in any case.
 */
int payload_releases(const struct trust_policy *policy, const char *path,
		     struct strlist *releases) _checked_;

void payload_free(struct payload *payload);
#define _cleanup_payload_ _cleanup_(payload_free)
