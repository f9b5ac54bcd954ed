/* SPDX-License-Identifier: GPL-2.0-only */
/* A module of the kernel's own: it tells how the kernel's modules are built. */
#pragma once

#include "fit/module.h"

struct reference {
	struct module module;
	char *path; /* below the kernel's directory; owned */
};

/* Decides whether the module at @path is passed over. */
typedef bool reference_skip_fn(const char *path, const void *arg);

/*
 * Read the first module in the modules.dep of @host that is below kernel/ and has
 * "intree" and a vermagic. Pass over those that @skip takes with @arg, and those that
 * cannot be read. Returns 0, or -errno with @reason filled in: -ENOENT if there is none,
 * and then the reason names the first that could not be read.
 */
int reference_read(struct reference *reference, const struct host *host,
		   reference_skip_fn *skip, const void *arg,
		   struct reason *reason) _must_check_ _nonnull_(1, 2, 3, 5);

void reference_free(struct reference *reference) _nonnull_all_;
#define _cleanup_reference_ _cleanup_(reference_free)
