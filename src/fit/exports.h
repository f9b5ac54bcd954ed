/* SPDX-License-Identifier: GPL-2.0-only */
/* What libkmod does not tell about a module's exports. */
#pragma once

#include "fit/elf_rules.h"
#include "fit/symtab.h"

/*
 * Set the namespace of each of the sorted @exports, as EXPORT_SYMBOL_NS() of
 * include/linux/export.h left it in the module @elf. The names of the namespaces are in
 * *@strings, which the caller frees after @exports. Returns 0, or with @reason filled in
 * -EBADMSG (a string is outside of its section, or the kernel and libkmod would see
 * different names) or -ENOMEM.
 */
int exports_read(const struct elf *elf, const struct layout *layout,
		 struct symtab *exports, char **strings,
		 struct reason *reason) _must_check_ _nonnull_all_;
