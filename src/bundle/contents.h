/* SPDX-License-Identifier: GPL-2.0-only */
/* What a bundle holds: a directory for each kernel release, each with its SHA256SUMS. */
#pragma once

#include "base/util.h"

struct ustar;
struct sums;

/*
 * Check that every file of @bundle lies in the directory of a kernel release, and that each
 * directory's SHA256SUMS names just what is in it, with its digest. Prints what is wrong,
 * all of it, as of @path. Returns EXIT_DONE, EXIT_UNTRUSTED or EXIT_FAILED.
 */
enum exit_code contents_check(const struct ustar *bundle,
			      const char *path) _must_check_ _nonnull_all_;

/*
 * Read the SHA256SUMS of @release. Returns EXIT_DONE, EXIT_WRONG_KERNEL when the bundle has
 * nothing for it (and prints for which kernels it has), or EXIT_FAILED.
 */
enum exit_code contents_sums(const struct ustar *bundle, const char *path,
			     const char *release,
			     struct sums *sums) _must_check_ _nonnull_all_;
