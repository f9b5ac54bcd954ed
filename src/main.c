// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cli.h"
#include "log.h"

/* The only place that asks for the running kernel. */
int main(int argc, char **argv)
{
	struct utsname uts;

	/* Who ignores it leaves that to us, and we could wait for no program. */
	signal(SIGCHLD, SIG_DFL);
	if (uname(&uts) < 0) {
		log_error("cannot find out the running kernel: %s", strerror(errno));
		return EXIT_FAILED;
	}
	return (int)cli_main(argc, argv, uts.release);
}
