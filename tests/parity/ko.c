// SPDX-License-Identifier: GPL-2.0-only
#include "ko.h"

#include <endian.h>
#include <err.h>
#include <fcntl.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIGNATURE_MARK "~Module signature appended~\n"

/* struct module_signature */
struct signature_trailer {
	uint8_t algo, hash, id_type, signer_len, key_id_len, pad[3];
	uint32_t sig_len; /* big-endian */
};

static void *get_memory(size_t n, size_t size)
{
	void *memory = calloc(n ? n : 1, size);

	if (!memory)
		err(2, "no memory");
	return memory;
}

static void read_bytes(struct ko *ko)
{
	struct stat st;
	size_t got = 0;
	int fd = open(ko->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		err(2, "cannot read '%s'", ko->path);
	ko->size = (size_t)st.st_size;
	ko->bytes = get_memory(ko->size, 1);
	while (got < ko->size) {
		ssize_t len = read(fd, ko->bytes + got, ko->size - got);

		if (len <= 0)
			err(2, "cannot read '%s'", ko->path);
		got += (size_t)len;
	}
	close(fd);
}

/* Takes a signature off the end of the file. */
static void find_signature(struct ko *ko)
{
	struct signature_trailer trailer;
	size_t mark = strlen(SIGNATURE_MARK), size;

	ko->elf_size = ko->size;
	if (ko->size < mark + sizeof(trailer) ||
	    memcmp(ko->bytes + ko->size - mark, SIGNATURE_MARK, mark) != 0)
		return;
	memcpy(&trailer, ko->bytes + ko->size - mark - sizeof(trailer), sizeof(trailer));
	size = mark + sizeof(trailer) + be32toh(trailer.sig_len) + trailer.signer_len +
	       trailer.key_id_len;
	if (size > ko->size)
		errx(2, "'%s': its signature is damaged", ko->path);
	ko->signature = size;
	ko->elf_size -= size;
}

static const char *section_name(const struct ko *ko, const GElf_Shdr *header)
{
	size_t names;
	const char *name;

	if (elf_getshdrstrndx(ko->elf, &names) < 0 ||
	    !(name = elf_strptr(ko->elf, names, header->sh_name)))
		errx(2, "'%s': %s", ko->path, elf_errmsg(-1));
	return name;
}

static Elf_Scn *get_section(const struct ko *ko, size_t index, GElf_Shdr *header)
{
	Elf_Scn *scn = elf_getscn(ko->elf, index);

	if (!scn || !gelf_getshdr(scn, header))
		errx(2, "'%s': section %zu: %s", ko->path, index, elf_errmsg(-1));
	return scn;
}

static size_t count_sections(const struct ko *ko)
{
	size_t n;

	if (elf_getshdrnum(ko->elf, &n) < 0)
		errx(2, "'%s': %s", ko->path, elf_errmsg(-1));
	return n;
}

/* The end of the ELF file must be the end of what was read. */
static void require_end(const struct ko *ko)
{
	size_t end = ko->header.e_shoff + count_sections(ko) * ko->header.e_shentsize;
	GElf_Shdr header;

	for (size_t i = 1; i < count_sections(ko); i++) {
		get_section(ko, i, &header);
		if (header.sh_type != SHT_NOBITS &&
		    header.sh_offset + header.sh_size > end)
			end = header.sh_offset + header.sh_size;
	}
	if (end != ko->elf_size)
		errx(2, "'%s': %zu bytes, but its ELF file ends at %zu", ko->path,
		     ko->elf_size, end);
}

static void read_sections(struct ko *ko)
{
	size_t n = count_sections(ko);

	ko->sections = get_memory(n, sizeof(*ko->sections));
	for (size_t i = 1; i < n; i++) {
		struct section *section = &ko->sections[ko->n_sections];

		get_section(ko, i, &section->header);
		ko->btf |= !strcmp(section_name(ko, &section->header), ".BTF");
		if (!(section->header.sh_flags & SHF_ALLOC))
			continue;
		section->name = section_name(ko, &section->header);
		section->nth = 0;
		section->index = i;
		while (ko_section(ko, section->name, section->nth))
			section->nth++;
		if (section->header.sh_type != SHT_NOBITS)
			section->data = (const unsigned char *)ko->bytes +
					section->header.sh_offset;
		ko->n_sections++;
	}
}

/* Where the section numbered @index stands: its name, and which of that name. */
static const char *place_of(const struct ko *ko, size_t index, unsigned int *nth)
{
	GElf_Shdr header;

	*nth = 0;
	if (index == SHN_UNDEF)
		return "UNDEF";
	if (index == SHN_ABS)
		return "ABS";
	if (index == SHN_COMMON)
		return "COMMON";
	for (size_t i = 0; i < ko->n_sections; i++)
		if (ko->sections[i].index == index) {
			*nth = ko->sections[i].nth;
			return ko->sections[i].name;
		}
	get_section(ko, index, &header);
	return section_name(ko, &header);
}

static void read_symbols(struct ko *ko, size_t index)
{
	GElf_Shdr header;
	Elf_Data *data = elf_getdata(get_section(ko, index, &header), NULL);

	if (!data || !header.sh_entsize || ko->symbols)
		errx(2, "'%s': its table of symbols is damaged", ko->path);
	ko->n_symbols = header.sh_size / header.sh_entsize;
	ko->symbols = get_memory(ko->n_symbols, sizeof(*ko->symbols));
	for (size_t i = 0; i < ko->n_symbols; i++) {
		struct symbol *symbol = &ko->symbols[i];

		if (!gelf_getsym(data, (int)i, &symbol->sym))
			errx(2, "'%s': symbol %zu: %s", ko->path, i, elf_errmsg(-1));
		symbol->where = place_of(ko, symbol->sym.st_shndx, &symbol->nth);
		symbol->name = elf_strptr(ko->elf, header.sh_link, symbol->sym.st_name);
		if (GELF_ST_TYPE(symbol->sym.st_info) == STT_SECTION)
			symbol->name = symbol->where;
		if (!symbol->name)
			errx(2, "'%s': symbol %zu: %s", ko->path, i, elf_errmsg(-1));
	}
}

static const struct section *section_numbered(const struct ko *ko, size_t index)
{
	for (size_t i = 0; i < ko->n_sections; i++)
		if (ko->sections[i].index == index)
			return &ko->sections[i];
	return NULL;
}

static void read_relocations(struct ko *ko, size_t index)
{
	GElf_Shdr header;
	Elf_Data *data = elf_getdata(get_section(ko, index, &header), NULL);
	const struct section *section = section_numbered(ko, header.sh_info);
	size_t n;

	if (!section)
		return; /* of debug data */
	if (!data || !header.sh_entsize)
		errx(2, "'%s': the relocations of %s are damaged", ko->path,
		     section->name);
	n = header.sh_size / header.sh_entsize;
	ko->relocations = reallocarray(ko->relocations, ko->n_relocations + n + 1,
				       sizeof(*ko->relocations));
	if (!ko->relocations)
		err(2, "no memory");
	for (size_t i = 0; i < n; i++) {
		struct relocation *relocation = &ko->relocations[ko->n_relocations++];

		relocation->section = section;
		if (!gelf_getrela(data, (int)i, &relocation->rela) ||
		    GELF_R_SYM(relocation->rela.r_info) >= ko->n_symbols)
			errx(2, "'%s': relocation %zu of %s is damaged", ko->path, i,
			     section->name);
		relocation->symbol = &ko->symbols[GELF_R_SYM(relocation->rela.r_info)];
	}
}

void ko_read(struct ko *ko, const char *path)
{
	GElf_Shdr header;

	memset(ko, 0, sizeof(*ko));
	ko->path = path;
	read_bytes(ko);
	find_signature(ko);
	if (elf_version(EV_CURRENT) == EV_NONE ||
	    !(ko->elf = elf_memory(ko->bytes, ko->elf_size)) ||
	    !gelf_getehdr(ko->elf, &ko->header) || ko->header.e_type != ET_REL)
		errx(2, "'%s' is not a kernel module", path);
	require_end(ko);
	read_sections(ko);
	for (size_t i = 1; i < count_sections(ko); i++) {
		get_section(ko, i, &header);
		if (header.sh_type == SHT_SYMTAB)
			read_symbols(ko, i);
	}
	if (!ko->n_symbols)
		errx(2, "'%s' has no table of symbols", path);
	for (size_t i = 1; i < count_sections(ko); i++) {
		get_section(ko, i, &header);
		if (header.sh_type == SHT_RELA)
			read_relocations(ko, i);
		if (header.sh_type == SHT_REL && section_numbered(ko, header.sh_info))
			errx(2,
			     "'%s' has relocations without addends, which is not of "
			     "x86_64",
			     path);
	}
}

const struct section *ko_section(const struct ko *ko, const char *name, unsigned int nth)
{
	for (size_t i = 0; i < ko->n_sections; i++)
		if (ko->sections[i].nth == nth && !strcmp(ko->sections[i].name, name))
			return &ko->sections[i];
	return NULL;
}

const struct symbol *ko_symbol_at(const struct ko *ko, const struct section *section,
				  uint64_t offset)
{
	const struct symbol *best = NULL;

	for (size_t i = 0; i < ko->n_symbols; i++) {
		const struct symbol *symbol = &ko->symbols[i];
		unsigned int type = GELF_ST_TYPE(symbol->sym.st_info);

		if (symbol->sym.st_shndx != section->index || type == STT_SECTION ||
		    symbol->sym.st_value > offset)
			continue;
		if (symbol->sym.st_size &&
		    offset - symbol->sym.st_value >= symbol->sym.st_size)
			continue;
		if (!best || symbol->sym.st_value > best->sym.st_value)
			best = symbol;
	}
	return best;
}
