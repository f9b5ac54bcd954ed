// SPDX-License-Identifier: GPL-2.0-only
/*
 * flips FILE OFFSET STEP STATUS WORDS CMD... <NUMBERS
 *
 * For each of the NUMBERS, one a line, the bit N % 8 of the byte OFFSET + N / 8 * STEP of
 * FILE is flipped, CMD run, and the bit put back. Each time CMD has to end with STATUS and
 * to have said WORDS. Prints how many there were; 1 and a line for the first of which that
 * is not so. A run of more than two minutes is killed. For tens of thousands of runs, which
 * a shell would make at a third of the pace.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char said[65536];

/* The status, 128 and the signal when it was killed; what it said is in @said. */
static int run(char **cmd)
{
	size_t len = 0;
	int words[2], status;
	ssize_t got;
	pid_t pid;

	if (pipe2(words, O_CLOEXEC) < 0)
		err(2, "pipe");
	pid = fork();
	if (pid < 0)
		err(2, "fork");
	if (pid == 0) {
		dup2(words[1], STDOUT_FILENO);
		dup2(words[1], STDERR_FILENO);
		alarm(120);
		execvp(cmd[0], cmd);
		_exit(127);
	}
	close(words[1]);
	while ((got = read(words[0], said + len, sizeof(said) - 1 - len)) > 0)
		len += (size_t)got;
	said[len] = '\0';
	close(words[0]);
	if (waitpid(pid, &status, 0) != pid)
		err(2, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void put(int fd, off_t at, unsigned char byte)
{
	if (pwrite(fd, &byte, 1, at) != 1)
		err(2, "cannot write");
}

int main(int argc, char **argv)
{
	unsigned long number, count = 0;
	long offset, step, wanted;
	int fd;

	if (argc < 7)
		errx(2, "usage: flips FILE OFFSET STEP STATUS WORDS CMD... <NUMBERS");
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(2, "%s", argv[1]);
	offset = strtol(argv[2], NULL, 10);
	step = strtol(argv[3], NULL, 10);
	wanted = strtol(argv[4], NULL, 10);
	while (scanf("%lu", &number) == 1) {
		off_t at = offset + (off_t)(number / 8) * step;
		unsigned char byte;
		int status;

		if (pread(fd, &byte, 1, at) != 1)
			errx(2, "%s has no byte %lld", argv[1], (long long)at);
		put(fd, at, byte ^ (unsigned char)(1U << number % 8));
		status = run(argv + 6);
		put(fd, at, byte);
		if (status != wanted || !strstr(said, argv[5]))
			errx(1, "bit %lu of byte %lld flipped: status %d: %s", number % 8,
			     (long long)at, status, said);
		count++;
	}
	printf("%lu\n", count);
	return 0;
}
