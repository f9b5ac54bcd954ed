/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration of modprobe: what keeps it from loading a module by its name. */
#pragma once

#include "base/util.h"

enum modconf_kind { MODCONF_BLACKLIST, MODCONF_INSTALL, MODCONF_ALIAS };

/* @name is that of a module, @value what an alias stands for, or NULL. */
typedef void (*modconf_fn)(enum modconf_kind kind, const char *name, const char *value,
			   void *arg);

/*
 * Call @use with @arg for each line blacklist, install and alias in the configuration of
 * modprobe below the root of @host. Returns 0, or -errno with @reason filled in: -EINVAL
 * if a file there is not regular, as modprobe would wait for it.
 */
int modconf_each(const struct host *host, modconf_fn use, void *arg,
		 struct reason *reason) _must_check_ _nonnull_(1, 2, 4);

/*
 * Check the files of the @count @directories, paths below the root of @host, of depmod's
 * or modprobe's configuration. Returns 0, or -errno with @reason filled in: -EINVAL for a
 * file that is not regular, or a link that leads out of the root.
 */
int modconf_check(const struct host *host, const char *const *directories, size_t count,
		  struct reason *reason) _checked_;
