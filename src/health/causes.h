/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why WireGuard does not work on a host: the table of the causes that doctor knows, and a
 * list of those that it found. The manual page has the same table (section CAUSES).
 */
#pragma once

#include "base/strlist.h"
#include "base/util.h"

/*
 * From the outside in: what is first in this list explains a failure without the rest.
 * The codes in cause_table[] are stable; their order is not.
 */
enum cause {
	CAUSE_CONTAINER_HOST,
	CAUSE_CONTAINER_RIGHTS,
	CAUSE_NO_MODPROBE,
	CAUSE_KERNEL_GONE,
	CAUSE_HALF_INSTALLED,
	CAUSE_REBOOTED,
	CAUSE_OTHER_KERNEL,
	CAUSE_NOT_INSTALLED,
	CAUSE_NO_INDEX,
	CAUSE_COMPRESSED,
	CAUSE_INSTALL_COMMAND,
	CAUSE_NEEDED_MISSING,
	CAUSE_LIBRARY_MISSING,
	CAUSE_WRONG_VERMAGIC,
	CAUSE_NO_VERSIONS,
	CAUSE_WRONG_VERSIONS,
	CAUSE_MODULES_DISABLED,
	CAUSE_LOCKDOWN,
	CAUSE_NOT_SIGNED,
	CAUSE_KEY_UNKNOWN,
	CAUSE_WRONG_BTF,
	CAUSE_BLACKLISTED,
	CAUSE_STALE_ALIASES,
	CAUSE_UNEXPLAINED,
	CAUSE_USERSPACE,
	CAUSE_IPV6_OFF,
	CAUSE_NETFILTER,
	CAUSE_TAINT,
	CAUSE_COMPATIBLE,
	CAUSE_COUNT
};

struct cause_info {
	const char *code;
	const char *sentence;
	const char
		*next; /* what to do; the word RELEASE stands for the kernel's release */
};

extern const struct cause_info cause_table[CAUSE_COUNT];

struct findings {
	char *seen[CAUSE_COUNT]; /* the evidence of each cause that was found; owned */
	struct strlist unseen;	 /* what could not be looked at, and why */
};

/*
 * Note @cause with its evidence. The first evidence of a cause stays. Without memory for
 * it, the evidence is "-"; without memory for that, the cause is lost, after a message.
 */
void findings_add(struct findings *findings, enum cause cause, const char *fmt,
		  ...) _nonnull_all_ _printf_(3, 4);

/* Note something that could not be looked at. */
void findings_unseen(struct findings *findings, const char *fmt, ...) _nonnull_all_
	_printf_(2, 3);

/* Return true if @cause only explains a message, and keeps nothing from working. */
bool cause_is_harmless(enum cause cause) _must_check_;

/* Return the first cause found that is not harmless, or CAUSE_COUNT. */
enum cause findings_first(const struct findings *findings) _checked_;

void findings_free(struct findings *findings);
#define _cleanup_findings_ _cleanup_(findings_free)
