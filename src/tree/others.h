/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Other people's depmod. One that looked at a directory of modules before it was exchanged
 * writes what it saw into the new one: depmod opens the directory by name at its end.
 */
#pragma once

#include "base/util.h"

struct host;

/*
 * Wait for each depmod that now runs for @host's kernel below its root, but not for those
 * that start meanwhile, and not for ever. Returns how many there were; 0 also where /proc
 * does not tell.
 */
size_t others_wait(const struct host *host) _nonnull_all_;
