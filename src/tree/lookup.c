// SPDX-License-Identifier: GPL-2.0-only
#include "tree/lookup.h"

#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/spawn.h"
#include "base/strlist.h"
#include "fit/module.h"

#define WORDS 7 /* before the names */

/* "insmod FILE [OPTION...]" of print_action() in kmod's tools/modprobe.c. */
static int add_line(struct strlist *found, const char *directory, char *line)
{
	size_t len = strlen(directory);
	char *file = line + strlen("insmod ");

	if (strncmp(line, "insmod ", strlen("insmod ")) != 0)
		return 0;
	file[strcspn(file, " ")] = '\0';
	if (!strncmp(file, directory, len))
		file += len;
	return strlist_add(found, file);
}

static int run(char **argv, const char *directory, struct strlist *found,
	       struct reason *reason)
{
	_cleanup_buf_ struct buf output = { 0 };
	int ret = spawn_collect(argv, -1, &output, reason);
	char *cursor = output.data, *line;

	/* It failed to find one of them, and went on with the next. */
	if (ret < 0 && ret != -EIO)
		return ret;
	while ((line = strsep(&cursor, "\n")))
		if (add_line(found, directory, line) < 0)
			return reason_errno(reason, -ENOMEM);
	return 0;
}

int lookup_files(const char *base, const char *release, const struct strlist *paths,
		 struct strlist *found, struct reason *reason)
{
	/* No configuration: another file of its own may keep modprobe from loading them. */
	const char *const words[WORDS] = { "modprobe", "-C", "/dev/null",     "-S",
					   release,    "-a", "--show-depends" };
	_cleanup_free_ char *directory = strdup_printf(
		"%s/lib/modules/%s/", strcmp(base, "/") ? base : "", release);
	_cleanup_free_ const char **argv =
		calloc(WORDS + 2 + paths->count + 1, sizeof(*argv));
	_cleanup_strlist_ struct strlist names = { 0 };
	size_t argc = WORDS;

	if (!directory || !argv)
		return reason_errno(reason, -ENOMEM);
	memcpy(argv, words, sizeof(words));
	if (strcmp(base, "/") != 0) {
		argv[argc++] = "-d";
		argv[argc++] = base;
	}
	for (size_t i = 0; i < paths->count; i++) {
		_cleanup_free_ char *name = module_name_of(paths->items[i]);

		if (!name || strlist_add(&names, name) < 0)
			return reason_errno(reason, -ENOMEM);
		argv[argc++] = names.items[i];
	}
	return names.count ? run((char **)argv, directory, found, reason) : 0;
}

const char *lookup_path(const struct strlist *found, const char *path)
{
	_cleanup_free_ char *name = module_name_of(path);

	for (size_t i = 0; name && i < found->count; i++) {
		_cleanup_free_ char *other = module_name_of(found->items[i]);

		if (other && !strcmp(name, other))
			return found->items[i];
	}
	return NULL;
}

int lookup_check(const char *base, const char *release, const struct strlist *paths,
		 struct reason *reason)
{
	_cleanup_strlist_ struct strlist found = { 0 };
	int ret = lookup_files(base, release, paths, &found, reason);

	for (size_t i = 0; ret == 0 && i < paths->count; i++) {
		const char *path = paths->items[i];
		const char *taken = lookup_path(&found, path);

		if (!taken)
			ret = reason_set(reason, -EIO, "modprobe does not find %s", path);
		else if (strcmp(taken, path) != 0)
			ret = reason_set(reason, -EIO, "modprobe would load %s, not %s",
					 taken, path);
	}
	return ret;
}
