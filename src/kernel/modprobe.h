/* SPDX-License-Identifier: GPL-2.0-only */
/* install --load: load the modules with modprobe, and check that they are live. */
#pragma once

#include "base/util.h"

struct strlist;

/*
 * Load wireguard with modprobe from the running kernel's directory @fd. Then check that
 * wireguard is loaded and live, and that each loaded module of @paths comes from its file
 * in @fd. Otherwise print why, with what the kernel logged, and unload the modules that
 * were not loaded before; some have no exit and stay. Returns 0 or -EIO.
 */
int modprobe_load(int fd, const struct strlist *paths) _must_check_ _nonnull_all_;
