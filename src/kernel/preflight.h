/* SPDX-License-Identifier: GPL-2.0-only */
/* What would make a change of the kernel's modules fail, or be in vain. */
#pragma once

#include "base/util.h"

struct host;
struct payload;

/*
 * Look for it, before anything is written, and print each with what to do about it:
 *
 *  - something mounted over the kernel's directory, or in it, which no clone would have;
 *  - a file system that is read-only, or has not the room that a clone needs;
 *  - a module of the payload that the kernel has built in, or that modprobe is told not
 *    to load;
 *  - of the running kernel (only it can be asked): it takes no modules any more, not
 *    these, by preflight_signatures(), or it is not the one that --load is for.
 *
 * @payload is NULL for a removal; @running is the release of the running kernel; @load:
 * the modules are to be loaded as well. Returns EXIT_DONE, EXIT_FAILED, EXIT_UNTRUSTED or
 * EXIT_USAGE.
 */
enum exit_code preflight_check(const struct host *host, const struct payload *payload,
			       const char *running, bool load) _must_check_
	_nonnull_(1, 3);

/*
 * Where the running kernel is the one of @host and takes only signed modules: whether
 * those of @payload are signed, and by a key it trusts. Prints each that is not, and what
 * to do. Returns EXIT_DONE, EXIT_UNTRUSTED or EXIT_FAILED.
 */
enum exit_code preflight_signatures(const struct host *host,
				    const struct payload *payload, const char *running,
				    bool load) _must_check_ _nonnull_all_;
