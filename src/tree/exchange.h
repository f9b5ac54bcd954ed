/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exchange a kernel's directory of modules for a changed one, in one step.
 *
 * At any moment, even if the process or the machine dies, the kernel has either the old
 * directory or the new one, each with its own indexes, and the state of wgkmod says
 * which.
 *
 * Calling sequence, with a host from host_open_locked():
 *
 *	recover_settle()	clean up after an interrupted run (recover.h)
 *	exchange_begin()	make the clone, and a clone of the state
 *	…			change both: tree_fd by edit.h, state_fd, state_save()
 *	exchange_index()	run depmod on the clone, and check what it wrote
 *	exchange_commit()	sync, write the journal, check that nobody changed the
 *				old directory, and exchange
 *	exchange_revert()	optional: exchange again, so that the old directory is
 *				back; if another process has changed the new one, that
 *				stays
 *	exchange_confirm()	optional, some time later: put an old directory aside
 *				that another process has changed
 *	exchange_finish()	always: settle what happened, and drop the rest
 *
 * The state on disk, by the directory that the journal (state.h) names:
 *
 *	none, or not the kernel's now	not exchanged: drop the clones
 *	the kernel's			exchanged: the next state is valid, drop the old
 *
 * exchange_finish() and recover_settle() do the same, so that an interrupted run is no
 * special case. The clone is KERNELS/.wgkmod-RELEASE, beside the kernel's directory, so
 * that relative links in it stay valid; state.h has the names of the rest.
 *
 * Each function returns 0, or -errno with @reason filled in: -EAGAIN if another process
 * changed the directory, and the caller can start again. After a failure the kernel has
 * the old directory; but if @exchanged is set it has the new one, with its state, because
 * another process has changed that. A directory that would be dropped with changes of
 * another process in it is put aside instead, and a message says where.
 *
 * Signals that would end the process are blocked from exchange_begin() to
 * exchange_finish(). One that arrives before the exchange makes that fail with -EINTR.
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
	const struct host *host;	 /* borrowed */
	int base_fd;			 /* ROOT/var/lib/wgkmod */
	int tree_fd;			 /* the clone */
	int state_fd;			 /* the next state */
	struct snapshot live;		 /* the kernel's directory when it was cloned */
	struct snapshot made;		 /* the clone after depmod */
	struct buf dep;			 /* modules.dep of the clone after depmod */
	struct strlist made_directories; /* the parents of base_fd */
	sigset_t signals;		 /* that were blocked before */
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

/* See above. Prints where the directory was put. */
void exchange_confirm(const struct exchange *exchange) _nonnull_all_;

/* Call this after exchange_begin(), even if that failed. Prints what it leaves behind. */
void exchange_finish(struct exchange *exchange) _nonnull_all_;
