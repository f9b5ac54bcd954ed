/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own modules that a host has: Module.symvers names all that were built, and
 * a distribution may have them in several packages.
 */
#pragma once

#include "base/file.h"
#include "base/strlist.h"
#include "fit/symtab.h"

struct host;
struct reason;
struct sums;

/*
 * Read the host's modules.dep. @out is the caller's, for modules_dep_next() to cut up.
 * Returns 0, or -errno with @reason filled in.
 */
int modules_dep_read(const struct host *host, struct buf *out,
		     struct reason *reason) _must_check_ _nonnull_all_;

/* The same of the directory @fd. */
int modules_dep_read_at(int fd, struct buf *out,
			struct reason *reason) _must_check_ _nonnull_all_;

/*
 * The next module that modules.dep lists, relative to the modules' directory, and NULL
 * after the last. *@cursor starts at the text, which is changed. Nothing is promised of
 * the path but that it is not empty.
 */
char *modules_dep_next(char **cursor) _nonnull_all_;

struct providers {
	const struct host *host; /* owned by the caller */
	struct buf dep;		 /* modules.dep and modules.builtin, cut into lines */
	struct buf builtin;
	struct strlist names;	 /* of modules */
	struct symtab modules;	 /* each with its path as owner; NULL: built in */
	const struct sums *ours; /* none of the kernel's; owned by the caller, or NULL */
};

void providers_free(struct providers *providers);
#define _cleanup_providers_ _cleanup_(providers_free)

/*
 * Read what the host's modules.dep and modules.builtin list; there may be none of the
 * latter. @ours, or NULL, is what an earlier set has there, which goes with that. @host and
 * @ours must live as long. Returns 0, or -errno with @reason filled in.
 */
int providers_read(struct providers *providers, const struct host *host,
		   const struct sums *ours, struct reason *reason) _must_check_
	_nonnull_(1, 2, 4);

/*
 * Whether @owner, as Module.symvers names it, is the kernel itself, built into it, or
 * listed and there as a file.
 */
bool provider_installed(const struct providers *providers,
			const char *owner) _nonnull_all_;
