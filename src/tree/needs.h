/* SPDX-License-Identifier: GPL-2.0-only */
/* What a set of modules stands on: other modules of the kernel, by name. */
#pragma once

#include "base/util.h"

struct module;
struct reason;
struct strlist;

/*
 * List the names of the @count modules in @modules, of the modules that they were built
 * to need (depends= of .modinfo, which modpost writes), and of all that modules.dep in the
 * directory @fd says these need. Returns 0, or -errno with @reason filled in; call
 * strlist_free() in either case.
 */
int needs_list(const struct module *modules, size_t count, int fd, struct strlist *names,
	       struct reason *reason) _must_check_ _nonnull_(1, 4, 5);

/*
 * Check that in modules.dep of the directory @fd, each of the @count modules in @modules,
 * which are at @paths, needs only what needs_list() lists: the modules that were proven
 * to provide its symbols. Returns 0, or -errno with @reason filled in.
 */
int needs_check(const struct module *modules, size_t count, const struct strlist *paths,
		int fd, struct reason *reason) _must_check_ _nonnull_(1, 3, 5);
