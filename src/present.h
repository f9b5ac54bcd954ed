/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own modules that a host has: Module.symvers names all that were built, and
 * a distribution may have them in several packages.
 */
#pragma once

#include "file.h"
#include "names.h"
#include "symtab.h"

struct host;
struct sums;

struct present {
	const struct host *host; /* owned by the caller */
	struct buf dep;		 /* modules.dep and modules.builtin, cut into lines */
	struct buf builtin;
	struct names names;	 /* of modules */
	struct symtab modules;	 /* each with its path as owner; NULL: built in */
	const struct sums *ours; /* none of the kernel's; owned by the caller, or NULL */
};

void present_free(struct present *present);
#define _cleanup_present_ _cleanup_(present_free)

/*
 * Read what the host's modules.dep and modules.builtin list; there may be none of the
 * latter. @ours, or NULL, is what an earlier set has there, which goes with that. @host and
 * @ours must live as long. Returns 0, or -errno with @reason filled in.
 */
int present_read(struct present *present, const struct host *host,
		 const struct sums *ours, struct reason *reason) _must_check_
	_nonnull_(1, 2, 4);

/*
 * Whether @owner, as Module.symvers names it, is the kernel itself, built into it, or
 * listed and there as a file.
 */
bool present_has(const struct present *present, const char *owner) _nonnull_(1, 2);
