// SPDX-License-Identifier: GPL-2.0-only
#include "fit/providers.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/host.h"
#include "base/log.h"
#include "base/sha256sums.h"
#include "fit/module.h"

#define DEP_MAX_BYTES (64UL << 20)
#define BUILTIN_MAX_BYTES (64UL << 20)

int modules_dep_read_at(int directory, struct buf *out, struct reason *reason)
{
	return read_beneath(directory, "modules.dep", DEP_MAX_BYTES, out, reason);
}

int modules_dep_read(const struct host *host, struct buf *out, struct reason *reason)
{
	struct reason why = { 0 };
	int ret = modules_dep_read_at(host->modules_fd, out, &why);

	if (ret < 0)
		return reason_set(reason, ret, "%s/modules.dep: %s%s%s%s", host->modules,
				  why.text, ret == -ENOENT ? ": run 'depmod " : "",
				  ret == -ENOENT ? host->release : "",
				  ret == -ENOENT ? "' first" : "");
	return 0;
}

char *modules_dep_next(char **cursor)
{
	while (**cursor) {
		char *line = *cursor;
		size_t len = strcspn(line, "\n");
		char *colon = memchr(line, ':', len);

		*cursor = line + len + (line[len] == '\n');
		if (!colon || colon == line)
			continue;
		*colon = '\0';
		return line;
	}
	return NULL;
}

void providers_free(struct providers *providers)
{
	symtab_free(&providers->modules);
	strlist_free(&providers->names);
	buf_free(&providers->dep);
	buf_free(&providers->builtin);
}

/* Add the module @path by its name; @file is its path, or NULL if it is built in. */
static int add(struct providers *providers, const char *path, const char *file)
{
	_cleanup_free_ char *name = module_name_of(path);
	struct symbol module = { .owner = file };

	if (!name || strlist_add(&providers->names, name) < 0)
		return -ENOMEM;
	module.name = providers->names.items[providers->names.count - 1];
	return symtab_add(&providers->modules, &module);
}

static int read_dep(struct providers *providers, struct reason *reason)
{
	int ret = modules_dep_read(providers->host, &providers->dep, reason);
	char *cursor = providers->dep.data, *path;

	while (ret == 0 && (path = modules_dep_next(&cursor))) {
		ret = add(providers, path, path);
		if (ret < 0)
			reason_errno(reason, ret);
	}
	return ret;
}

static int read_builtin(struct providers *providers, struct reason *reason)
{
	struct reason why = { 0 };
	int ret = read_beneath(providers->host->modules_fd, "modules.builtin",
			       BUILTIN_MAX_BYTES, &providers->builtin, &why);
	char *cursor = providers->builtin.data, *path;

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return reason_set(reason, ret, "%s/modules.builtin: %s",
				  providers->host->modules, why.text);
	while ((path = strsep(&cursor, "\n")))
		if (*path && add(providers, path, NULL) < 0)
			return reason_errno(reason, -ENOMEM);
	return 0;
}

int providers_read(struct providers *providers, const struct host *host,
		   const struct sums *ours, struct reason *reason)
{
	int ret;

	*providers = (struct providers){ .host = host, .ours = ours };
	ret = read_dep(providers, reason);
	if (ret == 0)
		ret = read_builtin(providers, reason);
	if (ret < 0)
		providers_free(providers);
	else
		symtab_sort(&providers->modules);
	return ret;
}

/*
 * Return true if @path of modules.dep is a file. It is below the kernel's directory, or
 * absolute, and may lead through a link, as those in weak-updates do.
 */
static bool is_file(const struct host *host, const char *path)
{
	_cleanup_free_ char *below =
		*path == '/' ? strdup(path)
			     : strdup_printf("lib/modules/%s/%s", host->release, path);
	_cleanup_close_ int fd = below ? root_open(host->root, below, O_PATH, NULL) : -1;
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

bool provider_installed(const struct providers *providers, const char *owner)
{
	_cleanup_free_ char *name = module_name_of(owner);
	const struct symbol *module = NULL;
	size_t count = 0;

	if (!strcmp(owner, "vmlinux"))
		return true;
	if (name)
		module = symtab_find(&providers->modules, name, &count);
	for (; count; count--, module++) {
		if (!module->owner)
			return true;
		if (!(providers->ours && sums_find(providers->ours, module->owner)) &&
		    is_file(providers->host, module->owner))
			return true;
	}
	return false;
}
