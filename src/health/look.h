/* SPDX-License-Identifier: GPL-2.0-only */
/* A look at a kernel's files: what files.c and modules.c know of them. */
#pragma once

#include "base/host.h"
#include "base/strlist.h"
#include "fit/module.h"
#include "fit/symvers.h"
#include "tree/snapshot.h"
#include "tree/state.h"

struct look {
	bool running; /* the kernel is the running one */
	struct findings *findings;
	struct host host;
	struct state state;
	struct snapshot tree;	/* of the kernel's directory */
	struct strlist loads;	/* the files that modprobe would load, WireGuard last */
	struct module *modules; /* those of them that could be read */
	size_t n_modules;
	struct module reference; /* of the kernel's own; its path is NULL: none */
	struct symvers symvers;	 /* the kernel's own table, if there is one */
};

void look_free(struct look *look) _nonnull_all_;

/* Return the path of the module @name on the disk, owned by the tree, or NULL. */
const char *look_on_disk(const struct look *look, const char *name) _checked_;

/* Return true if modprobe would load the module @name. */
bool look_loads(const struct look *look, const char *name) _checked_;

/*
 * Read the files in @look->loads, a module of the kernel's own and its symbol table, and
 * add what does not fit to @look->findings. (modules.c)
 */
void modules_look(struct look *look) _nonnull_all_;
