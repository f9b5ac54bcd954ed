/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The keys whose signatures on modules the running kernel accepts: those in its keyrings
 * .builtin_trusted_keys and .secondary_trusted_keys, and in the keyrings that these hold
 * (mod_verify_sig() in the kernel's kernel/module_signing.c). Some distributions' kernels
 * also ask .platform, which holds the keys of UEFI and shim; nothing in /proc or /sys
 * shows which kernels do. Only the kernel can make a keyring whose name starts with a
 * dot.
 */
#pragma once

#include "base/util.h"

enum keyrings_answer {
	KEYRINGS_FOREIGN, /* in none of them */
	KEYRINGS_TRUSTED,
	KEYRINGS_PLATFORM, /* only in .platform */
	KEYRINGS_UNKNOWN,  /* /proc/keys or a keyring cannot be read */
};

/*
 * Find the key @name, a result of certificate_key_name(), in the keyrings. Fills in
 * @reason for KEYRINGS_UNKNOWN.
 */
enum keyrings_answer keyrings_trust(const char *name, struct reason *reason) _checked_;

/*
 * Find a key whose subject ends with @subject, the common name of who signed a module.
 * This is no proof, as another key may have the same subject.
 */
enum keyrings_answer keyrings_trust_subject(const char *subject,
					    struct reason *reason) _checked_;
