/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel's table of exported symbols, Module.symvers: what the kernel and its own
 * modules provide, with the CRC of each.
 */
#pragma once

#include "fit/symtab.h"

struct host;
struct reason;

struct symvers {
	char *text;	     /* the file; the strings of @table point into it */
	struct symtab table; /* sorted; a symbol listed twice stands in it twice */
};

void symvers_free(struct symvers *sv);
#define _cleanup_symvers_ _cleanup_(symvers_free)

/*
 * Read the file @path, of plain text or packed by gzip or xz, in the format of
 * write_dump() in the kernel's scripts/mod/modpost.c since 5.7:
 *
 *	0xCRC <tab> symbol <tab> module <tab> EXPORT_TYPE [<tab> namespace]
 *
 * Nothing in it is trusted; a line that is not exactly that refuses the file, as does
 * a missing newline at its end (a file cut short) or a file without a line. Returns 0,
 * or -errno with @reason filled in (-EBADMSG when malformed, with the line's number);
 * then @sv holds nothing.
 */
int symvers_load(struct symvers *sv, const char *path,
		 struct reason *reason) _must_check_ _nonnull_all_;

/* The same for text in memory. Takes @text over, in case of failure as well. */
int symvers_parse(struct symvers *sv, char *text, size_t size,
		  struct reason *reason) _must_check_ _nonnull_all_;

/*
 * The path of the host's own symbol table for its kernel, the first there is of
 * ROOT/lib/modules/RELEASE/symvers, …/build/Module.symvers and ROOT/boot/symvers-RELEASE;
 * the first and the last may also end in .gz or .xz.
 * On success *@out is owned by the caller, and NULL where there is none. 0 or -errno.
 */
int symvers_find(const struct host *host, char **out) _must_check_ _nonnull_all_;
