/* SPDX-License-Identifier: GPL-2.0-only */
/* Modules that need each other: the kernel loads none without what it needs. */
#pragma once

#include "base/util.h"

struct module;
struct symtab;

/*
 * For each of @modules that cannot be loaded, as it needs, by whatever way, itself: one
 * that it needs and that is so too, in @needs, which has room for @n pointers; NULL for
 * the others. @set: the exports of all, with the modules' paths as owners. Returns 0 or
 * -ENOMEM.
 */
int cycle_find(const struct module *modules, size_t n, const struct symtab *set,
	       const struct module **needs) _must_check_ _nonnull_(3);
