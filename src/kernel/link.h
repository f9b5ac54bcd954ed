/* SPDX-License-Identifier: GPL-2.0-only */
/* Network interfaces, as far as a module that makes some has to be tried. */
#pragma once

#include "base/util.h"

/*
 * Whether an interface of @kind can be made: one is, in a network namespace of its own
 * where the kernel has them, and is deleted again. Returns 0 or -errno, the kernel's.
 */
int link_try(const char *kind) _must_check_ _nonnull_all_;
