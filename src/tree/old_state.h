/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of earlier versions of wgkmod, in ROOT/var/lib/wgkmod/RELEASE:
 *
 *	installed	digests and paths, as of sha256sum
 *	folders		the directories that were made for them, one a line
 *	indexes		the indexes of depmod that were there before, one a line
 *	replaced/PATH	what was at PATH before, and was replaced
 *
 * It counts until the kernel's directory has a state of its own (state.h): the next
 * install or remove moves it there.
 */
#pragma once

#include "base/util.h"

struct state;

/*
 * Read the state of the kernel of @host, wherever it is; if nothing is installed, it is
 * empty. Returns 0, or -errno with @reason filled in, as state_load().
 */
int state_load_anywhere(struct state *state, const struct host *host,
			struct reason *reason) _checked_;

/*
 * Add the releases that have an old state below @root to @releases. Returns 0, or -errno
 * with @reason filled in.
 */
int old_state_list(const char *root, struct strlist *releases,
		   struct reason *reason) _checked_;

/*
 * Move an old state of @host, which is locked, into the kernel's directory, and remove
 * it. Whenever this is interrupted, one of the two states counts, and is whole. Returns 0
 * or, with @reason filled in, -errno: -EBADMSG for a damaged state.
 */
int old_state_take_over(const struct host *host, struct reason *reason) _checked_;
