/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A change of what is installed for a kernel, from its plan to the exchange: what install
 * and remove have in common.
 */
#pragma once

#include "base/host.h"
#include "tree/exchange.h"
#include "tree/plan.h"
#include "tree/state.h"

struct payload;

/* How often it is begun anew when somebody else changes the kernel's directory. */
#define TRANSACTION_TRIES 5

struct transaction {
	struct host host;
	struct state state; /* before */
	struct plan plan;
	struct state next; /* after; its paths are the plan's */
	struct exchange exchange;
	bool begun; /* the exchange */
	bool again; /* it failed with that, and nothing was changed */
};

/* clang-format off */
#define TRANSACTION_INIT { .host = HOST_INIT, .exchange = EXCHANGE_INIT }
/* clang-format on */

/*
 * Open and lock the host with the kernel @release below @root, clean up behind a killed run, read the state. With @dry nothing
 * is written. Prints what is wrong. @gone says whether the kernel's directory may be
 * missing; host.modules is NULL then.
 */
enum exit_code transaction_open(struct transaction *tx, const char *root,
				const char *release, bool dry,
				bool gone) _must_check_ _nonnull_all_;

/*
 * Carry out the plan, towards @payload (NULL: nothing installed), up to and including the
 * exchange. Prints what is wrong. Then transaction_revert() if it has to be taken back, and
 * transaction_end() in any case.
 */
enum exit_code transaction_commit(struct transaction *tx,
				  const struct payload *payload) _must_check_
	_nonnull_(1);

/* Exchange the directories once more: all is as it was. */
enum exit_code transaction_revert(struct transaction *tx) _must_check_ _nonnull_all_;

/* End what was begun, and free all but the payload. To be opened again afterwards. */
void transaction_end(struct transaction *tx) _nonnull_all_;
#define _cleanup_transaction_ _cleanup_(transaction_end)
