/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What there is to install: modules whose bytes are in memory and have the digests of
 * the payload's SHA256SUMS. Today a build's output folder; a bundle fills the same.
 */
#pragma once

#include "file.h"
#include "sums.h"
#include "util.h"

struct module;

struct payload_file {
	const char *name; /* as in SHA256SUMS: "modules/kernel/…/x.ko"; owned by @sums */
	const char *path; /* without "modules/", as below lib/modules/RELEASE */
	const unsigned char *digest; /* as well */
	struct buf data;
};

struct payload {
	struct sums sums;
	struct payload_file *files; /* sorted by path */
	struct module *modules;	    /* the same, read; n_modules of them */
	size_t count;
	size_t n_modules;
};

/*
 * Read and verify the folder @dir: SHA256SUMS, then each file it names below modules/,
 * once, through no link. What it names elsewhere is not looked at. Prints what is wrong,
 * all of it. Returns EXIT_DONE, EXIT_UNTRUSTED, EXIT_UNFIT (another architecture) or
 * EXIT_FAILED. payload_free() either way.
 */
enum exit_code payload_read_folder(struct payload *payload, const char *dir) _must_check_
	_nonnull_(1, 2);

void payload_free(struct payload *payload);
#define _cleanup_payload_ _cleanup_(payload_free)
