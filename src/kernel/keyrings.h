/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The keys by which the running kernel takes signed modules: those of its keyrings
 * .builtin_trusted_keys and .secondary_trusted_keys, and of the keyrings that these hold
 * (mod_verify_sig() in the kernel's kernel/module_signing.c). Some distributions' kernels
 * ask .platform too, where UEFI's and shim's keys are; nothing outside tells which do.
 * Only the kernel can make a keyring whose name starts with a dot.
 */
#pragma once

#include "base/util.h"

struct reason;

enum keyrings_answer {
	KEYRINGS_FOREIGN,
	KEYRINGS_TRUSTED,
	KEYRINGS_PLATFORM, /* in .platform alone */
	KEYRINGS_UNKNOWN,  /* /proc/keys cannot be read, or one of the keyrings */
};

/*
 * Where a key of @name, as certificate_key_name() says it, is; @reason is filled in with
 * KEYRINGS_UNKNOWN.
 */
enum keyrings_answer keyrings_trust(const char *name,
				    struct reason *reason) _must_check_ _nonnull_all_;
