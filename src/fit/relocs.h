/* SPDX-License-Identifier: GPL-2.0-only */
/* The relocations of a module, as the kernel's apply_relocations() will find them. */
#pragma once

#include "fit/elf_rules.h"

/*
 * Whether the kernel can apply each: of a type that it knows, to a place inside of its
 * section, by a symbol that is there. What only the addresses decide, such as whether a
 * value overflows, is left to the kernel. @layout is from elf_rules_check(). Returns 0, or
 * -EBADMSG with @reason filled in.
 */
int relocs_check(const struct elf *elf, const struct layout *layout,
		 struct reason *reason) _must_check_ _nonnull_all_;
