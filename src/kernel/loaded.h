/* SPDX-License-Identifier: GPL-2.0-only */
/* The modules of the running kernel, as /sys shows them; and install --load. */
#pragma once

#include "base/util.h"

enum loaded {
	LOADED_NONE,	/* no module of that name is loaded */
	LOADED_SAME,	/* this file is loaded */
	LOADED_OTHER,	/* another module of that name is loaded */
	LOADED_UNKNOWN, /* a module of that name is, and cannot be compared */
};

/*
 * Compare the module file @path in the directory @fd with the loaded module of its name,
 * by srcversion and by the linker's build-id, as far as both have them. A kernel without
 * MODULE_SRCVERSION_ALL gives few modules a srcversion.
 */
enum loaded loaded_compare(int fd, const char *path) _checked_;

/* Return true if a module of @name is loaded. */
bool loaded_any(const char *name) _checked_;

/* Return true if the module @name is loaded and its init has succeeded. */
bool loaded_live(const char *name) _checked_;

/*
 * Open the log of the kernel, from its start or @from_now on. Returns a descriptor that
 * the caller owns, or -1 with errno set.
 */
int kmsg_open(bool from_now) _must_check_;

/* The longest record, and a NUL. */
#define KMSG_BYTES 8193

/*
 * Read the next record of the log @fd, of kmsg_open(), into @record. Returns the first
 * line of its text, inside @record, and sets *@time to its time in µs of boot; or NULL
 * after the last record, or if @fd is -1.
 */
const char *kmsg_next(int fd, char record[static KMSG_BYTES], long long *time) _checked_;

/*
 * Load wireguard with modprobe from the running kernel's directory @fd. Then check that
 * wireguard is loaded and live, and that each loaded module of @paths comes from its file
 * in @fd. Otherwise print why, with what the kernel logged, and unload the modules that
 * were not loaded before; some have no exit and stay. Returns 0 or -EIO.
 */
int modprobe_load(int fd, const struct strlist *paths) _checked_;
