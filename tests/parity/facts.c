// SPDX-License-Identifier: GPL-2.0-only
#include "facts.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ko.h"
#include "rows.h"

/* include/linux/module.h: struct modversion_info */
#define VERSION_SIZE 64
#define VERSION_NAME 8

bool is_btf(const struct section *section)
{
	return !strcmp(section->name, ".BTF") || !strcmp(section->name, ".BTF.base");
}

bool is_build_id(const struct section *section)
{
	return !strcmp(section->name, ".note.gnu.build-id");
}

bool is_versions(const struct section *section)
{
	return !strcmp(section->name, "__versions") ||
	       !strcmp(section->name, "__version_ext_crcs") ||
	       !strcmp(section->name, "__version_ext_names");
}

bool is_modinfo(const struct section *section)
{
	return !strcmp(section->name, ".modinfo");
}

static void section_key(const struct section *section, const char *before, char *buf,
			size_t size)
{
	int len = snprintf(buf, size, "%s%s", before, section->name);

	if (section->nth && len > 0 && (size_t)len < size)
		snprintf(buf + len, size - (size_t)len, " #%u", section->nth + 1);
}

void add_sections(struct rows *rows, const struct ko *ko)
{
	const struct section *before = NULL;
	char key[512], size[32];

	rows_add(rows, "ELF header", NULL, 0, "machine %u, flags 0x%x, OS ABI %u",
		 ko->header.e_machine, ko->header.e_flags, ko->header.e_ident[EI_OSABI]);
	for (size_t i = 0; i < ko->n_sections; i++) {
		const struct section *section = &ko->sections[i];
		const GElf_Shdr *header = &section->header;

		if (is_btf(section))
			continue;
		section_key(section, "section ", key, sizeof(key));
		snprintf(size, sizeof(size), "%" PRIu64 " bytes", header->sh_size);
		rows_add(rows, key, NULL, 0,
			 "type 0x%x, flags 0x%" PRIx64 ", %s, alignment %" PRIu64
			 ", entries of %" PRIu64 ", after %s",
			 header->sh_type, header->sh_flags,
			 is_modinfo(section) ? "some bytes" : size, header->sh_addralign,
			 header->sh_entsize, before ? before->name : "none");
		before = section;
	}
}

static const char *const types[] = { "NOTYPE", "OBJECT", "FUNC", "SECTION",
				     "FILE",   "COMMON", "TLS" };
static const char *const bindings[] = { "LOCAL", "GLOBAL", "WEAK" };

static const char *named(const char *const *names, size_t n, size_t value)
{
	return value < n ? names[value] : "unknown";
}

#define NAMED(names, value) named(names, sizeof(names) / sizeof(*(names)), value)

void add_symbols(struct rows *rows, const struct ko *ko)
{
	char key[512];

	for (size_t i = 1; i < ko->n_symbols; i++) {
		const struct symbol *symbol = &ko->symbols[i];
		unsigned int type = GELF_ST_TYPE(symbol->sym.st_info);

		if (type == STT_SECTION || !strcmp(symbol->where, ".modinfo"))
			continue;
		snprintf(key, sizeof(key), "symbol %s", symbol->name);
		rows_add(rows, key, NULL, 0,
			 "%s %s, other 0x%x, at %s+0x%" PRIx64 ", %" PRIu64 " bytes",
			 NAMED(types, type),
			 NAMED(bindings, GELF_ST_BIND(symbol->sym.st_info)),
			 symbol->sym.st_other, symbol->where, symbol->sym.st_value,
			 symbol->sym.st_size);
	}
}

/* As binutils prints it: to SYMBOL+0xN or SYMBOL-0xN. */
static uint64_t magnitude(int64_t addend)
{
	return addend < 0 ? -(uint64_t)addend : (uint64_t)addend;
}

void add_relocations(struct rows *rows, const struct ko *ko)
{
	for (size_t i = 0; i < ko->n_relocations; i++) {
		const struct relocation *relocation = &ko->relocations[i];
		const struct symbol *symbol = relocation->symbol;
		char defined[512] = "", key[512];

		if (is_btf(relocation->section))
			continue;
		if (symbol->sym.st_shndx != SHN_UNDEF)
			snprintf(defined, sizeof(defined),
				 " (which is at %s+0x%" PRIx64 ")", symbol->where,
				 symbol->sym.st_value);
		section_key(relocation->section, "", key, sizeof(key));
		rows_add(rows, key, relocation->section, relocation->rela.r_offset,
			 "relocated by type %" PRIu64 " to %s%s0x%" PRIx64 "%s",
			 (uint64_t)GELF_R_TYPE(relocation->rela.r_info), symbol->name,
			 relocation->rela.r_addend < 0 ? "-" : "+",
			 magnitude(relocation->rela.r_addend), defined);
	}
}

/* The next of the strings in @section after @text, or the first; NULL at the end. */
static const char *next_string(const struct ko *ko, const struct section *section,
			       const char *text)
{
	const char *start = (const char *)section->data;
	const char *end = start + section->header.sh_size;

	if (section->header.sh_size && end[-1])
		errx(2, "'%s': %s does not end with its last string", ko->path,
		     section->name);
	text = text ? text + strlen(text) + 1 : start;
	while (text < end && !*text)
		text++;
	return text < end ? text : NULL;
}

static bool is_intree(const char *text)
{
	return !strncmp(text, "intree=", strlen("intree="));
}

bool has_intree(const struct ko *ko)
{
	const struct section *section = ko_section(ko, ".modinfo", 0);

	for (const char *text = NULL; section && (text = next_string(ko, section, text));)
		if (is_intree(text))
			return true;
	return false;
}

void add_modinfo(struct rows *rows, const struct ko *ko)
{
	const struct section *section = ko_section(ko, ".modinfo", 0);
	const char *text = NULL;
	char key[512];

	if (!section || !section->data)
		errx(2, "'%s' has no .modinfo", ko->path);
	while ((text = next_string(ko, section, text))) {
		if (is_intree(text))
			continue;
		snprintf(key, sizeof(key), "modinfo %.*s", (int)strcspn(text, "="), text);
		rows_add(rows, key, NULL, 0, "'%s'", text);
	}
}

static void add_version(struct rows *rows, const char *name, uint64_t crc)
{
	char key[512];

	snprintf(key, sizeof(key), "CRC of %s", name);
	rows_add(rows, key, NULL, 0, "0x%08" PRIx64, crc);
}

static void add_basic_versions(struct rows *rows, const struct ko *ko,
			       const struct section *section)
{
	char name[VERSION_SIZE - VERSION_NAME + 1] = "";
	uint64_t crc;

	if (section->header.sh_size % VERSION_SIZE)
		errx(2, "'%s': the size of __versions is no multiple of %d", ko->path,
		     VERSION_SIZE);
	for (uint64_t at = 0; at < section->header.sh_size; at += VERSION_SIZE) {
		memcpy(&crc, section->data + at, sizeof(crc));
		memcpy(name, section->data + at + VERSION_NAME,
		       VERSION_SIZE - VERSION_NAME);
		for (size_t i = strlen(name); i < VERSION_SIZE - VERSION_NAME; i++)
			if (name[i])
				errx(2, "'%s': a name in __versions is not padded with 0",
				     ko->path);
		add_version(rows, name, crc);
	}
}

/* CONFIG_EXTENDED_MODVERSIONS: the CRCs, and the names in the same order. */
static void add_extended_versions(struct rows *rows, const struct ko *ko,
				  const struct section *crcs)
{
	const struct section *names = ko_section(ko, "__version_ext_names", 0);
	const char *name = NULL;
	uint32_t crc;
	uint64_t at = 0;

	if (!names || !names->data)
		errx(2, "'%s' has __version_ext_crcs and no names", ko->path);
	while ((name = next_string(ko, names, name))) {
		if (at + sizeof(crc) > crcs->header.sh_size)
			break;
		memcpy(&crc, crcs->data + at, sizeof(crc));
		at += sizeof(crc);
		add_version(rows, name, crc);
	}
	if (name || at != crcs->header.sh_size)
		errx(2, "'%s': not as many CRCs as names", ko->path);
}

void add_versions(struct rows *rows, const struct ko *ko)
{
	const struct section *section = ko_section(ko, "__versions", 0);

	if (section && section->data)
		add_basic_versions(rows, ko, section);
	section = ko_section(ko, "__version_ext_crcs", 0);
	if (section && section->data)
		add_extended_versions(rows, ko, section);
}
