/* SPDX-License-Identifier: GPL-2.0-only */
/* install --load: modprobe, and whether it brought what was installed. */
#pragma once

#include "base/util.h"

struct strlist;

/*
 * Load wireguard with modprobe, from the running kernel's directory, which is @fd. Then each
 * of the modules @paths that is loaded has to be from its file there, wireguard among
 * them, and an interface of its kind has to be possible. If not, prints why, with what
 * the kernel said meanwhile, and unloads what was not loaded before, as far as it can be:
 * some modules have no exit. Returns EXIT_DONE or EXIT_NOT_LOADED.
 */
enum exit_code modprobe_load(int fd,
			     const struct strlist *paths) _must_check_ _nonnull_all_;
