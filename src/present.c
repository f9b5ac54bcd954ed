// SPDX-License-Identifier: GPL-2.0-only
#include "present.h"

#include <string.h>
#include <sys/stat.h>

#include "depmod.h"
#include "host.h"
#include "log.h"
#include "module.h"
#include "sums.h"

#define BUILTIN_MAX_BYTES (64UL << 20)

void present_free(struct present *present)
{
	symtab_free(&present->modules);
	names_free(&present->names);
	buf_free(&present->dep);
	buf_free(&present->builtin);
}

/* The module @path by its name; @file: where it is, or NULL. */
static int add(struct present *present, const char *path, const char *file)
{
	_cleanup_free_ char *name = module_name_of(path);
	struct symbol module = { .owner = file };

	if (!name || names_add(&present->names, name) < 0)
		return -ENOMEM;
	module.name = present->names.items[present->names.count - 1];
	return symtab_add(&present->modules, &module);
}

static int read_dep(struct present *present, struct reason *reason)
{
	int ret = depmod_read(present->host, &present->dep, reason);
	char *cursor = present->dep.data, *path;

	while (ret == 0 && (path = depmod_next(&cursor))) {
		ret = add(present, path, path);
		if (ret < 0)
			reason_errno(reason, ret);
	}
	return ret;
}

static int read_builtin(struct present *present, struct reason *reason)
{
	struct reason why = { 0 };
	int ret = read_beneath(present->host->modules_fd, "modules.builtin",
			       BUILTIN_MAX_BYTES, &present->builtin, &why);
	char *cursor = present->builtin.data, *path;

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return reason_set(reason, ret, "%s/modules.builtin: %s",
				  present->host->modules, why.text);
	while ((path = strsep(&cursor, "\n")))
		if (*path && add(present, path, NULL) < 0)
			return reason_errno(reason, -ENOMEM);
	return 0;
}

int present_read(struct present *present, const struct host *host,
		 const struct sums *ours, struct reason *reason)
{
	int ret;

	*present = (struct present){ .host = host, .ours = ours };
	ret = read_dep(present, reason);
	if (ret == 0)
		ret = read_builtin(present, reason);
	if (ret < 0)
		present_free(present);
	else
		symtab_sort(&present->modules);
	return ret;
}

/* depmod lists a module by its path below the kernel's folder, or else by a whole one. */
static char *below_root(const struct host *host, const char *path)
{
	if (*path == '/')
		return strdup(path);
	return text_printf("lib/modules/%s/%s", host->release, path);
}

/* Either may lead over a link, as those in weak-updates do. */
static bool is_file(const struct host *host, const char *path)
{
	_cleanup_free_ char *real = NULL;
	struct stat st;

	if (host_resolve(host->root, path, &real) < 0)
		return false;
	return stat(real, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_there(const struct host *host, const char *path)
{
	_cleanup_free_ char *below = below_root(host, path);

	return below && is_file(host, below);
}

bool present_has(const struct present *present, const char *owner)
{
	_cleanup_free_ char *name = module_name_of(owner);
	const struct symbol *module = NULL;
	size_t count = 0;

	if (!strcmp(owner, "vmlinux"))
		return true;
	if (name)
		module = symtab_find(&present->modules, name, &count);
	for (; count; count--, module++) {
		if (!module->owner)
			return true;
		if (!(present->ours && sums_find(present->ours, module->owner)) &&
		    is_there(present->host, module->owner))
			return true;
	}
	return false;
}
