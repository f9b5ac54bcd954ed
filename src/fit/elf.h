/* SPDX-License-Identifier: GPL-2.0-only */
/* A module as an ELF file: its header and its sections. */
#pragma once

#include <elf.h>

#include "base/util.h"

struct reason;

struct elf {
	const char *data; /* owned by the caller */
	size_t size;
	Elf64_Ehdr header;
	const char *names; /* of the sections, in @data; ends in a NUL */
};

/*
 * Look at the header of @data and at its table of sections: a relocatable file of this
 * program's own architecture, with all of its sections inside @size, each with a name,
 * and nothing in section 0; what elf_validity_check() in the kernel's kernel/module.c
 * asks. @elf is as good as @data is. Returns 0, -EBADMSG (not one, or damaged) or
 * -ENOEXEC (another architecture), with @reason filled in.
 */
int elf_open(struct elf *elf, const char *data, size_t size,
	     struct reason *reason) _must_check_ _nonnull_all_;

/* The header of section @index, which is below e_shnum. */
Elf64_Shdr elf_section(const struct elf *elf, unsigned int index) _nonnull_all_;

/* Its name: in @elf's data. "" for what has none, of type SHT_NULL. */
const char *elf_section_name(const struct elf *elf,
			     const Elf64_Shdr *section) _nonnull_all_;
