// SPDX-License-Identifier: GPL-2.0-only
#include "fit/module.h"

#include <fcntl.h>
#include <libkmod.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/file.h"
#include "base/log.h"
#include "fit/elf_rules.h"

/* Far more than any real module has, and few enough for every loop. */
#define MAX_SYMBOLS 100000
#define MAX_INFO 20000

static void ctx_unref(struct kmod_ctx **ctx)
{
	kmod_unref(*ctx);
}

static void kmod_unref_module(struct kmod_module **mod)
{
	kmod_module_unref(*mod);
}

char *module_name_of(const char *path)
{
	const char *base = strrchr(path, '/');
	char *name;

	base = base ? base + 1 : path;
	name = strndup(base, strcspn(base, "."));
	for (char *c = name; c && *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

void module_free(struct module *mod)
{
	symtab_free(&mod->versions);
	symtab_free(&mod->exports);
	symtab_free(&mod->undefined);
	kmod_module_info_free_list(mod->info);
	kmod_module_versions_free_list(mod->versions_list);
	kmod_module_symbols_free_list(mod->exports_list);
	kmod_module_dependency_symbols_free_list(mod->undefined_list);
	free(mod->export_strings);
	free(mod->path);
	free(mod->name);
	*mod = (struct module){ 0 };
}

const char *module_info(const struct module *mod, const char *key, unsigned int nth)
{
	struct kmod_list *entry;

	kmod_list_foreach (entry, mod->info) {
		if (strcmp(kmod_module_info_get_key(entry), key) != 0)
			continue;
		if (nth-- == 0)
			return kmod_module_info_get_value(entry);
	}
	return NULL;
}

/*
 * libkmod reads a file by its path only. A sealed memory file makes that path the very
 * bytes that were read and digested. libkmod 30 and older run past a string without a NUL
 * at the end: a file that fills its last page gets one more NUL, so that they stop.
 */
static int memory_file(const char *data, size_t size, struct reason *reason)
{
	_cleanup_close_ int fd = memfd_create("module", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int ret;

	if (fd < 0)
		return reason_errno_at(reason, -errno, "cannot make a memory file");
	ret = write_all(fd, data, size);
	if (ret == 0 && size % page == 0)
		ret = write_all(fd, "", 1);
	if (ret < 0)
		return reason_set(reason, ret, "cannot write a memory file: %s%s",
				  strerror(-ret),
				  ret == -EFBIG ? " (ulimit -f limits it)" : "");
	if (fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		return reason_errno(reason, -errno);
	return TAKE_FD(fd);
}

/* How to get the fields of a symbol from an entry of libkmod's; NULL: it has none. */
struct getters {
	const char *(*name)(const struct kmod_list *entry);
	uint64_t (*crc)(const struct kmod_list *entry);
	int (*bind)(const struct kmod_list *entry);
};

static int fill(struct symtab *table, struct kmod_list *list, const struct getters *get,
		const char *owner)
{
	struct kmod_list *entry;

	kmod_list_foreach (entry, list) {
		struct symbol sym = {
			.name = get->name(entry),
			.crc = get->crc ? get->crc(entry) : 0,
			.owner = owner,
			.weak = get->bind && get->bind(entry) == KMOD_SYMBOL_WEAK,
		};

		if (symtab_add(table, &sym) < 0)
			return -ENOMEM;
	}
	return 0;
}

/*
 * The errors by which libkmod says that a section does not exist: -ENOENT up to 27, then
 * -ENODATA.
 */
static bool is_absent(int ret)
{
	return ret == -ENOENT || ret == -ENODATA;
}

/* Fill in @reason for @ret, the error of libkmod for a table that it cannot read. */
static int refuse_table(int ret, const char *table, struct reason *reason)
{
	if (is_system_error(ret))
		return reason_errno_at(reason, ret, "libkmod cannot read its %s", table);
	return damaged(reason, "libkmod cannot read its %s", table);
}

static int read_lists(struct module *mod, const struct kmod_module *kmod,
		      struct reason *reason)
{
	int ret = kmod_module_get_info(kmod, &mod->info);

	if (ret < 0)
		return refuse_table(ret, ".modinfo", reason);
	ret = kmod_module_get_dependency_symbols(kmod, &mod->undefined_list);
	if (ret < 0)
		return refuse_table(ret, "symbols", reason);
	ret = kmod_module_get_versions(kmod, &mod->versions_list);
	if (ret < 0 && !is_absent(ret))
		return refuse_table(ret, "__versions", reason);
	ret = kmod_module_get_symbols(kmod, &mod->exports_list);
	if (ret < 0 && !is_absent(ret))
		return refuse_table(ret, "exported symbols", reason);
	return 0;
}

static int fill_tables(struct module *mod, struct reason *reason)
{
	static const struct getters version = { kmod_module_version_get_symbol,
						kmod_module_version_get_crc, NULL };
	static const struct getters export = { kmod_module_symbol_get_symbol,
					       kmod_module_symbol_get_crc, NULL };
	static const struct getters undefined = {
		kmod_module_dependency_symbol_get_symbol, NULL,
		kmod_module_dependency_symbol_get_bind
	};
	struct kmod_list *entry;
	size_t n_info = 0;

	kmod_list_foreach (entry, mod->info)
		n_info++;
	if (fill(&mod->versions, mod->versions_list, &version, NULL) < 0 ||
	    fill(&mod->exports, mod->exports_list, &export, mod->path) < 0 ||
	    fill(&mod->undefined, mod->undefined_list, &undefined, NULL) < 0)
		return reason_errno(reason, -ENOMEM);
	if (mod->versions.count > MAX_SYMBOLS || mod->exports.count > MAX_SYMBOLS ||
	    mod->undefined.count > MAX_SYMBOLS)
		return reason_set(reason, -EBADMSG, "more than %d symbols", MAX_SYMBOLS);
	if (n_info > MAX_INFO)
		return reason_set(reason, -EBADMSG, "more than %d lines of .modinfo",
				  MAX_INFO);
	symtab_sort(&mod->versions);
	symtab_sort(&mod->exports);
	symtab_sort(&mod->undefined);
	return 0;
}

static int read_kmod(struct module *mod, int fd, struct reason *reason)
{
	static const char *const no_config[] = { NULL };
	/* Without a directory libkmod would ask for that of the running kernel. */
	_cleanup_(ctx_unref) struct kmod_ctx *ctx = kmod_new("/", no_config);
	_cleanup_(kmod_unref_module) struct kmod_module *kmod = NULL;
	char path[64];
	int ret;

	if (!ctx)
		return reason_errno(reason, -ENOMEM);
	kmod_set_log_priority(ctx, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = kmod_module_new_from_path(ctx, path, &kmod);
	if (ret < 0)
		return reason_errno_at(reason, ret, "%s", path);
	ret = read_lists(mod, kmod, reason);
	return ret < 0 ? ret : fill_tables(mod, reason);
}

int module_read_fd(struct module *mod, const char *path, int fd, struct reason *reason)
{
	int ret;

	*mod = (struct module){ .path = strdup(path), .name = module_name_of(path) };
	ret = mod->path && mod->name ? read_kmod(mod, fd, reason)
				     : reason_errno(reason, -ENOMEM);
	if (ret < 0)
		module_free(mod);
	return ret;
}

static int read_memory(struct module *mod, const char *path, const char *data,
		       size_t size, struct reason *reason)
{
	_cleanup_close_ int fd = memory_file(data, size, reason);

	return fd < 0 ? fd : module_read_fd(mod, path, fd, reason);
}

int module_read(struct module *mod, const char *path, const char *data, size_t size,
		struct reason *reason)
{
	struct layout layout = { 0 };
	struct elf elf;
	int ret;

	*mod = (struct module){ 0 };
	ret = elf_open(&elf, data, size, reason);
	if (ret == 0)
		ret = elf_rules_check(&elf, &layout, reason);
	if (ret == 0)
		ret = read_memory(mod, path, data, size, reason);
	if (ret < 0)
		return ret;
	mod->struct_bytes = layout.struct_bytes;
	mod->unversioned = layout.unversioned;
	ret = elf_rules_exports(&elf, &layout, &mod->exports, &mod->export_strings,
				reason);
	if (ret < 0)
		module_free(mod);
	return ret;
}
