/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel module file, as far as the proof has to know it. The rules of the kernel's
 * loader are checked first, and libkmod reads the rest.
 *
 * Calling sequence: module_read() with the bytes, the fields, module_free().
 */
#pragma once

#include "fit/symtab.h"

#define MODULE_MAX_BYTES (64UL << 20)

/* The module that modprobe is to load. */
#define WIREGUARD "wireguard"

struct kmod_list;

struct module {
	char *path;		/* for messages */
	char *name;		/* of the file: no directory, no .ko, '_' for '-' */
	struct kmod_list *info; /* .modinfo; see module_info() */
	struct kmod_list *versions_list;
	struct kmod_list *exports_list;
	struct kmod_list *undefined_list;
	struct symtab versions;	 /* __versions, sorted; its strings are the lists' */
	struct symtab exports;	 /* owner is @path */
	struct symtab undefined; /* also the names in __versions, as libkmod does */

	/* Set by module_read() only: */
	char *export_strings;	 /* has the namespaces of @exports */
	size_t struct_bytes;	 /* of its struct module */
	const char *unversioned; /* a section of exports that has no CRCs; NULL: none */
};

/*
 * Return the module name for the file name @path: "b_c" for "a/b-c.ko.xz". NULL without
 * memory.
 */
char *module_name_of(const char *path) _checked_;

/*
 * Read the module of @size bytes at @data. @path is only a name for messages. Returns 0,
 * or with @reason filled in:
 *
 *	-EBADMSG  not a module, or damaged (elf.h, elf_rules.h, or libkmod cannot read a
 *		  section)
 *	-ENOEXEC  built for another architecture than this program
 *	-errno    any other failure
 *
 * After a failure @mod is empty. Needs /proc and memfd_create().
 */
int module_read(struct module *mod, const char *path, const char *data, size_t size,
		struct reason *reason) _checked_;

/*
 * Read a module of the kernel's own from the open file @fd, which may be compressed in
 * any way that libkmod knows. Only libkmod checks it.
 */
int module_read_fd(struct module *mod, const char *path, int fd,
		   struct reason *reason) _checked_;

/* Free what @mod holds, but not @mod itself. */
void module_free(struct module *mod);

/*
 * Return value @nth (from 0) of @key in .modinfo, owned by @mod, or NULL. The kernel's
 * get_modinfo() takes the first.
 */
const char *module_info(const struct module *mod, const char *key,
			unsigned int nth) _nonnull_all_;
