// SPDX-License-Identifier: GPL-2.0-only
#include "fit/exports.h"

#include <string.h>

#include "base/log.h"

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
		return reason_set(reason, -EBADMSG,
				  "damaged: the string of its symbol '%s' is outside of "
				  "the string table",
				  name);
	if (in_ns)
		set_namespace(exports, symbol, strings + label->st_value);
	else if (strcmp(strings + label->st_value, symbol) != 0)
		return reason_set(reason, -EBADMSG,
				  "damaged: it exports '%s' by the name '%s'", symbol,
				  strings + label->st_value);
	return 0;
}

int exports_read(const struct elf *elf, const struct layout *layout,
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
