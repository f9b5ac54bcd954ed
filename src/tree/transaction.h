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
	struct state state; /* before */
	struct plan plan;
	struct state next; /* after; borrows the paths of the plan */
	struct exchange exchange;
	bool begun; /* the exchange has begun */
	bool again; /* another process interfered; nothing was changed */
};

/* clang-format off */
#define TRANSACTION_INIT { .host = HOST_INIT, .exchange = EXCHANGE_INIT }
/* clang-format on */

/*
 * Open and lock the host with the kernel @release below @root, clean up after an
 * interrupted run, and read the state. With @dry, write nothing. Prints what is wrong.
 * Returns EXIT_DONE, EXIT_UNTRUSTED (a damaged state) or EXIT_FAILED.
 */
enum exit_code transaction_open(struct transaction *tx, const char *root,
				const char *release, bool dry) _must_check_ _nonnull_all_;

/*
 * Carry out the plan, towards @payload (NULL: nothing installed), up to and including the
 * exchange. Prints what is wrong. Returns EXIT_DONE or EXIT_FAILED. transaction_revert()
 * can undo it; transaction_end() has to follow in any case.
 */
enum exit_code transaction_commit(struct transaction *tx,
				  const struct payload *payload) _must_check_
	_nonnull_(1);

/*
 * Exchange the directories again: everything is as before. Returns EXIT_DONE, or
 * EXIT_FAILED if the modules stay installed, after printing why.
 */
enum exit_code transaction_revert(struct transaction *tx) _must_check_ _nonnull_all_;

/*
 * End the exchange, and free everything but the payload. The transaction can be opened
 * again.
 */
void transaction_end(struct transaction *tx) _nonnull_all_;
#define _cleanup_transaction_ _cleanup_(transaction_end)
