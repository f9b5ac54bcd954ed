// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cli.h"
#include "log.h"

/* A file of ours must not get the number of a standard one that is closed. */
static int keep_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", O_RDWR) != fd)
			return -1;
	return 0;
}

/* The only place that asks for the running kernel. */
int main(int argc, char **argv)
{
	struct utsname uts;

	if (keep_standard_files() < 0)
		return EXIT_FAILED;
	/* Who ignores it leaves that to us, and we could wait for no program. */
	signal(SIGCHLD, SIG_DFL);
	if (uname(&uts) < 0) {
		log_error("cannot find out the running kernel: %s", strerror(errno));
		return EXIT_FAILED;
	}
	return (int)cli_main(argc, argv, uts.release);
}
