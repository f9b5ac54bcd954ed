/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's table of exported symbols, Module.symvers: what the kernel and its own
 * modules provide, and the CRC of each symbol.
 */
#pragma once

#include "fit/symtab.h"

struct symvers {
	char *text;	     /* the file; the strings of @table point into it */
	struct symtab table; /* sorted; a symbol that is listed twice is in it twice */
};

void symvers_free(struct symvers *sv);
#define _cleanup_symvers_ _cleanup_(symvers_free)

/*
 * Read the file @path, plain or compressed by gzip or xz, in the format of write_dump()
 * in the kernel's scripts/mod/modpost.c since 5.7:
 *
 *	0xCRC <tab> symbol <tab> module <tab> EXPORT_TYPE [<tab> namespace]
 *
 * Nothing in it is trusted: a compressed file that is damaged or continues after its end,
 * any other line, an empty file, or a missing newline at the end (a file that was cut
 * short) is refused. Returns 0, or -errno with @reason filled in: -EBADMSG for a
 * malformed file, with the number of the line. After a failure @sv is empty.
 */
int symvers_load(struct symvers *sv, const char *path, struct reason *reason) _checked_;

/* Parse text in memory likewise, and take ownership of @text, on failure too. */
int symvers_parse(struct symvers *sv, char *text, size_t size,
		  struct reason *reason) _checked_;

/*
 * Find the host's own symbol table for its kernel, the first that exists of symvers and
 * build/Module.symvers in ROOT/lib/modules/RELEASE, and ROOT/boot/symvers-RELEASE; the
 * first and the last may also end in .gz or .xz. On success *@out is the path, which the
 * caller owns, or NULL if there is none. Returns 0 or -errno.
 */
int symvers_find(const struct host *host, char **out) _checked_;
