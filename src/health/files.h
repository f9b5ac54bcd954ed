/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Find the causes that show in a kernel's files: its modules, indexes and configuration.
 */
#pragma once

#include "base/util.h"

struct findings;

/* Which kernel is looked at. All strings are borrowed. */
struct patient {
	const char *root;    /* canonical */
	const char *release; /* of the kernel */
	bool running;	     /* it is the running kernel, with its own root */
};

/*
 * Look for causes in the files of @patient, and add them to @findings. Returns true if
 * the kernel has WireGuard built in, and needs no module.
 */
bool files_look(const struct patient *patient, struct findings *findings) _checked_;
