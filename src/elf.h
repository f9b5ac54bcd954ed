/* SPDX-License-Identifier: GPL-2.0-only */
/* The ELF header of a module and its table of sections, and nothing that they lead to. */
#pragma once

#include "util.h"

struct reason;

/*
 * Whether @data starts as a relocatable ELF file of this program's own architecture,
 * with its table of sections and all of these inside @size: what elf_validity_check()
 * in the kernel's kernel/module.c asks. Returns 0, -EBADMSG (not one, or cut short) or
 * -ENOEXEC (another architecture), with @reason filled in.
 */
int elf_check_header(const char *data, size_t size, struct reason *reason) _must_check_
	_nonnull_(1, 3);
