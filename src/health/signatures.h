/* SPDX-License-Identifier: GPL-2.0-only */
/* Find out whether the running kernel's rules of signatures refuse a module. */
#pragma once

#include "base/util.h"

struct findings;
struct module;

/* Add the cause to @findings if the running kernel will refuse @mod for its signature. */
void signatures_look(const struct module *mod, struct findings *findings) _nonnull_all_;
