/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages. Each problem is printed once, by whoever knows the operation and the path;
 * functions below that level hand their reason up in a struct reason.
 */
#pragma once

#include "base/util.h"

#define REASON_MAX 512

/* Why something failed, in words, without a newline. Cut when too long. */
struct reason {
	char text[REASON_MAX];
};

/* Remember the verb for the messages of log_failure(). @verb: a literal, kept. */
void log_set_verb(const char *verb) _nonnull_all_;

/*
 * "wgkmod: cannot VERB 'PATH': reason" on standard error. Control characters, which
 * a hostile name may hold, are printed as '?', here and in the functions below.
 */
void log_failure(const char *path, const char *fmt, ...) _nonnull_all_ _printf_(2, 3);

/* "wgkmod: sentence" on standard error. */
void log_error(const char *fmt, ...) _nonnull_all_ _printf_(1, 2);

/* "wgkmod: sentence" on standard output. */
void log_info(const char *fmt, ...) _nonnull_all_ _printf_(1, 2);

/* "s" after a @count that is not one: "%zu file%s". */
#define PLURAL(count) ((count) == 1 ? "" : "s")

/* Write @fmt into @reason and return @err, as in "return reason_set(…)". */
int reason_set(struct reason *reason, int err, const char *fmt, ...) _nonnull_all_
	_printf_(3, 4);

/* A string of its own, that the caller frees, or NULL without memory. */
char *strdup_printf(const char *fmt, ...) _must_check_ _nonnull_all_ _printf_(1, 2);

/* reason_set() with the text of errno -@err. */
int reason_errno(struct reason *reason, int err) _nonnull_all_;
