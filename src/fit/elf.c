// SPDX-License-Identifier: GPL-2.0-only
#include "fit/elf.h"

#include "base/log.h"

/* The kernel's elf_check_arch() and ELF_CLASS for the architecture of this program. */
#if defined(__x86_64__) && defined(__LP64__)
#define NATIVE_MACHINE EM_X86_64
#elif defined(__aarch64__) && defined(__LP64__)
#define NATIVE_MACHINE EM_AARCH64
#else
#error "wgkmod does not know this architecture: add its ELF machine here"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_DATA ELFDATA2LSB
#else
#define NATIVE_DATA ELFDATA2MSB
#endif

static int check_ident(const Elf64_Ehdr *hdr, struct reason *reason)
{
	if (memcmp(hdr->e_ident, ELFMAG, SELFMAG) != 0)
		return reason_set(reason, -EBADMSG, "not an ELF file");
	if (hdr->e_ident[EI_CLASS] != ELFCLASS64)
		return reason_set(reason, -ENOEXEC,
				  "another architecture: ELF class %u, not %u",
				  hdr->e_ident[EI_CLASS], ELFCLASS64);
	if (hdr->e_ident[EI_DATA] != NATIVE_DATA)
		return reason_set(reason, -ENOEXEC,
				  "another architecture: ELF byte order %u, not %u",
				  hdr->e_ident[EI_DATA], NATIVE_DATA);
	if (hdr->e_type != ET_REL)
		return reason_set(reason, -EBADMSG,
				  "not a module: ELF type %u, not relocatable",
				  hdr->e_type);
	if (hdr->e_machine != NATIVE_MACHINE)
		return reason_set(reason, -ENOEXEC,
				  "another architecture: ELF machine %u, not %u",
				  hdr->e_machine, NATIVE_MACHINE);
	return 0;
}

Elf64_Shdr elf_section(const struct elf *elf, unsigned int index)
{
	Elf64_Shdr section;

	memcpy(&section, elf->data + elf->header.e_shoff + index * sizeof(section),
	       sizeof(section));
	return section;
}

const char *elf_section_name(const struct elf *elf, const Elf64_Shdr *section)
{
	return section->sh_type == SHT_NULL ? "" : elf->names + section->sh_name;
}

static int check_table(const struct elf *elf, struct reason *reason)
{
	const Elf64_Ehdr *hdr = &elf->header;

	if (hdr->e_shentsize != sizeof(Elf64_Shdr))
		return damaged(reason, "section headers of %u bytes", hdr->e_shentsize);
	if (hdr->e_shoff >= elf->size ||
	    (size_t)hdr->e_shnum * sizeof(Elf64_Shdr) > elf->size - hdr->e_shoff)
		return reason_set(reason, -EBADMSG,
				  "cut short: %zu bytes, its section headers end at %llu",
				  elf->size,
				  (unsigned long long)hdr->e_shoff +
					  hdr->e_shnum * sizeof(Elf64_Shdr));
	if (hdr->e_shstrndx == SHN_UNDEF || hdr->e_shstrndx >= hdr->e_shnum)
		return damaged(reason, "no section names");
	return 0;
}

/* Check that every section is inside the file; the kernel copies them from there. */
static int check_sections(const struct elf *elf, struct reason *reason)
{
	for (unsigned int i = 1; i < elf->header.e_shnum; i++) {
		const Elf64_Shdr section = elf_section(elf, i);

		if (section.sh_type == SHT_NOBITS ||
		    (section.sh_type == SHT_NULL && !(section.sh_flags & SHF_ALLOC)))
			continue;
		if (section.sh_offset <= elf->size &&
		    section.sh_size <= elf->size - section.sh_offset)
			continue;
		return damaged(reason, "section %u lies outside of the file", i);
	}
	return 0;
}

/*
 * Check that section 0 is empty: the kernel takes it for a section that it does not find.
 */
static int check_first(const struct elf *elf, struct reason *reason)
{
	const Elf64_Shdr first = elf_section(elf, 0);

	if (first.sh_type == SHT_NULL && !first.sh_size && !first.sh_addr &&
	    !first.sh_flags)
		return 0;
	return damaged(reason, "there is something in section 0");
}

static int check_names(struct elf *elf, struct reason *reason)
{
	const Elf64_Shdr names = elf_section(elf, elf->header.e_shstrndx);

	if (names.sh_type != SHT_STRTAB || !names.sh_size ||
	    elf->data[names.sh_offset + names.sh_size - 1])
		return damaged(reason, "no section names");
	elf->names = elf->data + names.sh_offset;
	for (unsigned int i = 1; i < elf->header.e_shnum; i++) {
		const Elf64_Shdr section = elf_section(elf, i);

		if (section.sh_type != SHT_NULL && section.sh_name >= names.sh_size)
			return damaged(reason, "section %u has no name", i);
	}
	return 0;
}

int elf_open(struct elf *elf, const char *data, size_t size, struct reason *reason)
{
	int ret;

	*elf = (struct elf){ .data = data, .size = size };
	if (size < sizeof(elf->header))
		return reason_set(reason, -EBADMSG, "not an ELF file: only %zu bytes",
				  size);
	memcpy(&elf->header, data, sizeof(elf->header));
	ret = check_ident(&elf->header, reason);
	if (ret == 0)
		ret = check_table(elf, reason);
	if (ret == 0)
		ret = check_sections(elf, reason);
	if (ret == 0)
		ret = check_first(elf, reason);
	if (ret == 0)
		ret = check_names(elf, reason);
	return ret;
}
