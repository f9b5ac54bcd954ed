/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The keys by which the running kernel takes signed modules: those of its keyrings
 * .builtin_trusted_keys and .secondary_trusted_keys, and of the keyrings that these hold
 * (mod_verify_sig() in the kernel's kernel/module_signing.c).  Only the kernel can make a
 * keyring whose name starts with a dot.
 */
#pragma once

#include "util.h"

struct reason;

/*
 * Whether a key of @name, as certificate_key_name() says it, is among them. Returns 1 or
 * 0, or with @reason filled in -errno: /proc/keys cannot be read, or a keyring of these.
 */
int keyrings_trust(const char *name, struct reason *reason) _must_check_ _nonnull_(1, 2);
