/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel's directory of modules, exchanged in one step for a changed one.
 *
 * Purpose: at any moment, also when the process or the machine dies, the kernel has the
 * old directory or the new one, each with its own indexes, and wgkmod's state says which.
 *
 * Calling sequence, with a host of host_open_locked():
 *
 *	recover_settle()  finish or take back what a killed run left (recover.h)
 *	exchange_begin()	make the clone, and a clone of the state
 *	…		change both: tree_fd by edit.h, state_fd and state_save()
 *	exchange_index()	depmod on the clone, and a look at what it wrote; meanwhile the rest is
 *			flushed
 *	exchange_commit()	flush, journal, look that nobody changed the old one, exchange
 *	exchange_revert()	optional: exchange again, the old directory is there as it was, unless
 *			somebody changed the new one meanwhile, which then stays and gets
 *			what was changed in the old one
 *	exchange_confirm()	optional, when time has passed since: an old directory that somebody
 *			changed meanwhile is put aside
 *	exchange_finish()	always: what became of it is settled, and the rest dropped
 *
 * States on disk, told apart by which directory the journal (state.h) names:
 *
 *	none, or not the kernel's now	nothing has happened: drop the clones
 *	the kernel's			it has: the next state counts, drop the old
 *
 * exchange_finish() and recover_settle() do the same thing, which is why a killed run is no special
 * case. The names used: KERNELS/.wgkmod-RELEASE for the clone (beside the kernel's directory,
 * so that relative links in it lead to where they did), and those of state.h.
 *
 * Errors: 0 or -errno with @reason filled in; -EAGAIN when somebody changed the directory
 * meanwhile, and all can be begun anew. Unless a function succeeded, the kernel's directory
 * is the old one; but where @exchanged is set it is the new one, with its state, as that
 * has what somebody else put there. Signals that would end the process wait from
 * exchange_begin() to exchange_finish().
 */
#pragma once

#include <signal.h>

#include "base/file.h"
#include "base/strlist.h"
#include "base/util.h"
#include "tree/snapshot.h"

struct host;
struct reason;

struct exchange {
	const struct host *host; /* borrowed */
	int base_fd;		 /* ROOT/var/lib/wgkmod */
	int tree_fd;		 /* the clone */
	int state_fd;		 /* the next state */
	struct snapshot live;	 /* of the kernel's directory, when the clone was made */
	struct snapshot made;	 /* of the clone, with what depmod made */
	struct buf dep;		 /* the modules.dep that depmod wrote into the clone */
	struct strlist made_directories; /* for base_fd, below the root */
	sigset_t signals;		 /* those blocked before */
	bool exchanged;
};

/* clang-format off */
#define EXCHANGE_INIT { .base_fd = -1, .tree_fd = -1, .state_fd = -1 }
/* clang-format on */

int exchange_begin(struct exchange *exchange, const struct host *host,
		   struct reason *reason) _must_check_ _nonnull_all_;

int exchange_index(struct exchange *exchange,
		   struct reason *reason) _must_check_ _nonnull_all_;

int exchange_commit(struct exchange *exchange,
		    struct reason *reason) _must_check_ _nonnull_all_;

int exchange_revert(struct exchange *exchange,
		    struct reason *reason) _must_check_ _nonnull_all_;

/* Prints where it is put. */
void exchange_confirm(struct exchange *exchange) _nonnull_all_;

/* To be called after exchange_begin(), also when that failed. Prints what it leaves behind.
 */
void exchange_finish(struct exchange *exchange) _nonnull_all_;
