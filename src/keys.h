/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The keys whose signatures count: ROOT/etc/wgkmod/keys.d/NAME.pub, and that of --key.
 */
#pragma once

#include "signature.h"
#include "util.h"

struct params;

struct key {
	struct public_key public;
	char *path; /* owned */
};

struct keys {
	struct key *list;
	size_t count;
};

/*
 * Read all of them. Prints what is wrong: a key that cannot be read is a refusal, also
 * where another would do, as it may be the one that was meant to replace it. No keys at
 * all is EXIT_DONE. Returns EXIT_DONE, EXIT_UNTRUSTED or EXIT_FAILED; keys_free() either
 * way.
 */
enum exit_code keys_load(struct keys *keys, const struct params *params) _must_check_
	_nonnull_(1, 2);

void keys_free(struct keys *keys);
#define _cleanup_keys_ _cleanup_(keys_free)
