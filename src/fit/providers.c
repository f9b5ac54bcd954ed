// SPDX-License-Identifier: GPL-2.0-only
#include "fit/providers.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/host.h"
#include "base/log.h"
#include "base/sha256sums.h"
#include "fit/module.h"

#define LIST_MAX_BYTES (64UL << 20)

int modules_dep_read_at(int directory, struct buf *out, struct reason *reason)
{
	return read_beneath(directory, "modules.dep", LIST_MAX_BYTES, out, reason);
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

int modules_builtin(int fd, struct strlist *names, struct reason *reason)
{
	_cleanup_buf_ struct buf list = { 0 };
	struct reason why = { 0 };
	int ret = read_beneath(fd, "modules.builtin", LIST_MAX_BYTES, &list, &why);
	char *cursor = list.data, *path;

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return reason_set(reason, ret, "modules.builtin: %s", why.text);
	while ((path = strsep(&cursor, "\n"))) {
		_cleanup_free_ char *name = module_name_of(path);

		if (!name || (*name && strlist_add(names, name) < 0))
			return reason_errno(reason, -ENOMEM);
	}
	return 0;
}

/* Returns 1 if the module @path is the kernel's own, 0 if not, or -errno with @reason. */
static int try(struct module *reference, const struct host *host, const char *path,
	       struct reason *reason)
{
	_cleanup_close_ int fd = open_beneath(host->modules_fd, path, O_RDONLY);
	int ret;

	if (fd < 0)
		return reason_errno(reason, fd);
	ret = module_read_fd(reference, path, fd, reason);
	if (ret == 0 && module_info(reference, "intree", 0) &&
	    module_info(reference, "vermagic", 0))
		return 1;
	module_free(reference);
	return ret;
}

int reference_read(struct module *reference, const struct host *host,
		   reference_skip_fn *skip, const void *arg, struct reason *reason)
{
	struct reason first = { 0 };
	_cleanup_buf_ struct buf dep = { 0 };
	char *cursor, *path;
	int ret = modules_dep_read(host, &dep, reason);

	if (ret < 0)
		return ret;
	cursor = dep.data;
	while ((path = modules_dep_next(&cursor))) {
		struct reason why = { 0 };

		if (strncmp(path, "kernel/", strlen("kernel/")) != 0 || skip(path, arg))
			continue;
		ret = try(reference, host, path, &why);
		if (ret > 0)
			return 0;
		if (ret < 0 && !*first.text)
			reason_set(&first, ret, "%s/%s: %s", host->modules, path,
				   why.text);
	}
	if (*first.text)
		return reason_set(reason, -ENOENT, "%s", first.text);
	return reason_set(reason, -ENOENT,
			  "%s/modules.dep lists no module of the kernel's own: run "
			  "'depmod %s' first, or name its vermagic by --vermagic",
			  host->modules, host->release);
}

void providers_free(struct providers *providers)
{
	symtab_free(&providers->modules);
	strlist_free(&providers->names);
	buf_free(&providers->dep);
}

/* Add the module @path of modules.dep by its name. */
static int add(struct providers *providers, const char *path)
{
	_cleanup_free_ char *name = module_name_of(path);
	struct symbol module = { .owner = path };

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
		ret = add(providers, path);
		if (ret < 0)
			reason_errno(reason, ret);
	}
	return ret;
}

static int read_builtin(struct providers *providers, struct reason *reason)
{
	size_t first = providers->names.count;
	struct reason why = { 0 };
	int ret = modules_builtin(providers->host->modules_fd, &providers->names, &why);

	if (ret < 0)
		return reason_set(reason, ret, "%s/%s", providers->host->modules,
				  why.text);
	for (size_t i = first; ret == 0 && i < providers->names.count; i++) {
		const struct symbol module = { .name = providers->names.items[i] };

		ret = symtab_add(&providers->modules, &module);
	}
	return reason_errno(reason, ret);
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
