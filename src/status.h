/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wgkmod status.
 *
 * With --porcelain, a line for each thing, of fields with a tab between them. Fields may
 * be added at the end of a line, and lines with a new first word; what is here stays:
 *
 *	kernel    RELEASE COUNT finished|unfinished|gone
 *	          COUNT modules are installed for it; unfinished: a run was killed, and the
 *	          next one will clean up behind it; gone: its folder is
 *	module    RELEASE PATH intact|changed|missing no|same|other|unknown|- TAKEN
 *	          how its file is found; which code of its name the kernel has, "-" when it
 *	          is not the one that runs; the file that modprobe takes for it, "-" for none
 *	replaced  RELEASE PATH
 *	          remove will give it back
 *	taint     RELEASE LETTERS
 *	          what loading them taints the kernel with: O, E, both or "-", as in the
 *	          kernel's Documentation/admin-guide/tainted-kernels.rst
 *
 * The status is 0 when all that is installed is intact and modprobe takes it.
 */
#pragma once

#include "cli.h"

extern const struct verb verb_status;
