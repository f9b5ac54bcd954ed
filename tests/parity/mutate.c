// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: mutate IN.ko OUT.ko SEED
 *	  mutate IN.ko OUT.ko KIND SEED
 *
 * Changes one thing in a module and prints what the comparison has to say of it: KIND, a
 * tab, and the words by which its message names the place. SEED chooses, and so does the
 * same each time. Nothing of parity's own reading is used here.
 */
#include <elf.h>
#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char *file;
static size_t file_size;
static Elf64_Ehdr *header;
static Elf64_Shdr *sections;
static uint64_t state;

/* splitmix64 */
static uint64_t draw(uint64_t below)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) % below;
}

static const char *name_of(const Elf64_Shdr *section)
{
	return (char *)file + sections[header->e_shstrndx].sh_offset + section->sh_name;
}

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* One of the sections that @fits, or NULL. */
static Elf64_Shdr *choose(bool (*fits)(const Elf64_Shdr *))
{
	Elf64_Shdr *found[512];
	size_t n = 0;

	for (size_t i = 1; i < header->e_shnum && n < 512; i++)
		if (sections[i].sh_size && fits(&sections[i]))
			found[n++] = &sections[i];
	return n ? found[draw(n)] : NULL;
}

static bool has_bytes(const Elf64_Shdr *section)
{
	return section->sh_flags & SHF_ALLOC && section->sh_type != SHT_NOBITS &&
	       !starts(name_of(section), ".BTF");
}

static bool is_code(const Elf64_Shdr *section)
{
	return has_bytes(section) && section->sh_flags & SHF_EXECINSTR;
}

static bool is_text(const Elf64_Shdr *section)
{
	return has_bytes(section) && section->sh_flags & SHF_STRINGS &&
	       strcmp(name_of(section), ".modinfo") != 0;
}

static bool is_data(const Elf64_Shdr *section)
{
	return has_bytes(section) &&
	       !(section->sh_flags & (SHF_EXECINSTR | SHF_STRINGS)) &&
	       strcmp(name_of(section), ".modinfo") != 0 &&
	       strcmp(name_of(section), ".note.gnu.build-id") != 0 &&
	       !starts(name_of(section), "__version");
}

static bool is_loaded(const Elf64_Shdr *section)
{
	return section->sh_flags & SHF_ALLOC && !starts(name_of(section), ".BTF");
}

static bool is_relocations(const Elf64_Shdr *section)
{
	return section->sh_type == SHT_RELA && is_loaded(&sections[section->sh_info]);
}

static bool is_versions(const Elf64_Shdr *section)
{
	return !strcmp(name_of(section), "__versions");
}

static bool is_modinfo(const Elf64_Shdr *section)
{
	return !strcmp(name_of(section), ".modinfo");
}

static bool is_symbols(const Elf64_Shdr *section)
{
	return section->sh_type == SHT_SYMTAB;
}

static bool change_byte(bool (*fits)(const Elf64_Shdr *))
{
	Elf64_Shdr *section = choose(fits);
	uint64_t at;

	if (!section)
		return false;
	at = draw(section->sh_size);
	file[section->sh_offset + at] ^= (unsigned char)(1U << draw(8));
	printf("%s+0x%" PRIx64 "\n", name_of(section), at);
	return true;
}

static bool change_code(void)
{
	return change_byte(is_code);
}

static bool change_data(void)
{
	return change_byte(is_data);
}

static bool change_string(void)
{
	return change_byte(is_text);
}

static Elf64_Rela *choose_relocation(const char **name)
{
	Elf64_Shdr *section = choose(is_relocations);
	Elf64_Rela *rela;

	if (!section)
		return NULL;
	rela = (Elf64_Rela *)(file + section->sh_offset);
	*name = name_of(&sections[section->sh_info]);
	return rela + draw(section->sh_size / sizeof(*rela));
}

static bool change_relocation(unsigned int what)
{
	const char *name;
	Elf64_Rela *rela = choose_relocation(&name);
	Elf64_Shdr *table = choose(is_symbols);
	uint64_t symbol, type, n;

	if (!rela || !table)
		return false;
	printf("%s+0x%" PRIx64 "\n", name, rela->r_offset);
	symbol = ELF64_R_SYM(rela->r_info);
	type = ELF64_R_TYPE(rela->r_info);
	n = table->sh_size / sizeof(Elf64_Sym);
	if (what == 0)
		rela->r_offset += 1;
	else if (what == 1)
		type = type == R_X86_64_PC32 ? R_X86_64_PLT32 : R_X86_64_PC32;
	else if (what == 2)
		symbol = 1 + (symbol + draw(n - 2)) % (n - 1);
	else
		rela->r_addend ^= 1 << draw(8);
	rela->r_info = ELF64_R_INFO(symbol, type);
	return true;
}

static bool change_relocation_offset(void)
{
	return change_relocation(0);
}

static bool change_relocation_type(void)
{
	return change_relocation(1);
}

static bool change_relocation_symbol(void)
{
	return change_relocation(2);
}

static bool change_relocation_addend(void)
{
	return change_relocation(3);
}

static bool change_crc(void)
{
	Elf64_Shdr *section = choose(is_versions);
	uint64_t at;

	if (!section)
		return false;
	at = section->sh_offset + draw(section->sh_size / 64) * 64;
	file[at + draw(4)] ^= (unsigned char)(1U << draw(8));
	printf("CRC of %s:\n", (char *)file + at + 8);
	return true;
}

/* One character of an entry's value. */
static bool change_modinfo_of(const char *field)
{
	Elf64_Shdr *section = choose(is_modinfo);
	char *text, *end, *value;

	if (!section)
		return false;
	text = (char *)file + section->sh_offset;
	end = text + section->sh_size;
	for (; text < end; text += strlen(text) + 1) {
		value = strchr(text, '=');
		if (!value || !value[1] || (size_t)(value - text) != strlen(field) ||
		    !starts(text, field))
			continue;
		value += 1 + draw(strlen(value + 1));
		*value = *value == 'x' ? 'y' : 'x';
		printf("modinfo %s:\n", field);
		return true;
	}
	return false;
}

static bool change_srcversion(void)
{
	return change_modinfo_of("srcversion");
}

static bool change_vermagic(void)
{
	return change_modinfo_of("vermagic");
}

static bool change_depends(void)
{
	return change_modinfo_of("depends");
}

static bool change_alias(void)
{
	return change_modinfo_of("alias");
}

static bool change_licence(void)
{
	return change_modinfo_of("license");
}

/* Where a symbol stands, how long it is, what it is, or its name. */
static bool change_symbol(unsigned int what)
{
	Elf64_Shdr *table = choose(is_symbols);
	Elf64_Sym *symbol;
	char *name;
	uint64_t n;

	if (!table)
		return false;
	n = table->sh_size / sizeof(*symbol);
	do {
		symbol = (Elf64_Sym *)(file + table->sh_offset) + 1 + draw(n - 1);
		name = (char *)file + sections[table->sh_link].sh_offset +
		       symbol->st_name;
	} while (ELF64_ST_TYPE(symbol->st_info) == STT_SECTION || !*name ||
		 (symbol->st_shndx < header->e_shnum &&
		  is_modinfo(&sections[symbol->st_shndx])));
	printf("symbol %s:\n", name);
	if (what == 0)
		symbol->st_value += 1;
	else if (what == 1)
		symbol->st_size += 1;
	else if (what == 2)
		symbol->st_info ^= 1U << 4; /* the binding */
	else
		name[draw(strlen(name))] ^= 1;
	return true;
}

static bool change_symbol_value(void)
{
	return change_symbol(0);
}

static bool change_symbol_size(void)
{
	return change_symbol(1);
}

static bool change_symbol_binding(void)
{
	return change_symbol(2);
}

static bool change_symbol_name(void)
{
	return change_symbol(3);
}

static bool change_section(void)
{
	Elf64_Shdr *section = choose(is_loaded);

	if (!section)
		return false;
	printf("section %s\n", name_of(section));
	if (draw(2))
		section->sh_flags ^= draw(2) ? SHF_WRITE : SHF_EXECINSTR;
	else
		section->sh_addralign = section->sh_addralign == 16 ? 32 : 16;
	return true;
}

static const struct {
	const char *name;
	bool (*change)(void);
} kinds[] = {
	{ "code", change_code },
	{ "data", change_data },
	{ "string", change_string },
	{ "relocation-offset", change_relocation_offset },
	{ "relocation-type", change_relocation_type },
	{ "relocation-symbol", change_relocation_symbol },
	{ "relocation-addend", change_relocation_addend },
	{ "crc", change_crc },
	{ "srcversion", change_srcversion },
	{ "vermagic", change_vermagic },
	{ "depends", change_depends },
	{ "alias", change_alias },
	{ "licence", change_licence },
	{ "symbol-value", change_symbol_value },
	{ "symbol-size", change_symbol_size },
	{ "symbol-binding", change_symbol_binding },
	{ "symbol-name", change_symbol_name },
	{ "section", change_section },
};

#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

static void read_file(const char *path)
{
	FILE *from = fopen(path, "rb");
	long size;

	if (!from || fseek(from, 0, SEEK_END) || (size = ftell(from)) < 0)
		err(2, "%s", path);
	rewind(from);
	file_size = (size_t)size;
	file = malloc(file_size + 1);
	if (!file || fread(file, 1, file_size, from) != file_size)
		err(2, "%s", path);
	fclose(from);
	header = (Elf64_Ehdr *)file;
	if (file_size < sizeof(*header) || memcmp(file, ELFMAG, SELFMAG) != 0)
		errx(2, "%s is not a module", path);
	sections = (Elf64_Shdr *)(file + header->e_shoff);
}

static void write_file(const char *path)
{
	FILE *to = fopen(path, "wb");

	if (!to || fwrite(file, 1, file_size, to) != file_size || fclose(to) != 0)
		err(2, "%s", path);
}

/* The kind named @name, or the one that the draw falls upon, and others where it has
 * none. */
static void mutate(const char *name)
{
	size_t first = draw(N_KINDS);

	for (size_t i = 0; i < N_KINDS; i++) {
		size_t kind = (first + i) % N_KINDS;

		if (name && strcmp(name, kinds[kind].name) != 0)
			continue;
		printf("%s\t", kinds[kind].name);
		if (kinds[kind].change())
			return;
		if (name)
			break;
		putchar('\n');
	}
	errx(1, "the module has nothing of the kind %s", name ? name : "of any");
}

int main(int argc, char **argv)
{
	if (argc != 4 && argc != 5)
		errx(2, "usage: mutate IN.ko OUT.ko [KIND] SEED");
	read_file(argv[1]);
	state = strtoull(argv[argc - 1], NULL, 10);
	mutate(argc == 5 ? argv[3] : NULL);
	write_file(argv[2]);
	return fflush(stdout) == 0 ? 0 : 2;
}
