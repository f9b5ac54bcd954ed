/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "cli.h"

extern const struct verb verb_verify;
