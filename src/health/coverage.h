/* SPDX-License-Identifier: GPL-2.0-only */
/* Which of a host's kernels have WireGuard. */
#pragma once

#include "base/util.h"

enum coverage {
	COVERAGE_COVERED, /* wgkmod installed it, and it is intact */
	COVERAGE_OWN,	  /* the kernel's own: built in, or its module */
	COVERAGE_FOREIGN, /* somebody else installed a module; nothing is known of it */
	COVERAGE_STORED,  /* not installed, but a bundle is in the store */
	COVERAGE_DAMAGED, /* wgkmod installed it; it is changed, missing or unlisted */
	COVERAGE_NONE,
	COVERAGE_UNKNOWN, /* could not be read */
};

/* Return the word of @coverage in --porcelain. */
const char *coverage_word(enum coverage coverage) _must_check_;

/* Return what it means, as the end of the sentence "RELEASE: …". */
const char *coverage_text(enum coverage coverage) _must_check_;

/* Return true if a kernel with @coverage has WireGuard. */
bool coverage_is_good(enum coverage coverage) _must_check_;

/*
 * List the installed kernels below @root, sorted: the directories of lib/modules with a
 * directory kernel/, and those of whose release boot/ has a vmlinuz. Returns 0, or -errno
 * with @reason filled in; call strlist_free() in either case.
 */
int kernels_list(const char *root, struct strlist *releases,
		 struct reason *reason) _checked_;

/* Find out whether the kernel @release below @root has WireGuard. */
enum coverage coverage_of(const char *root, const char *release) _checked_;

/* Return true if the kernel of the directory @modules_fd has WireGuard built in. */
bool coverage_is_built_in(int modules_fd) _must_check_;
