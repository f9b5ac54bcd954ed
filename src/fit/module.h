/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One kernel module file, as far as the proof has to know it. libkmod reads it; what the
 * kernel's loader asks of its sections, symbols and relocations is looked at before that.
 *
 * Calling sequence: module_read() with the bytes, the fields, module_free().
 */
#pragma once

#include "fit/symtab.h"

#define MODULE_MAX_BYTES (64UL << 20)

struct kmod_list;
struct reason;

struct module {
	const char *path;	/* for messages; owned by the caller */
	char *name;		/* of the file: no directory, no .ko, '-' made '_' */
	struct kmod_list *info; /* .modinfo; see module_info() */
	struct kmod_list *versions_list;
	struct kmod_list *exports_list;
	struct kmod_list *undefined_list;
	struct symtab versions;	 /* __versions, sorted; its strings are the lists' */
	struct symtab exports;	 /* owner is @path */
	struct symtab undefined; /* and __versions' names, as libkmod gives them */

	/* By module_read() alone: */
	char *export_strings;	 /* what the namespaces of @exports are in */
	size_t struct_bytes;	 /* of its struct module */
	const char *unversioned; /* a section of exports that has no CRCs; NULL: none */
};

/* The module's name by its file's: "a/b-c.ko.xz" gives "b_c". NULL without memory. */
char *module_name_of(const char *path) _must_check_ _nonnull_all_;

/*
 * Read the module of @size bytes at @data. @path must live as long as @mod does; it is
 * not opened. Returns 0, or with @reason filled in:
 *
 *	-EBADMSG  not a module or damaged (elf.h, loader.h, relocs.h, exports.h, or
 *		  libkmod cannot read a section)
 *	-ENOEXEC  for another architecture than this program's
 *	-errno    what else went wrong
 *
 * In case of failure @mod holds nothing. Needs /proc and memfd_create().
 */
int module_read(struct module *mod, const char *path, const char *data, size_t size,
		struct reason *reason) _must_check_ _nonnull_all_;

/*
 * The same for an opened file of the kernel's own, which may be compressed in any way
 * that libkmod reads, and of which libkmod's word is taken.
 */
int module_read_fd(struct module *mod, const char *path, int fd,
		   struct reason *reason) _must_check_ _nonnull_all_;

/* What a failure of module_read() means for the program's exit status. */
enum exit_code module_exit_code(int err);

/* Free what @mod holds, not @mod. */
void module_free(struct module *mod);

/*
 * The @nth value (from 0) of @key in .modinfo, or NULL. Owned by @mod. The kernel's
 * get_modinfo() takes the first.
 */
const char *module_info(const struct module *mod, const char *key,
			unsigned int nth) _nonnull_all_;
