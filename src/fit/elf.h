/* SPDX-License-Identifier: GPL-2.0-only */
/* A module as an ELF file: its header and its sections. */
#pragma once

#include <elf.h>

#include "base/util.h"

/* Return -EBADMSG, after writing that a module is damaged, and how, into @reason. */
#define damaged(reason, ...) reason_set(reason, -EBADMSG, "damaged: " __VA_ARGS__)

struct elf {
	const char *data; /* owned by the caller */
	size_t size;
	Elf64_Ehdr header;
	const char *names; /* of the sections, in @data; ends in a NUL */
};

/*
 * Check the header of @data and its section table, as elf_validity_check() in the
 * kernel's kernel/module.c does: a relocatable file of the architecture of this program,
 * every section inside @size and with a name, and nothing in section 0. @elf borrows
 * @data. Returns 0, or with @reason filled in -EBADMSG (not ELF, or damaged) or -ENOEXEC
 * (another architecture).
 */
int elf_open(struct elf *elf, const char *data, size_t size,
	     struct reason *reason) _checked_;

/* Return the header of section @index, which must be below e_shnum. */
Elf64_Shdr elf_section(const struct elf *elf, unsigned int index) _nonnull_all_;

/*
 * Return the name of @section, inside the data of @elf; "" for a section of type
 * SHT_NULL.
 */
const char *elf_section_name(const struct elf *elf,
			     const Elf64_Shdr *section) _nonnull_all_;
