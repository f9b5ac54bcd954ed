/* SPDX-License-Identifier: GPL-2.0-only */
/* What libkmod does not tell of a module's exports. */
#pragma once

#include "fit/elf_rules.h"
#include "fit/symtab.h"

/*
 * Give each of @exports, which is sorted, the namespace that the module @elf exports it
 * into, as EXPORT_SYMBOL_NS() of include/linux/export.h leaves it. The strings are in
 * *@strings, which the caller frees after @exports. Returns 0, or with @reason filled in
 * -EBADMSG (a string is not where it should be, or the symbol has another name for the
 * kernel than for libkmod) or -ENOMEM.
 */
int exports_read(const struct elf *elf, const struct layout *layout,
		 struct symtab *exports, char **strings,
		 struct reason *reason) _must_check_ _nonnull_all_;
