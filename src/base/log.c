// SPDX-License-Identifier: GPL-2.0-only
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES 8192

static const char *current_verb = "run";
static bool info_to_stderr;

void log_set_verb(const char *verb)
{
	current_verb = verb;
}

void log_info_to_stderr(void)
{
	info_to_stderr = true;
}

#define PLAIN_MAX_BYTES (4 * LINE_MAX_BYTES + 1)

/*
 * Copy @line to @out, each byte of it that is not printable ASCII as \ooo: names, and the
 * words of other programs, must not reach a terminal as anything but text. Return @out.
 */
static const char *plain(const char *line, char out[PLAIN_MAX_BYTES])
{
	char *end = out;

	for (; *line && end < out + PLAIN_MAX_BYTES - 4; line++) {
		unsigned char c = (unsigned char)*line;

		if (c >= ' ' && c <= '~')
			*end++ = *line;
		else
			end += sprintf(end, "\\%03o", c);
	}
	*end = '\0';
	return out;
}

static void put_line(FILE *to, const char *prefix, const char *line)
{
	char out[PLAIN_MAX_BYTES];

	fprintf(to, "%s%s\n", prefix, plain(line, out));
}

void print_plain(const char *text)
{
	char out[PLAIN_MAX_BYTES];

	fputs(plain(text, out), stdout);
}

void log_words(char *line)
{
	line[strcspn(line, "\n")] = '\0';
	put_line(stderr, "", line);
}

/* Print "wgkmod: ", @start and the text. */
static _printf_(3, 0) void put_text(FILE *to, const char *start, const char *fmt,
				    va_list args)
{
	char line[LINE_MAX_BYTES];
	size_t used = (size_t)snprintf(line, sizeof(line), "%s", start);

	if (used < sizeof(line))
		vsnprintf(line + used, sizeof(line) - used, fmt, args);
	put_line(to, "wgkmod: ", line);
}

void log_failure(const char *path, const char *fmt, ...)
{
	char start[LINE_MAX_BYTES];
	va_list args;

	snprintf(start, sizeof(start), "cannot %s '%s': ", current_verb, path);
	va_start(args, fmt);
	put_text(stderr, start, fmt, args);
	va_end(args);
}

int log_reason(const char *path, int err, const struct reason *reason)
{
	if (err)
		log_failure(path, "%s", reason->text);
	return err;
}

int log_no_memory(void)
{
	log_error("%s", strerror(ENOMEM));
	return -ENOMEM;
}

void log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_text(stderr, "", fmt, args);
	va_end(args);
}

void log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_text(info_to_stderr ? stderr : stdout, "", fmt, args);
	va_end(args);
}

int reason_set(struct reason *reason, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason->text, sizeof(reason->text), fmt, args);
	va_end(args);
	return err;
}

/* asprintf() leaves the pointer undefined on failure, which no cleanup could handle. */
char *strdup_printf(const char *fmt, ...)
{
	char *text = NULL;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	return len < 0 ? NULL : text;
}

int reason_errno(struct reason *reason, int err)
{
	return err < 0 ? reason_set(reason, err, "%s", strerror(-err)) : err;
}

int reason_errno_at(struct reason *reason, int err, const char *fmt, ...)
{
	char where[REASON_MAX];
	va_list args;

	if (err >= 0)
		return err;
	va_start(args, fmt);
	vsnprintf(where, sizeof(where), fmt, args);
	va_end(args);
	return reason_set(reason, err, "%s: %s", where, strerror(-err));
}
