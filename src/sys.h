/* SPDX-License-Identifier: GPL-2.0-only */
/* The running kernel, as /proc and /sys show it: which code it has of a module. */
#pragma once

#include "util.h"

/* The first line of a file of sysfs or procfs, owned by the caller, or NULL. */
char *sys_read(const char *path) _must_check_ _nonnull_(1);

enum sys_loaded {
	SYS_ABSENT,	  /* none of its name is loaded */
	SYS_SAME,	  /* it is, and from this file */
	SYS_OTHER,	  /* one of its name from another file is */
	SYS_INCOMPARABLE, /* one of its name is, and nothing tells which */
};

/*
 * Whether the module that the file @path of the folder @fd is of is loaded: by srcversion
 * and by the linker's build-id, as far as both the file and the kernel have them. A
 * kernel without MODULE_SRCVERSION_ALL gives the first to few modules.
 */
enum sys_loaded sys_compare(int fd, const char *path) _must_check_ _nonnull_(2);

/* Whether a module of @name is loaded. */
bool sys_is_loaded(const char *name) _must_check_ _nonnull_(1);
