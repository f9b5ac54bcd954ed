// SPDX-License-Identifier: GPL-2.0-only
#include "tree/lookup.h"

#include "base/file.h"
#include "base/log.h"
#include "base/spawn.h"
#include "base/strlist.h"
#include "fit/module.h"
#include "fit/providers.h"

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
	/*
	 * No configuration: another file of its own may keep modprobe from loading them.
	 */
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

static int add_name(struct strlist *names, const char *path)
{
	_cleanup_free_ char *name = module_name_of(path);

	if (!name)
		return -ENOMEM;
	return !*name || strlist_has(names, name) ? 0 : strlist_add(names, name);
}

/* "depends=one,two" */
static int add_depends(struct strlist *names, const struct module *mod)
{
	const char *depends = module_info(mod, "depends", 0);
	_cleanup_free_ char *copy = strdup(depends ? depends : "");
	char *cursor = copy, *name;
	int ret = copy ? 0 : -ENOMEM;

	while (ret == 0 && (name = strsep(&cursor, ",")))
		ret = add_name(names, name);
	return ret;
}

/*
 * Call @use with each pair of a module of @names, or of @paths if that is not NULL, and a
 * module that it needs, as modules.dep says: "PATH: NEEDED". Returns the first result of
 * @use that is not 0, or 0.
 */
typedef int (*use_fn)(const char *path, const char *needed, struct strlist *names,
		      struct reason *reason);

static int each_need(int fd, struct strlist *names, const struct strlist *paths,
		     use_fn use, struct reason *reason)
{
	_cleanup_buf_ struct buf dep = { 0 };
	char *cursor, *line;
	int ret = modules_dep_read_at(fd, &dep, reason);

	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	cursor = dep.data;
	while (ret == 0 && (line = strsep(&cursor, "\n"))) {
		char *path = strsep(&line, ":"), *needed;
		_cleanup_free_ char *name = module_name_of(path);

		if (!name)
			return reason_errno(reason, -ENOMEM);
		if (paths ? !strlist_has(paths, path) : !strlist_has(names, name))
			continue;
		while (ret == 0 && (needed = strsep(&line, " ")))
			ret = *needed ? use(path, needed, names, reason) : 0;
	}
	return ret;
}

/* @path may be NULL. */
static int add_needed(const char *path, const char *needed, struct strlist *names,
		      struct reason *reason)
{
	(void)path;
	return reason_errno(reason, add_name(names, needed));
}

static int check_needed(const char *path, const char *needed, struct strlist *names,
			struct reason *reason)
{
	_cleanup_free_ char *name = module_name_of(needed);

	if (!name)
		return reason_errno(reason, -ENOMEM);
	return strlist_has(names, name)
		       ? 0
		       : reason_set(reason, -EIO,
				    "depmod takes %s for %s, but other modules were "
				    "proven to provide its symbols: move it away first",
				    needed, path);
}

static int list_built(const struct module *modules, size_t count, struct strlist *names)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < count; i++) {
		ret = add_name(names, modules[i].name);
		if (ret == 0)
			ret = add_depends(names, &modules[i]);
	}
	return ret;
}

int needs_list(const struct module *modules, size_t count, int fd, struct strlist *names,
	       struct reason *reason)
{
	int ret = list_built(modules, count, names);

	if (ret == 0)
		ret = each_need(fd, names, NULL, add_needed, reason);
	else
		reason_errno(reason, ret);
	return ret;
}

int needs_check(const struct module *modules, size_t count, const struct strlist *paths,
		int fd, struct reason *reason)
{
	_cleanup_strlist_ struct strlist kernels = { 0 };
	int ret = list_built(modules, count, &kernels);

	if (ret < 0)
		return reason_errno(reason, ret);
	/*
	 * What modules.dep says of the kernel's own modules holds, not what it says of
	 * ours.
	 */
	for (size_t i = 0; i < count; i++)
		for (size_t j = kernels.count; j-- > 0;)
			if (!strcmp(kernels.items[j], modules[i].name))
				strlist_drop(&kernels, j);
	ret = each_need(fd, &kernels, NULL, add_needed, reason);
	for (size_t i = 0; ret == 0 && i < count; i++)
		ret = add_needed(NULL, modules[i].name, &kernels, reason);
	return ret < 0 ? ret : each_need(fd, &kernels, paths, check_needed, reason);
}
