// SPDX-License-Identifier: GPL-2.0-only
#include "elf.h"

#include <elf.h>
#include <string.h>

#include "log.h"

/* What the kernel's elf_check_arch() and ELF_CLASS are, for the architecture we run on.
 */
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

/* What lies in the file lies inside of it, as elf_validity_check() in the kernel's
 * kernel/module.c has it. */
static int check_sections(const char *data, size_t size, const Elf64_Ehdr *hdr,
			  struct reason *reason)
{
	for (unsigned int i = 1; i < hdr->e_shnum; i++) {
		Elf64_Shdr section;

		memcpy(&section, data + hdr->e_shoff + i * sizeof(section),
		       sizeof(section));
		if (section.sh_type == SHT_NULL || section.sh_type == SHT_NOBITS)
			continue;
		if (section.sh_offset <= size &&
		    section.sh_size <= size - section.sh_offset)
			continue;
		return reason_set(reason, -EBADMSG,
				  "damaged: section %u lies outside of the file", i);
	}
	return 0;
}

int elf_check_header(const char *data, size_t size, struct reason *reason)
{
	Elf64_Ehdr hdr;
	int ret;

	if (size < sizeof(hdr))
		return reason_set(reason, -EBADMSG, "not an ELF file: only %zu bytes",
				  size);
	memcpy(&hdr, data, sizeof(hdr));
	ret = check_ident(&hdr, reason);
	if (ret < 0)
		return ret;
	if (hdr.e_shentsize != sizeof(Elf64_Shdr))
		return reason_set(reason, -EBADMSG,
				  "damaged: section headers of %u bytes",
				  hdr.e_shentsize);
	if (hdr.e_shoff >= size ||
	    (size_t)hdr.e_shnum * sizeof(Elf64_Shdr) > size - hdr.e_shoff)
		return reason_set(reason, -EBADMSG,
				  "cut short: %zu bytes, its section headers end at %llu",
				  size,
				  (unsigned long long)hdr.e_shoff +
					  hdr.e_shnum * sizeof(Elf64_Shdr));
	if (hdr.e_shstrndx >= hdr.e_shnum)
		return reason_set(reason, -EBADMSG, "damaged: no section names");
	return check_sections(data, size, &hdr, reason);
}
