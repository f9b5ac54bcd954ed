/* SPDX-License-Identifier: GPL-2.0-only */
/* The verbs, each in the file of its name. */
#pragma once

#include "options.h"

extern const struct verb verb_check;
extern const struct verb verb_doctor;
extern const struct verb verb_guard;
extern const struct verb verb_hook;
extern const struct verb verb_install;
extern const struct verb verb_remove;
extern const struct verb verb_status;
extern const struct verb verb_store;
extern const struct verb verb_verify;
