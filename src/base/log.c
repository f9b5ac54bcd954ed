// SPDX-License-Identifier: GPL-2.0-only
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

/*
 * Print @line, each byte of it that is not printable ASCII as \ooo: names, and the words
 * of other programs, must not reach a terminal as anything but text.
 */
static void put_line(FILE *to, const char *prefix, const char *line)
{
	char out[4 * LINE_MAX_BYTES + 1], *end = out;

	for (; *line && end < out + sizeof(out) - 4; line++) {
		unsigned char c = (unsigned char)*line;

		if (c >= ' ' && c <= '~')
			*end++ = *line;
		else
			end += sprintf(end, "\\%03o", c);
	}
	*end = '\0';
	fprintf(to, "%s%s\n", prefix, out);
}

void log_words(char *line)
{
	line[strcspn(line, "\n")] = '\0';
	put_line(stderr, "", line);
}

void log_failure(const char *path, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	size_t used;
	va_list args;

	used = (size_t)snprintf(line, sizeof(line), "cannot %s '%s': ", current_verb,
				path);
	if (used >= sizeof(line))
		used = sizeof(line) - 1;
	va_start(args, fmt);
	vsnprintf(line + used, sizeof(line) - used, fmt, args);
	va_end(args);
	put_line(stderr, "wgkmod: ", line);
}

void log_error(const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	put_line(stderr, "wgkmod: ", line);
}

void log_info(const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	put_line(info_to_stderr ? stderr : stdout, "wgkmod: ", line);
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
	return reason_set(reason, err, "%s", strerror(-err));
}
