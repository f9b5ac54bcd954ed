// SPDX-License-Identifier: GPL-2.0-only
/*
 * kconfig.c - a front end of the kernel's own Kconfig, in place of its scripts/kconfig/conf.c
 *
 * Read the Kconfig files once, which takes nearly all of the time, as they run the compiler for a hundred symbols.
 * Then complete each configuration whose file name is a line on file descriptor 3, as conf --olddefconfig does, and
 * write the name to file descriptor 4.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lkc.h"

int main(int argc, char **argv)
{
	FILE *names = fdopen(3, "r"), *completed = fdopen(4, "w");
	char file[PATH_MAX];

	conf_parse(argv[argc - 1]);
	while (names && completed && fgets(file, sizeof(file), names)) {
		file[strcspn(file, "\n")] = '\0';
		if (conf_read(file) || conf_write(file))
			return 1;
		fprintf(completed, "%s\n", file);
		fflush(completed);
	}
	return 0;
}
