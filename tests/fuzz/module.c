// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real modules with one change: a field of the header, of a section's header, of a symbol or
 * of a relocation, or a byte of a section. The input says which module, what and how, so
 * that every run gets past the first checks; what module_read() accepts is walked through.
 * The modules are the files of the directory "modules" beside this program.
 */
#include <dirent.h>
#include <elf.h>
#include <libgen.h>
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "fit/module.h"
#include "text.h"

#define MAX_MODULES 16

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the input says; bytes that it lacks are 0. */
struct change {
	uint8_t module, kind, field, how;
	uint16_t index, entry;
	uint64_t value;
};

struct field {
	size_t offset, width;
};

struct fields {
	const struct field *list;
	size_t count, record; /* bytes of one record */
};

#define FIELD(type, name)                                             \
	{                                                             \
		offsetof(type, name), sizeof(((const type *)0)->name) \
	}
#define FIELDS(list, type)                           \
	{                                            \
		list, ARRAY_SIZE(list), sizeof(type) \
	}

/* clang-format off */
static const struct field of_header[] = {
	FIELD(Elf64_Ehdr, e_type), FIELD(Elf64_Ehdr, e_machine), FIELD(Elf64_Ehdr, e_shoff),
	FIELD(Elf64_Ehdr, e_shentsize), FIELD(Elf64_Ehdr, e_shnum), FIELD(Elf64_Ehdr, e_shstrndx),
};
static const struct field of_section[] = {
	FIELD(Elf64_Shdr, sh_name), FIELD(Elf64_Shdr, sh_type), FIELD(Elf64_Shdr, sh_flags),
	FIELD(Elf64_Shdr, sh_offset), FIELD(Elf64_Shdr, sh_size), FIELD(Elf64_Shdr, sh_link),
	FIELD(Elf64_Shdr, sh_info), FIELD(Elf64_Shdr, sh_addralign), FIELD(Elf64_Shdr, sh_entsize),
};
static const struct field of_symbol[] = {
	FIELD(Elf64_Sym, st_name), FIELD(Elf64_Sym, st_info), FIELD(Elf64_Sym, st_shndx),
	FIELD(Elf64_Sym, st_value), FIELD(Elf64_Sym, st_size),
};
static const struct field of_rela[] = {
	FIELD(Elf64_Rela, r_offset), FIELD(Elf64_Rela, r_info), FIELD(Elf64_Rela, r_addend),
};
static const struct field of_bytes[] = { { 0, 1 } };
static const struct fields kinds[] = {
	FIELDS(of_header, Elf64_Ehdr), FIELDS(of_section, Elf64_Shdr), FIELDS(of_symbol, Elf64_Sym),
	FIELDS(of_rela, Elf64_Rela), FIELDS(of_bytes, char),
};
/* clang-format on */

enum kind { HEADER, SECTION, SYMBOL, RELA, BYTES };

static struct buf modules[MAX_MODULES];
static size_t n_modules;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	_cleanup_free_ char *program = strdup((*argv)[0]), *path = NULL;
	struct reason reason = { 0 };
	const struct dirent *entry;
	DIR *dir;

	(void)argc;
	if (!program || asprintf(&path, "%s/modules", dirname(program)) < 0)
		abort();
	dir = opendir(path);
	while (dir && n_modules < MAX_MODULES && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    read_beneath(dirfd(dir), entry->d_name, MODULE_MAX_BYTES,
				 &modules[n_modules], &reason) == 0)
			n_modules++;
	if (dir)
		closedir(dir);
	if (!n_modules) {
		fprintf(stderr, "there is no module in '%s'\n", path);
		exit(1);
	}
	return 0;
}

static Elf64_Shdr section_at(const char *data, size_t index)
{
	Elf64_Ehdr header;
	Elf64_Shdr section;

	memcpy(&header, data, sizeof(header));
	memcpy(&section, data + header.e_shoff + index % header.e_shnum * sizeof(section),
	       sizeof(section));
	return section;
}

/* The section of this type that comes at or after number @index, in a circle. */
static Elf64_Shdr section_of_type(const char *data, size_t index, unsigned int type)
{
	Elf64_Shdr section = section_at(data, index);

	for (size_t i = 0; section.sh_type != type && i < UINT16_MAX; i++)
		section = section_at(data, ++index);
	return section;
}

/* Where the change is made in @data, a good module. */
static size_t place(const char *data, const struct change *change, enum kind kind)
{
	Elf64_Ehdr header;
	Elf64_Shdr section;
	size_t count;

	memcpy(&header, data, sizeof(header));
	if (kind == HEADER)
		return 0;
	if (kind == SECTION)
		return header.e_shoff + change->index % header.e_shnum * sizeof(section);
	if (kind == BYTES)
		section = section_at(data, change->index);
	else
		section = section_of_type(data, change->index,
					  kind == SYMBOL ? SHT_SYMTAB : SHT_RELA);
	count = section.sh_size / kinds[kind].record;
	if (section.sh_type == SHT_NOBITS || !count)
		return 0;
	return section.sh_offset + change->entry % count * kinds[kind].record;
}

static uint64_t changed(uint64_t old, const struct change *change, size_t size)
{
	static const uint64_t odd[] = { 0,	   1,	      0x7f,	 0xff,
					0xfff1,	   0xfff2,    0xffff,	 1UL << 31,
					1UL << 32, 1UL << 62, 1UL << 63, ~0UL };

	switch (change->how % 4) {
	case 0:
		return odd[change->value % ARRAY_SIZE(odd)];
	case 1:
		return old ^ 1UL << change->value % 64;
	case 2:
		return old + (uint64_t)(int64_t)(int8_t)change->value;
	default:
		return size - change->value % 128;
	}
}

static void make(char *data, size_t size, const struct change *change)
{
	const enum kind kind = change->kind % ARRAY_SIZE(kinds);
	const struct field *field = &kinds[kind].list[change->field % kinds[kind].count];
	char *at = data + place(data, change, kind) + field->offset;
	uint64_t value = 0;

	memcpy(&value, at, field->width);
	value = changed(value, change, size);
	memcpy(at, &value, field->width);
}

/* Read every string that the proof reads. */
static size_t walk(const struct module *mod)
{
	static const char *const keys[] = { "vermagic", "license", "name", "import_ns" };
	const struct symtab *tabs[] = { &mod->versions, &mod->exports, &mod->undefined };
	size_t sum = strlen(mod->name);
	const char *value;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		for (unsigned int n = 0; (value = module_info(mod, keys[i], n)); n++)
			sum += strlen(value);
	for (size_t i = 0; i < ARRAY_SIZE(tabs); i++)
		for (size_t k = 0; k < tabs[i]->count; k++) {
			const struct symbol *symbol = &tabs[i]->symbols[k];

			sum += strlen(symbol->name) +
			       (symbol->ns ? strlen(symbol->ns) : 0);
			if (k && strcmp(symbol[-1].name, symbol->name) > 0)
				abort();
		}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct change change = { 0 };
	struct reason reason = { 0 };
	struct module mod;
	const struct buf *good;
	char *copy;

	memcpy(&change, data, size < sizeof(change) ? size : sizeof(change));
	good = &modules[change.module % n_modules];
	/* Of exactly this size, so that the sanitizer sees a read behind it. */
	copy = malloc(good->size);
	if (!copy)
		abort();
	memcpy(copy, good->data, good->size);
	make(copy, good->size, &change);
	if (module_read(&mod, "fuzz.ko", copy, good->size, &reason) == 0) {
		if (!walk(&mod))
			abort();
		module_free(&mod);
	} else if (!*reason.text) {
		abort();
	}
	free(copy);
	return 0;
}
