/* SPDX-License-Identifier: GPL-2.0-only */
/* Find the causes that only the running kernel, and its surroundings, show. */
#pragma once

#include "base/util.h"

struct findings;

/*
 * Look from the outside: is this a container that cannot load modules, and is there a
 * modprobe? Adds what is in the way to @findings.
 */
void running_look_outside(struct findings *findings) _nonnull_all_;

/*
 * Look at the switches of the running kernel, @release, at its command line, and at what it
 * logged of WireGuard since its modules changed.
 */
void running_look_inside(const char *release, struct findings *findings) _nonnull_all_;

/* WireGuard is loaded: note what its taint means. */
void running_look_at_taint(struct findings *findings) _nonnull_all_;

/*
 * Run modprobe, and find the cause if it fails or does nothing, by what it and the kernel
 * say.
 */
void running_load(struct findings *findings) _nonnull_all_;

/* Look at what wg-quick needs besides the module: IPv6, a packet filter; and wireguard-go. */
void running_look_around(struct findings *findings) _nonnull_all_;
