// SPDX-License-Identifier: GPL-2.0-only
#include "base/strlist.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"

void strlist_free(struct strlist *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct strlist){ 0 };
}

int strlist_add(struct strlist *names, const char *name)
{
	char **grown;

	/* The array is full at each power of two. */
	if ((names->count & (names->count - 1)) == 0) {
		size_t room = names->count ? 2 * names->count : 1;

		grown = reallocarray(names->items, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		names->items = grown;
	}
	names->items[names->count] = strdup(name);
	if (!names->items[names->count])
		return -ENOMEM;
	names->count++;
	return 0;
}

bool strlist_has(const struct strlist *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->items[i], name))
			return true;
	return false;
}

void strlist_drop(struct strlist *names, size_t index)
{
	char *gone = names->items[index];

	names->count--;
	memmove(&names->items[index], &names->items[index + 1],
		(names->count - index) * sizeof(*names->items));
	free(gone);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strlist_sort(struct strlist *names)
{
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), compare);
}

bool strlist_find(const struct strlist *sorted, const char *name)
{
	return sorted->count && bsearch(&name, sorted->items, sorted->count,
					sizeof(*sorted->items), compare) != NULL;
}

bool strlist_path_ok(const char *path)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+@~=-";
	const char *name = path;

	if (strlen(path) >= PATH_MAX)
		return false;
	for (;;) {
		size_t len = strcspn(name, "/");

		if (len == 0 || len > NAME_MAX || name[0] == '.' ||
		    strspn(name, allowed) < len)
			return false;
		if (!name[len])
			return true;
		name += len + 1;
	}
}

int strlist_parse(struct strlist *names, const char *text, struct reason *reason)
{
	const char *end;

	for (size_t number = 1; *text; number++, text = end + 1) {
		_cleanup_free_ char *line = NULL;

		end = strchr(text, '\n');
		if (!end)
			return reason_set(reason, -EBADMSG,
					  "line %zu: no newline, the file was cut short",
					  number);
		line = strndup(text, (size_t)(end - text));
		if (!line)
			return reason_errno(reason, -ENOMEM);
		if (!strlist_path_ok(line))
			return reason_set(
				reason, -EBADMSG,
				"line %zu: '%s' is not a path below a directory", number,
				line);
		if (strlist_add(names, line) < 0)
			return reason_errno(reason, -ENOMEM);
	}
	return 0;
}

int strlist_format(const struct strlist *names, struct buf *out)
{
	FILE *to = open_memstream(&out->data, &out->size);

	if (!to)
		return -errno;
	for (size_t i = 0; i < names->count; i++)
		fprintf(to, "%s\n", names->items[i]);
	return fclose(to) == 0 ? 0 : -errno;
}
