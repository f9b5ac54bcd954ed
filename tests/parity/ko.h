/* SPDX-License-Identifier: GPL-2.0-only */
/* A kernel module's file, as what the kernel loads of it: sections, symbols, relocations.
 */
#pragma once

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A section with SHF_ALLOC. Names need not be unique: @nth counts those of one name. */
struct section {
	const char *name; /* owned by the ELF file, as all names here */
	unsigned int nth;
	size_t index;
	GElf_Shdr header;
	const unsigned char *data; /* NULL where the file has no bytes of it (.bss) */
};

struct symbol {
	const char *name;  /* a section symbol's is the section's */
	const char *where; /* the section's name, or UNDEF, ABS, COMMON */
	unsigned int nth;  /* of that section */
	GElf_Sym sym;
};

struct relocation {
	const struct section *section; /* what it changes */
	const struct symbol *symbol;
	GElf_Rela rela;
};

struct ko {
	const char *path;
	char *bytes;
	size_t size, elf_size; /* of the file, and of the ELF file in it */
	Elf *elf;
	GElf_Ehdr header;
	struct section *sections;
	struct symbol *symbols;
	struct relocation *relocations;
	size_t n_sections, n_symbols, n_relocations;
	bool btf;	  /* it has type information, loaded or not */
	size_t signature; /* bytes that a signature takes behind the ELF file */
};

/*
 * Reads the module @path whole; it must not be compressed. What is not a whole
 * relocatable ELF file, or has bytes behind it that are no signature (struct
 * module_signature in the kernel's include/linux/module_signature.h), ends the program
 * with status 2. @ko lives as long as the program.
 */
void ko_read(struct ko *ko, const char *path);

/* The section @name of @ko, the @nth of that name, or NULL. */
const struct section *ko_section(const struct ko *ko, const char *name, unsigned int nth);

/* The symbol of @ko that @offset in @section belongs to, or NULL. */
const struct symbol *ko_symbol_at(const struct ko *ko, const struct section *section,
				  uint64_t offset);
