/* SPDX-License-Identifier: GPL-2.0-only */
/* The running kernel, as /proc and /sys show it: which code it has of a module. */
#pragma once

#include "base/util.h"

enum loaded {
	LOADED_NONE,	/* none of its name is loaded */
	LOADED_SAME,	/* it is, and from this file */
	LOADED_OTHER,	/* one of its name from another file is */
	LOADED_UNKNOWN, /* one of its name is, and nothing tells which */
};

/*
 * Whether the module that the file @path of the directory @fd is of is loaded: by srcversion
 * and by the linker's build-id, as far as both the file and the kernel have them. A
 * kernel without MODULE_SRCVERSION_ALL gives the first to few modules.
 */
enum loaded loaded_compare(int fd, const char *path) _must_check_ _nonnull_all_;

/* Whether a module of @name is loaded. */
bool loaded_any(const char *name) _must_check_ _nonnull_all_;
