// SPDX-License-Identifier: GPL-2.0-only
#include "fit/relocs.h"

#include <string.h>

#include "base/log.h"

/* Types from @first to @last write @width bytes. */
struct kind {
	unsigned int first;
	unsigned int last;
	unsigned int width;
};

/* __apply_relocate_add() in arch/x86/kernel/module.c, of 5.10 */
/* clang-format off */
static const struct kind x86_64[] = {
	{ R_X86_64_NONE, R_X86_64_NONE, 0 },
	{ R_X86_64_64, R_X86_64_64, 8 },
	{ R_X86_64_PC32, R_X86_64_PC32, 4 },
	{ R_X86_64_PLT32, R_X86_64_PLT32, 4 },
	{ R_X86_64_32, R_X86_64_32S, 4 },
	{ R_X86_64_PC64, R_X86_64_PC64, 8 },
};
/* clang-format on */

/* apply_relocate_add() in arch/arm64/kernel/module.c, of 5.10 */
static const struct kind aarch64[] = {
	{ 0, 0, 0 },	 /* R_ARM_NONE */
	{ 256, 256, 0 }, /* the R_AARCH64_NONE of the kernel's asm/elf.h */
	{ R_AARCH64_ABS64, R_AARCH64_ABS64, 8 },
	{ R_AARCH64_ABS32, R_AARCH64_ABS32, 4 },
	{ R_AARCH64_ABS16, R_AARCH64_ABS16, 2 },
	{ R_AARCH64_PREL64, R_AARCH64_PREL64, 8 },
	{ R_AARCH64_PREL32, R_AARCH64_PREL32, 4 },
	{ R_AARCH64_PREL16, R_AARCH64_PREL16, 2 },
	{ R_AARCH64_MOVW_UABS_G0, R_AARCH64_CONDBR19, 4 },
	{ R_AARCH64_JUMP26, R_AARCH64_MOVW_PREL_G3, 4 },
	{ R_AARCH64_LDST128_ABS_LO12_NC, R_AARCH64_LDST128_ABS_LO12_NC, 4 },
};

static const struct kind *find_kind(unsigned int machine, unsigned int type)
{
	const struct kind *kinds = x86_64;
	size_t count = ARRAY_SIZE(x86_64);

	if (machine == EM_AARCH64) {
		kinds = aarch64;
		count = ARRAY_SIZE(aarch64);
	}
	for (size_t i = 0; i < count; i++)
		if (type >= kinds[i].first && type <= kinds[i].last)
			return &kinds[i];
	return NULL;
}

/* The two tables are loaded as well, whatever their flags: layout_symtab(). */
static bool is_loaded(const struct layout *layout, unsigned int index,
		      const Elf64_Shdr *section)
{
	return section->sh_flags & SHF_ALLOC || index == layout->symtab ||
	       index == layout->strtab;
}

/* What is not loaded stays where the kernel read the file, too far from the rest for most
 * relocations, and soon is no more. */
static int check_symbol(const struct elf *elf, const struct layout *layout,
			const Elf64_Sym *symbol, const char *target,
			struct reason *reason)
{
	Elf64_Shdr section;

	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx >= SHN_LORESERVE)
		return 0;
	section = elf_section(elf, symbol->st_shndx);
	if (is_loaded(layout, symbol->st_shndx, &section))
		return 0;
	return reason_set(reason, -EBADMSG,
			  "damaged: a relocation of %s is by a symbol of %s, which is "
			  "not loaded",
			  target, elf_section_name(elf, &section));
}

/* What x86_64 asks besides: it takes a place that is not zero for one relocated before;
 * and no address of a module fits into 32 bits that are not extended by their sign. */
static int check_x86_64(const struct elf *elf, const Elf64_Shdr *target,
			const Elf64_Rela *rela, unsigned int width,
			const Elf64_Sym *symbol, struct reason *reason)
{
	static const char zero[8];

	if (target->sh_type != SHT_NOBITS &&
	    memcmp(elf->data + target->sh_offset + rela->r_offset, zero, width) != 0)
		return reason_set(reason, -EBADMSG,
				  "damaged: there is something where %s is relocated",
				  elf_section_name(elf, target));
	if (ELF64_R_TYPE(rela->r_info) == R_X86_64_32 && symbol->st_shndx != SHN_UNDEF &&
	    symbol->st_shndx < SHN_LORESERVE)
		return reason_set(reason, -EBADMSG,
				  "damaged: a relocation of %s overflows",
				  elf_section_name(elf, target));
	return 0;
}

static int check_rela(const struct elf *elf, const struct layout *layout,
		      const Elf64_Shdr *target, const Elf64_Rela *rela,
		      struct reason *reason)
{
	const unsigned int type = (unsigned int)ELF64_R_TYPE(rela->r_info);
	const struct kind *kind = find_kind(elf->header.e_machine, type);
	const char *name = elf_section_name(elf, target);
	Elf64_Sym symbol;
	int ret;

	if (!kind)
		return reason_set(reason, -EBADMSG,
				  "damaged: a relocation of %s is of type %u, which the "
				  "kernel does not know",
				  name, type);
	if (ELF64_R_SYM(rela->r_info) >= layout->n_symbols)
		return reason_set(reason, -EBADMSG,
				  "damaged: a relocation of %s is by symbol %llu of %zu",
				  name, (unsigned long long)ELF64_R_SYM(rela->r_info),
				  layout->n_symbols);
	if (rela->r_offset > target->sh_size ||
	    kind->width > target->sh_size - rela->r_offset)
		return reason_set(reason, -EBADMSG,
				  "damaged: a relocation of %s is outside of it", name);
	symbol = elf_rules_symbol(elf, layout, ELF64_R_SYM(rela->r_info));
	ret = check_symbol(elf, layout, &symbol, name, reason);
	if (ret == 0 && elf->header.e_machine == EM_X86_64)
		ret = check_x86_64(elf, target, rela, kind->width, &symbol, reason);
	return ret;
}

static int check_section(const struct elf *elf, const struct layout *layout,
			 const Elf64_Shdr *section, const Elf64_Shdr *target,
			 struct reason *reason)
{
	const char *at = elf->data + section->sh_offset;
	int ret = 0;

	if (section->sh_type == SHT_REL)
		return reason_set(reason, -EBADMSG,
				  "damaged: relocations of %s without addends",
				  elf_section_name(elf, target));
	for (size_t i = 0; ret == 0 && i < section->sh_size / sizeof(Elf64_Rela); i++) {
		Elf64_Rela rela;

		memcpy(&rela, at + i * sizeof(rela), sizeof(rela));
		ret = check_rela(elf, layout, target, &rela, reason);
	}
	return ret;
}

int relocs_check(const struct elf *elf, const struct layout *layout,
		 struct reason *reason)
{
	for (unsigned int i = 1; i < elf->header.e_shnum; i++) {
		const Elf64_Shdr section = elf_section(elf, i);
		Elf64_Shdr target;
		int ret;

		if ((section.sh_type != SHT_RELA && section.sh_type != SHT_REL) ||
		    section.sh_info >= elf->header.e_shnum)
			continue;
		target = elf_section(elf, section.sh_info);
		if (!is_loaded(layout, section.sh_info, &target))
			continue;
		ret = check_section(elf, layout, &section, &target, reason);
		if (ret < 0)
			return ret;
	}
	return 0;
}
