/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages. The function that knows the operation and the path prints each problem, once;
 * functions below it hand their reason up in a struct reason.
 */
#pragma once

#include "base/util.h"

#define REASON_MAX 512

/* Why something failed, in words, without a newline. A longer text is cut. */
struct reason {
	char text[REASON_MAX];
};

/* Set the verb of the messages of log_failure(). @verb is a literal, and not copied. */
void log_set_verb(const char *verb) _nonnull_all_;

/*
 * Print "wgkmod: cannot VERB 'PATH': reason" on standard error. This function and those
 * below print each byte that is not printable ASCII, which a hostile name may hold, as
 * \ooo.
 */
void log_failure(const char *path, const char *fmt, ...) _nonnull_all_ _printf_(2, 3);

/* Unless @err is 0, print @reason as log_failure() does. Return @err. */
int log_reason(const char *path, int err, const struct reason *reason) _nonnull_all_;

/* Print that there is no memory. Return -ENOMEM. */
int log_no_memory(void);

/* Print "wgkmod: sentence" on standard error. */
void log_error(const char *fmt, ...) _nonnull_all_ _printf_(1, 2);

/* Print @text on standard output, without a line's end; not printable bytes as above. */
void print_plain(const char *text) _nonnull_all_;

/*
 * Print the sentences of log_info() on standard error from now on: what is on standard
 * output is for a program.
 */
void log_info_to_stderr(void);

/* Print "wgkmod: sentence" on standard output. */
void log_info(const char *fmt, ...) _nonnull_all_ _printf_(1, 2);

/*
 * Print @line, which another program printed, on standard error. Cuts it at its newline.
 */
void log_words(char *line) _nonnull_all_;

/* "s" unless @count is one, as in "%zu file%s". */
#define PLURAL(count) ((count) == 1 ? "" : "s")

/* Write @fmt into @reason and return @err, as in "return reason_set(…)". */
int reason_set(struct reason *reason, int err, const char *fmt, ...) _nonnull_all_
	_printf_(3, 4);

/* Return a new string, which the caller frees, or NULL without memory. */
char *strdup_printf(const char *fmt, ...) _checked_ _printf_(1, 2);

/* Write the text of the error @err (-errno) into @reason, if it is one. Return @err. */
int reason_errno(struct reason *reason, int err) _nonnull_all_;

/* Do the same, with @fmt and a colon before it. */
int reason_errno_at(struct reason *reason, int err, const char *fmt, ...) _nonnull_all_
	_printf_(3, 4);
