/* SPDX-License-Identifier: GPL-2.0-only */
/* The proof as install and verify run it: a payload against a host and its symbol table.
 */
#pragma once

#include "util.h"

struct host;
struct params;
struct payload;
struct proof;
struct sums;

/*
 * Prove that the modules of @payload fit the kernel of @host, by the vermagic of its own
 * modules, and by --symvers or the host's own table; where there is none, what that
 * leaves to the kernel is counted. @ours, or NULL, is what an earlier set has there: the
 * payload takes its place, and nothing of it counts for the kernel's own. Prints each problem. @proof has the figures. Returns
 * as proof_run() does, or EXIT_FAILED.
 */
enum exit_code fit_prove(struct proof *proof, const struct host *host,
			 const struct payload *payload, const struct sums *ours,
			 const struct params *params) _must_check_ _nonnull_(1, 2, 3, 5);

/* For the error @err of what is to be proven against: EXIT_UNFIT when it is missing or
 * malformed and so proves nothing, EXIT_FAILED when the system cannot read it. */
enum exit_code fit_exit_code(int err) _must_check_;

/* Say on standard output what became of the modules, @what, and what was proven. */
void fit_say(const struct proof *proof, const char *what) _nonnull_(1, 2);
