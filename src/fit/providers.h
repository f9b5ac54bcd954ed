/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The modules of the kernel that a host has. Module.symvers names every module that was
 * built, and a distribution may ship them in several packages.
 */
#pragma once

#include "base/file.h"
#include "base/strlist.h"
#include "fit/symtab.h"

struct module;

/*
 * Read the host's modules.dep into @out, for modules_dep_next(). Returns 0, or -errno
 * with @reason filled in.
 */
int modules_dep_read(const struct host *host, struct buf *out,
		     struct reason *reason) _checked_;

/* Read modules.dep of the directory @fd, likewise. */
int modules_dep_read_at(int fd, struct buf *out, struct reason *reason) _checked_;

/*
 * Return the path of the next module that modules.dep lists, relative to the directory of
 * modules, or NULL after the last. *@cursor starts at the text, which is changed. The
 * path is not validated; it is never empty.
 */
char *modules_dep_next(char **cursor) _nonnull_all_;

/*
 * Add the names of the modules that the kernel of the directory @fd has built in, as
 * modules.builtin lists them, to @names. Returns 0, also without that file, or -errno
 * with @reason filled in.
 */
int modules_builtin(int fd, struct strlist *names, struct reason *reason) _checked_;

/* Decides whether the module at @path is passed over. */
typedef bool reference_skip_fn(const char *path, const void *arg);

/*
 * Read a module of the kernel's own, which tells how the kernel's modules are built: the
 * first in the modules.dep of @host that is below kernel/ and has "intree" and a
 * vermagic. Pass over those that @skip takes with @arg, and those that cannot be read.
 * Returns 0, or -errno with @reason filled in: -ENOENT if there is none, and then the
 * reason names the first that could not be read. Call module_free() in either case.
 */
int reference_read(struct module *reference, const struct host *host,
		   reference_skip_fn *skip, const void *arg,
		   struct reason *reason) _must_check_ _nonnull_(1, 2, 3, 5);

struct providers {
	const struct host *host; /* owned by the caller */
	struct buf dep;		 /* of modules.dep; the paths point into it */
	struct strlist names;	 /* of the modules */
	struct symtab modules;	 /* the owner is the path; NULL: built in */
	const struct sums *ours; /* files that do not count; the caller's, or NULL */
};

void providers_free(struct providers *providers);
#define _cleanup_providers_ _cleanup_(providers_free)

/*
 * Read the lists modules.dep and modules.builtin of @host; the latter may be missing.
 * @ours, or NULL, lists the files of an earlier install, which do not count, as they will
 * be replaced. @host and @ours must outlive @providers. Returns 0, or -errno with @reason
 * filled in.
 */
int providers_read(struct providers *providers, const struct host *host,
		   const struct sums *ours, struct reason *reason) _must_check_
	_nonnull_(1, 2, 4);

/*
 * Return true if @owner, a provider that Module.symvers names, is the kernel itself, is
 * built in, or is listed and exists as a file.
 */
bool provider_installed(const struct providers *providers,
			const char *owner) _nonnull_all_;
