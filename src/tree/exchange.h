/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exchange a kernel's directory of modules for a changed one, in one step.
 *
 * At any moment, even if the process or the machine dies, the kernel has either the old
 * directory or the new one, each with its own indexes and its own state (state.h).
 *
 * Calling sequence, with a host from host_open_locked():
 *
 *	exchange_recover()	clean up after an interrupted run
 *	exchange_begin()	make the clone
 *	…			change it: tree_fd by edit.h, state_save()
 *	exchange_index()	run depmod on the clone, and check what it wrote
 *	exchange_commit()	sync, check that nobody changed the old directory, and
 *				exchange
 *	exchange_revert()	optional: exchange again, so that the old directory is
 *				back; if another process has changed the new one, that
 *				stays
 *	exchange_confirm()	optional, some time later: put an old directory aside
 *				that another process has changed
 *	exchange_finish()	always: drop what has the clone's name now
 *
 * The clone is KERNELS/.wgkmod-RELEASE, beside the kernel's directory, so that relative
 * links in it stay valid. Before the exchange it is the new directory, after it the old
 * one: dropping it is right in both cases, and is all that recovery does.
 *
 * Each function returns 0, or -errno with @reason filled in: -EAGAIN if another process
 * changed the directory, and the caller can start again. After a failure the kernel has
 * the old directory; but if @exchanged is set it has the new one, because another process
 * has changed that. A directory that would be dropped with changes of another process in
 * it is put aside instead, and a message says where.
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

struct exchange {
	const struct host *host;     /* borrowed */
	int tree_fd;		     /* the clone */
	const struct snapshot *live; /* the kernel's directory before; borrowed */
	struct snapshot made;	     /* the clone after depmod */
	struct buf dep;		     /* modules.dep of the clone after depmod */
	sigset_t signals;	     /* that were blocked before */
	bool exchanged;
};

/* clang-format off */
#define EXCHANGE_INIT { .tree_fd = -1 }
/* clang-format on */

int exchange_recover(const struct host *host, struct reason *reason) _checked_;

/* Return true if an interrupted run left a clone, or another run is making one. */
bool exchange_is_left(const struct host *host) _checked_;

/* @live is the kernel's directory, as it was when all decisions were made. */
int exchange_begin(struct exchange *exchange, const struct host *host,
		   const struct snapshot *live, struct reason *reason) _checked_;

/*
 * @ours are the modules that modprobe has to find. @keep, or NULL, are the indexes to
 * keep: others that depmod made are removed.
 */
int exchange_index(struct exchange *exchange, const struct strlist *ours,
		   const struct strlist *keep, struct reason *reason) _must_check_
	_nonnull_(1, 2, 4);

int exchange_commit(struct exchange *exchange, struct reason *reason) _checked_;

int exchange_revert(struct exchange *exchange, struct reason *reason) _checked_;

/* See above. Prints where the directory was put. */
void exchange_confirm(const struct exchange *exchange) _nonnull_all_;

/* Call this after exchange_begin(), even if that failed. Prints what it leaves behind. */
void exchange_finish(struct exchange *exchange) _nonnull_all_;
