/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Change what is installed for a kernel, from the plan to the exchange: the part that
 * install and remove have in common.
 */
#pragma once

#include "base/host.h"
#include "tree/exchange.h"
#include "tree/plan.h"
#include "tree/state.h"

struct payload;

/* How often to start again if another process changes the kernel's directory. */
#define TRANSACTION_TRIES 5

struct transaction {
	struct host host;
	struct state state;   /* before */
	struct snapshot tree; /* the kernel's directory, before */
	struct plan plan;
	struct state next;	  /* after; borrows the paths of the plan */
	struct exchange exchange; /* it has a host once it has begun */
};

/* clang-format off */
#define TRANSACTION_INIT { .host = HOST_INIT, .exchange = EXCHANGE_INIT }
/* clang-format on */

/*
 * Each function that returns an int prints what is wrong, and returns 0 or -errno:
 * -EAGAIN if another process interfered, and nothing was changed.
 */
typedef int (*transaction_fn)(struct transaction *tx, void *arg);

/*
 * Open and lock the host with the kernel @release below @root, clean up after an
 * interrupted run, read the state, and call @work with @arg; then end the transaction. If
 * it returns -EAGAIN, do all of it again, up to TRANSACTION_TRIES times. With @dry, write
 * nothing. Returns what @work returns, or -errno: -EBADMSG for a damaged state.
 */
int transaction_run(struct transaction *tx, const char *root, const char *release,
		    bool dry, transaction_fn work, void *arg) _checked_;

/*
 * Look at the kernel's directory (survey.h), in which @payload (NULL: nothing) is to find
 * room. After that the caller fills in @plan, by plan.h.
 */
int transaction_survey(struct transaction *tx, const struct payload *payload) _must_check_
	_nonnull_(1);

/*
 * Return true if just @payload is installed already, the recorded time is not before that
 * of its signature, and modprobe finds it.
 */
bool transaction_is_done(const struct transaction *tx,
			 const struct payload *payload) _checked_;

/* Return the descriptor of the directory that the kernel has now, borrowed. */
int transaction_modules_fd(const struct transaction *tx) _checked_;

/*
 * Carry out the plan, towards @payload (NULL: nothing installed), up to and including the
 * exchange. transaction_revert() can undo it; exchange_confirm() keeps it, and puts aside
 * what another process lost by it.
 */
int transaction_commit(struct transaction *tx, const struct payload *payload) _must_check_
	_nonnull_(1);

/*
 * Exchange the directories again: everything is as before. An error means that the
 * modules stay installed.
 */
int transaction_revert(struct transaction *tx) _checked_;
