/* SPDX-License-Identifier: GPL-2.0-only */
/* Find the causes that show in the modules that modprobe would load. */
#pragma once

#include "base/util.h"

struct look;

/*
 * Read the files in @look->loads, a module of the kernel's own and its symbol table, and
 * add what does not fit to @look->findings.
 */
void modules_look(struct look *look) _nonnull_all_;
