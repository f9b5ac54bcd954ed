// SPDX-License-Identifier: GPL-2.0-only
#include "fit/elf_rules.h"

#include "base/log.h"

/*
 * The least room that a kernel has for all modules (MODULES_VSIZE of arm64), and the
 * largest page: what is loaded is aligned to a page, and no further (module_alloc()).
 */
#define MAX_LOADED_BYTES (128UL << 20)
#define MAX_ALIGNMENT 65536UL

/* SHF_RELA_LIVEPATCH in include/uapi/linux/elf.h: relocations for live patching. */
#define SHF_LIVEPATCH 0x00100000UL

enum known {
	SYMTAB,
	STRTAB,
	THIS_MODULE,
	MODINFO,
	VERSIONS,
	EXPORT_STRINGS,
	EXPORTS, /* pairs of exports and their CRCs */
	EXPORTS_END = EXPORTS + 10,
};

/*
 * The sections that the proof uses. The kernel's find_sec() takes the first one of a name
 * that has SHF_ALLOC, libkmod the first one of that name. So each name may appear once
 * only, and a section that is not empty must have that flag. The exports are those of
 * find_module_sections().
 */
static const struct {
	const char *name;
	unsigned int type;
	bool needed;
	bool loaded;
} known[] = {
	[SYMTAB] = { ".symtab", SHT_SYMTAB, true, false },
	[STRTAB] = { ".strtab", SHT_STRTAB, true, false },
	[THIS_MODULE] = { ".gnu.linkonce.this_module", SHT_PROGBITS, true, true },
	[MODINFO] = { ".modinfo", SHT_PROGBITS, true, true },
	[VERSIONS] = { "__versions", SHT_PROGBITS, false, true },
	[EXPORT_STRINGS] = { "__ksymtab_strings", SHT_PROGBITS, false, true },
	[EXPORTS] = { "__ksymtab", SHT_PROGBITS, false, true },
	{ "__kcrctab", SHT_PROGBITS, false, true },
	{ "__ksymtab_gpl", SHT_PROGBITS, false, true },
	{ "__kcrctab_gpl", SHT_PROGBITS, false, true },
	{ "__ksymtab_gpl_future", SHT_PROGBITS, false, true },
	{ "__kcrctab_gpl_future", SHT_PROGBITS, false, true },
	{ "__ksymtab_unused", SHT_PROGBITS, false, true },
	{ "__kcrctab_unused", SHT_PROGBITS, false, true },
	{ "__ksymtab_unused_gpl", SHT_PROGBITS, false, true },
	{ "__kcrctab_unused_gpl", SHT_PROGBITS, false, true },
};

struct found {
	unsigned int index[ARRAY_SIZE(known)]; /* 0: no such section */
	size_t size[ARRAY_SIZE(known)];
};

static int note_known(struct found *found, enum known which, unsigned int index,
		      const Elf64_Shdr *section, struct reason *reason)
{
	const char *name = known[which].name;

	if (found->index[which])
		return damaged(reason, "it has two sections %s", name);
	found->index[which] = index;
	found->size[which] = section->sh_size;
	if (!section->sh_size)
		return 0;
	if (section->sh_type != known[which].type)
		return damaged(reason, "its section %s is of type %u, not %u", name,
			       section->sh_type, known[which].type);
	if (known[which].loaded && !(section->sh_flags & SHF_ALLOC))
		return damaged(reason, "its section %s is not to be loaded (SHF_ALLOC)",
			       name);
	return 0;
}

/*
 * module_enforce_rwx_sections() refuses the first kind, and apply_relocations() the
 * second; the third is a section that the kernel would take for the symbol table, by its
 * type.
 */
static int check_section(const Elf64_Shdr *section, const char *name,
			 struct reason *reason)
{
	const unsigned long writable_code = SHF_WRITE | SHF_EXECINSTR;

	if ((section->sh_flags & writable_code) == writable_code)
		return damaged(reason, "its section %s is writable and executable", name);
	if (section->sh_flags & SHF_LIVEPATCH)
		return damaged(reason, "its section %s is of a live patch", name);
	if (section->sh_type == SHT_SYMTAB && strcmp(name, known[SYMTAB].name) != 0)
		return damaged(reason, "its section %s is one more symbol table", name);
	return 0;
}

/*
 * Add the memory that @section takes to @total, which has to stay within bounds:
 * layout_sections() adds the sizes up without looking.
 */
static int check_room(const Elf64_Shdr *section, const char *name, size_t *total,
		      struct reason *reason)
{
	const size_t align = section->sh_addralign;

	if (!(section->sh_flags & SHF_ALLOC))
		return 0;
	if (align & (align - 1) && align)
		return damaged(reason,
			       "the alignment of its section %s is %zu, no power of two",
			       name, align);
	if (align > MAX_ALIGNMENT)
		return damaged(reason,
			       "the alignment of its section %s is %zu, more than a page",
			       name, align);
	if (section->sh_size > MAX_LOADED_BYTES ||
	    (*total += section->sh_size + align) > MAX_LOADED_BYTES)
		return damaged(reason,
			       "with its section %s it takes more memory than a kernel "
			       "has for modules",
			       name);
	return 0;
}

static int check_sections(const struct elf *elf, struct found *found,
			  struct reason *reason)
{
	size_t total = 0;

	for (unsigned int i = 1; i < elf->header.e_shnum; i++) {
		const Elf64_Shdr section = elf_section(elf, i);
		const char *name = elf_section_name(elf, &section);
		int ret = check_section(&section, name, reason);

		if (ret == 0)
			ret = check_room(&section, name, &total, reason);
		for (unsigned int k = 0; ret == 0 && k < ARRAY_SIZE(known); k++)
			if (!strcmp(name, known[k].name))
				ret = note_known(found, k, i, &section, reason);
		if (ret < 0)
			return ret;
	}
	for (unsigned int k = 0; k < ARRAY_SIZE(known); k++)
		if (known[k].needed && !found->size[k])
			return damaged(reason, "it has no section %s", known[k].name);
	return 0;
}

static int check_strings(const struct elf *elf, const struct found *found,
			 struct reason *reason)
{
	const Elf64_Shdr symtab = elf_section(elf, found->index[SYMTAB]);
	const Elf64_Shdr strtab = elf_section(elf, found->index[STRTAB]);
	const char *strings = elf->data + strtab.sh_offset;

	if (symtab.sh_link == found->index[STRTAB] && !strings[0] &&
	    !strings[strtab.sh_size - 1])
		return 0;
	return damaged(reason, "its section %s does not have the names of its symbols",
		       known[STRTAB].name);
}

Elf64_Sym elf_rules_symbol(const struct elf *elf, const struct layout *layout,
			   size_t index)
{
	Elf64_Sym symbol;

	memcpy(&symbol,
	       elf->data + elf_section(elf, layout->symtab).sh_offset +
		       index * sizeof(symbol),
	       sizeof(symbol));
	return symbol;
}

const char *elf_rules_symbol_name(const struct elf *elf, const struct layout *layout,
				  const Elf64_Sym *symbol)
{
	return elf->data + elf_section(elf, layout->strtab).sh_offset + symbol->st_name;
}

/*
 * Return true if libkmod can read the CRC of the symbol @name where it looks for it: in
 * the symbol itself, or at its place in its section, which kmod_elf_resolve_crc() up to
 * kmod 30 takes to be in the file.
 */
static bool crc_ok(const struct elf *elf, const Elf64_Sym *symbol, const char *name)
{
	Elf64_Shdr section;

	if (strncmp(name, "__crc_", strlen("__crc_")) != 0 ||
	    symbol->st_shndx == SHN_UNDEF || symbol->st_shndx >= elf->header.e_shnum)
		return true;
	section = elf_section(elf, symbol->st_shndx);
	return section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL &&
	       section.sh_size >= sizeof(uint32_t) &&
	       symbol->st_value <= section.sh_size - sizeof(uint32_t);
}

/*
 * Apply the rules of simplify_symbols(): an index that it does not know, or leaves to
 * live patches, would lead it out of the section table.
 */
static int check_symbol(const struct elf *elf, const Elf64_Sym *symbol, size_t index,
			const char *name, struct reason *reason)
{
	if (symbol->st_shndx == SHN_UNDEF && !*name)
		return damaged(reason, "it needs symbol %zu, which has no name", index);
	if (symbol->st_shndx == SHN_COMMON && strncmp(name, "__gnu_lto", 9) != 0)
		return damaged(
			reason,
			"its symbol '%s' is a common one (compiled without -fno-common)",
			name);
	if (symbol->st_shndx >= elf->header.e_shnum && symbol->st_shndx != SHN_COMMON &&
	    symbol->st_shndx != SHN_ABS)
		return damaged(reason, "its symbol '%s' is in section %u of %u", name,
			       symbol->st_shndx, elf->header.e_shnum);
	if (!crc_ok(elf, symbol, name))
		return damaged(reason,
			       "the CRC of its symbol '%s' is outside of its section",
			       name);
	return 0;
}

static int check_symbols(const struct elf *elf, const struct layout *layout,
			 struct reason *reason)
{
	const size_t strings = elf_section(elf, layout->strtab).sh_size;

	for (size_t i = 0; i < layout->n_symbols; i++) {
		const Elf64_Sym symbol = elf_rules_symbol(elf, layout, i);
		int ret = 0;

		if (!i && symbol.st_shndx != SHN_UNDEF)
			return damaged(reason, "there is something in symbol 0");
		if (symbol.st_name >= strings)
			return damaged(reason,
				       "the name of its symbol %zu is outside of the "
				       "string table",
				       i);
		if (i)
			ret = check_symbol(elf, &symbol, i,
					   elf_rules_symbol_name(elf, layout, &symbol),
					   reason);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/*
 * Return the first section of exports without CRCs: check_module_license_and_versions().
 * The kernel reads as many CRCs as there are exports.
 */
static const char *unversioned_exports(const struct found *found)
{
	for (unsigned int k = EXPORTS; k < EXPORTS_END; k += 2)
		if (found->size[k] && !found->size[k + 1])
			return known[k].name;
	return NULL;
}

int elf_rules_check(const struct elf *elf, struct layout *out, struct reason *reason)
{
	struct found found = { 0 };
	int ret = check_sections(elf, &found, reason);

	if (ret == 0)
		ret = check_strings(elf, &found, reason);
	if (ret < 0)
		return ret;
	*out = (struct layout){
		.symtab = found.index[SYMTAB],
		.strtab = found.index[STRTAB],
		.export_strings = found.index[EXPORT_STRINGS],
		.n_symbols = found.size[SYMTAB] / sizeof(Elf64_Sym),
		.struct_bytes = found.size[THIS_MODULE],
		.unversioned = unversioned_exports(&found),
	};
	return check_symbols(elf, out, reason);
}

/* The labels of ___EXPORT_SYMBOL(), of the name and of the namespace of a symbol. */
#define NAME_PREFIX "__kstrtab_"
#define NS_PREFIX "__kstrtabns_"

static const char *after(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(name, prefix, len) ? NULL : name + len;
}

static void set_namespace(struct symtab *exports, const char *name, const char *ns)
{
	size_t count;
	const struct symbol *found = symtab_find(exports, name, &count);

	if (!found || !*ns)
		return;
	for (struct symbol *sym = exports->symbols + (found - exports->symbols); count--;
	     sym++)
		sym->ns = ns;
}

/* Read the label @name, which points into @strings. */
static int read_label(const char *name, const char *strings, size_t size,
		      const Elf64_Sym *label, const struct layout *layout,
		      struct symtab *exports, struct reason *reason)
{
	const char *named = after(name, NAME_PREFIX), *in_ns = after(name, NS_PREFIX);
	const char *symbol = named ? named : in_ns;

	if (!symbol || !symtab_has(exports, symbol))
		return 0;
	if (label->st_shndx != layout->export_strings || label->st_value >= size)
		return damaged(
			reason,
			"the string of its symbol '%s' is outside of the string table",
			name);
	if (in_ns)
		set_namespace(exports, symbol, strings + label->st_value);
	else if (strcmp(strings + label->st_value, symbol) != 0)
		return damaged(reason, "it exports '%s' by the name '%s'", symbol,
			       strings + label->st_value);
	return 0;
}

int elf_rules_exports(const struct elf *elf, const struct layout *layout,
		      struct symtab *exports, char **strings, struct reason *reason)
{
	const Elf64_Shdr section = elf_section(elf, layout->export_strings);
	int ret = 0;

	*strings = NULL;
	if (!exports->count)
		return 0;
	*strings = calloc(1, section.sh_size + 1);
	if (!*strings)
		return reason_errno(reason, -ENOMEM);
	if (section.sh_size)
		memcpy(*strings, elf->data + section.sh_offset, section.sh_size);
	for (size_t i = 0; ret == 0 && i < layout->n_symbols; i++) {
		const Elf64_Sym label = elf_rules_symbol(elf, layout, i);

		ret = read_label(elf_rules_symbol_name(elf, layout, &label), *strings,
				 section.sh_size, &label, layout, exports, reason);
	}
	return ret;
}
