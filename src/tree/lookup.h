/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What modprobe would load: the files, and the other modules that they need. modprobe
 * alone decides, by indexes that depmod made. It runs as another program because it
 * trusts these indexes, which may be damaged.
 */
#pragma once

#include "base/util.h"

struct module;

/*
 * Find the files that modprobe would load for the modules of the names of @paths, and for
 * what these need, in BASE/lib/modules/RELEASE, whatever its configuration says. @found
 * gets their paths, relative to that directory or absolute; a module that modprobe does
 * not find is not among them. Returns 0, or -errno with @reason filled in if modprobe
 * cannot be run; call strlist_free() in either case.
 */
int lookup_files(const char *base, const char *release, const struct strlist *paths,
		 struct strlist *found, struct reason *reason) _checked_;

/* Return the path in @found of the module of @path's name, owned by @found, or NULL. */
const char *lookup_path(const struct strlist *found, const char *path) _nonnull_all_;

/*
 * Check that modprobe would load each file of @paths. Returns 0, or -errno with @reason
 * filled in: -EIO for the first one that it would not load.
 */
int lookup_check(const char *base, const char *release, const struct strlist *paths,
		 struct reason *reason) _checked_;

/*
 * List the names of the @count modules in @modules, of the modules that they were built
 * to need (depends= of .modinfo, which modpost writes), and of all that modules.dep in
 * the directory @fd says these need. Returns 0, or -errno with @reason filled in; call
 * strlist_free() in either case.
 */
int needs_list(const struct module *modules, size_t count, int fd, struct strlist *names,
	       struct reason *reason) _checked_;

/*
 * Check that in modules.dep of the directory @fd, each of the @count modules in @modules,
 * which are at @paths, needs only what needs_list() lists: the modules that were proven
 * to provide its symbols. Returns 0, or -errno with @reason filled in.
 */
int needs_check(const struct module *modules, size_t count, const struct strlist *paths,
		int fd, struct reason *reason) _checked_;
