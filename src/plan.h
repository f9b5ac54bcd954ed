/* SPDX-License-Identifier: GPL-2.0-only */
/* What an install has to change: what is wanted, against what is there and whose. */
#pragma once

#include "util.h"

struct host;
struct payload;
struct payload_file;
struct sums;

struct change {
	const char *path;		 /* owned by the payload or the state */
	const struct payload_file *file; /* NULL: it is to be removed */
};

struct plan {
	struct change *changes;
	size_t count;
	bool indexed; /* modules.dep lists every module of the payload already */
};

/*
 * Compare @payload with the host. Prints each file in the way that is not ours: one that
 * the @state does not have with its digest, or another module of the same name that the
 * kernel has at another place. Returns EXIT_DONE or EXIT_FAILED. plan_free() either way.
 */
enum exit_code plan_make(struct plan *plan, const struct host *host,
			 const struct payload *payload,
			 const struct sums *state) _must_check_ _nonnull_(1, 2, 3, 4);

/* Whether modules.dep lists every module of @payload. */
bool plan_is_indexed(const struct host *host, const struct payload *payload) _must_check_
	_nonnull_(1, 2);

void plan_free(struct plan *plan);
#define _cleanup_plan_ _cleanup_(plan_free)
