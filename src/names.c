// SPDX-License-Identifier: GPL-2.0-only
#include "names.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "log.h"

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct names){ 0 };
}

int names_add(struct names *names, const char *name)
{
	char **grown;

	/* At each power of two there is no room left. */
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

bool names_has(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->items[i], name))
			return true;
	return false;
}

void names_drop(struct names *names, size_t index)
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

void names_sort(struct names *names)
{
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), compare);
}

bool names_find(const struct names *sorted, const char *name)
{
	return sorted->count && bsearch(&name, sorted->items, sorted->count,
					sizeof(*sorted->items), compare) != NULL;
}

bool names_path_ok(const char *path)
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

int names_parse(struct names *names, const char *text, struct reason *reason)
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
		if (!names_path_ok(line))
			return reason_set(reason, -EBADMSG,
					  "line %zu: '%s' is not a path below a folder",
					  number, line);
		if (names_add(names, line) < 0)
			return reason_errno(reason, -ENOMEM);
	}
	return 0;
}

int names_format(const struct names *names, struct buf *out)
{
	FILE *to = open_memstream(&out->data, &out->size);

	if (!to)
		return -errno;
	for (size_t i = 0; i < names->count; i++)
		fprintf(to, "%s\n", names->items[i]);
	return fclose(to) == 0 ? 0 : -errno;
}
