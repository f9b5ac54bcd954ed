/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a run of exchange.h leaves on the disk, settled: finished where the exchange had been
 * made, else dropped. A run does so at its end, and the next one for one that was killed.
 */
#pragma once

#include "base/util.h"

struct host;
struct reason;

/*
 * The name of the clone, beside the kernel's directory. Owned by the caller; NULL without
 * memory.
 */
char *recover_clone_name(const struct host *host) _must_check_ _nonnull_all_;

/*
 * Settle what is left for the kernel of @host, under its lock. Returns 0, or -errno with
 * @reason filled in; -EBADMSG for a journal that names no directory.
 */
int recover_settle(const struct host *host,
		   struct reason *reason) _must_check_ _nonnull_all_;

/* The same where the work itself is done: what is not possible now is said, and left to
 * the next run. */
void recover_or_leave(const struct host *host) _nonnull_all_;

/* Drop the state of a kernel whose directory is gone. Returns 0, or -errno with @reason
 * filled in. */
int recover_forget(const struct host *host,
		   struct reason *reason) _must_check_ _nonnull_all_;

/* Whether a killed run left something that recover_settle() would clean up. */
bool recover_is_needed(const struct host *host) _nonnull_all_;
