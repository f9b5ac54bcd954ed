/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Find out before the first write whether anything would make a change of the kernel's
 * modules fail or have no effect.
 */
#pragma once

#include "base/util.h"

struct payload;

/*
 * Check for each of these, and print what is wrong and what to do about it:
 *
 *  - a module of @payload that the kernel has built in, or that modprobe is configured
 *    not to load; a module that one of them needs and that modprobe is diverted from;
 *  - for the running kernel, which alone can be asked: that it accepts no modules any
 *    more, or not these (preflight_signatures()).
 *
 * @running is the release of the running kernel. @load is true if the modules are to be
 * loaded after the install. Returns 0 or -errno: -EBADMSG for modules that the kernel
 * does not trust.
 */
int preflight_check(const struct host *host, const struct payload *payload,
		    const char *running, bool load) _checked_;

/*
 * If the running kernel is that of @host and accepts only signed modules, check that each
 * module of @payload is signed by a key that the kernel trusts. Prints each that is not,
 * and what to do. Returns as preflight_check().
 */
int preflight_signatures(const struct host *host, const struct payload *payload,
			 const char *running, bool load) _checked_;

/* Return true if the running kernel is locked down, as /sys says. */
bool preflight_is_locked_down(void) _must_check_;

/* Return true if the running kernel accepts only signed modules. */
bool preflight_enforces(void) _must_check_;

/* Return true if the running kernel was booted with @name in module_blacklist=. */
bool preflight_is_blacklisted(const char *name) _checked_;
