/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A change of what is installed for a kernel, from its plan to the exchange: what install
 * and remove have in common.
 */
#pragma once

#include "host.h"
#include "plan.h"
#include "state.h"
#include "swap.h"

struct params;
struct payload;

/* How often it is begun anew when somebody else changes the kernel's folder. */
#define SET_TRIES 5

struct set {
	struct host host;
	struct state state; /* before */
	struct plan plan;
	struct state next; /* after; its paths are the plan's */
	struct swap swap;
	bool begun; /* the swap */
	bool again; /* it failed with that, and nothing was changed */
};

#define SET_INIT                                     \
	{                                            \
		.host = HOST_INIT, .swap = SWAP_INIT \
	}

/*
 * Open and lock the host, clean up behind a killed run, read the state. With @dry nothing
 * is written. Prints what is wrong. @gone says whether the kernel's folder may be
 * missing; host.modules is NULL then.
 */
enum exit_code set_open(struct set *set, const struct params *params, bool dry,
			bool gone) _must_check_ _nonnull_(1, 2);

/*
 * Carry out the plan, towards @payload (NULL: nothing installed), up to and including the
 * exchange. Prints what is wrong. Then set_back() if it has to be taken back, and
 * set_end() in any case.
 */
enum exit_code set_exchange(struct set *set, const struct payload *payload) _must_check_
	_nonnull_(1);

/* Exchange the folders once more: all is as it was. */
enum exit_code set_back(struct set *set) _must_check_ _nonnull_(1);

/* End what was begun, and free all but the payload. To be opened again afterwards. */
void set_end(struct set *set) _nonnull_(1);
#define _cleanup_set_ _cleanup_(set_end)
