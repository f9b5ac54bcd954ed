// SPDX-License-Identifier: GPL-2.0-only
/*
 * Meddle with one system call of a command.
 *
 * sweep count CMD...		run it and print how many calls there are: "main N" for the
 *				first uname() of CMD, with which main() of wgkmod begins (0:
 *				there is none), "own N" for CMD itself, "all N" for CMD and
 *				all processes that it starts
 * sweep kill N CMD...		kill all processes before the Nth call of any of them
 * sweep fail N ERRNO CMD...	the Nth call of CMD itself is not made, and fails with ERRNO,
 *				a number; close() is made, and fails
 * sweep short N CMD...		the Nth write of CMD itself of more than a byte writes half
 *
 * The status is the command's, 128 and the signal when it was killed, and 125 when call N
 * could not be meddled with: there are not so many, or it is an exit. With SWEEP_LOG=FILE
 * the meddled one's number and process go there. A command that has not ended after a
 * minute is killed, and sweep with it, by SIGALRM.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "sweep knows the registers of x86_64 only"
#endif

#define REG(name) offsetof(struct user_regs_struct, name)
#define MAX_TRACEES 256

static enum { COUNT, KILL, FAIL, SHORT } mode;
static unsigned long wanted, first_uname, own, all;
static long with_errno;
static int meddled;

/* The first is the command itself. */
static struct tracee {
	pid_t pid;   /* 0: it has ended */
	int inside;  /* between entry and exit of a call */
	int failing; /* this call is not made */
} tracees[MAX_TRACEES];
static size_t begun;

static struct tracee *find(pid_t pid)
{
	for (size_t i = 0; i < begun; i++)
		if (tracees[i].pid == pid)
			return &tracees[i];
	if (begun == MAX_TRACEES)
		errx(125, "too many processes");
	tracees[begun].pid = pid;
	return &tracees[begun++];
}

static void note(pid_t pid, unsigned long nr)
{
	const char *name = getenv("SWEEP_LOG");
	char path[64], comm[64] = "?";
	FILE *file;

	if (!name)
		return;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "r");
	if (file) {
		if (!fgets(comm, sizeof(comm), file))
			strcpy(comm, "?\n");
		fclose(file);
	}
	file = fopen(name, "w");
	if (!file)
		err(125, "%s", name);
	fprintf(file, "%lu %s", nr, comm);
	fclose(file);
}

static void kill_all(void)
{
	for (size_t i = 0; i < begun; i++)
		if (tracees[i].pid)
			kill(tracees[i].pid, SIGKILL);
}

/* Return true for the kind of call that counts: every one, or a write that can be cut. */
static int is_counted(pid_t pid)
{
	unsigned long nr;

	if (mode != SHORT)
		return 1;
	nr = (unsigned long)ptrace(PTRACE_PEEKUSER, pid, REG(orig_rax), 0);
	return (nr == SYS_write || nr == SYS_pwrite64) &&
	       ptrace(PTRACE_PEEKUSER, pid, REG(rdx), 0) > 1;
}

static void meddle(struct tracee *t)
{
	unsigned long nr =
		(unsigned long)ptrace(PTRACE_PEEKUSER, t->pid, REG(orig_rax), 0);
	long len;

	if (mode == FAIL && (nr == SYS_exit || nr == SYS_exit_group))
		return;
	meddled = 1;
	note(t->pid, nr);
	if (mode == KILL) {
		kill_all();
	} else if (mode == FAIL) {
		/* close() alone is made: whatever it returns, the descriptor is gone
		 * (close(2)). */
		if (nr != SYS_close)
			ptrace(PTRACE_POKEUSER, t->pid, REG(orig_rax), -1L);
		/* brk() alone has no errors: it returns what is not the address asked
		 * for. */
		t->failing = nr == SYS_brk ? 2 : 1;
	} else {
		len = ptrace(PTRACE_PEEKUSER, t->pid, REG(rdx), 0);
		ptrace(PTRACE_POKEUSER, t->pid, REG(rdx), len / 2);
	}
}

static void at_call(struct tracee *t)
{
	t->inside = !t->inside;
	if (!t->inside && t->failing) {
		ptrace(PTRACE_POKEUSER, t->pid, REG(rax),
		       t->failing == 1 ? -with_errno : 0L);
		t->failing = 0;
	} else if (t->inside && is_counted(t->pid)) {
		int is_own = t == &tracees[0];

		all++;
		own += (unsigned long)is_own;
		if (mode == COUNT && is_own && !first_uname &&
		    ptrace(PTRACE_PEEKUSER, t->pid, REG(orig_rax), 0) == SYS_uname)
			first_uname = own;
		if (mode == KILL ? all == wanted
				 : mode != COUNT && is_own && own == wanted)
			meddle(t);
	}
}

/* The signal to go on with. */
static int at_stop(struct tracee *t, int status, int *started)
{
	int sig = WSTOPSIG(status);

	if (sig == (SIGTRAP | 0x80)) {
		if (*started)
			at_call(t);
		return 0;
	}
	if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
		/* Its return from execve() is still to come. */
		if (!*started)
			t->inside = 1;
		*started = 1;
		return 0;
	}
	if (status >> 16 || sig == SIGSTOP)
		return 0;
	return sig;
}

static int trace(pid_t main_pid)
{
	int status, sig, result = 125, started = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		struct tracee *t = find(pid);

		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			t->pid = 0;
			if (pid == main_pid)
				result = WIFEXITED(status) ? WEXITSTATUS(status)
							   : 128 + WTERMSIG(status);
			continue;
		}
		/* A process that came after the killing dies with it. */
		if (meddled && mode == KILL)
			kill(pid, SIGKILL);
		sig = at_stop(t, status, &started);
		/* What comes after is not counted, and runs freely. */
		ptrace(meddled && !t->failing ? PTRACE_CONT : PTRACE_SYSCALL, pid, 0,
		       sig);
	}
	return result;
}

int main(int argc, char **argv)
{
	static const char *const modes[] = { "count", "kill", "fail", "short" };
	static const int args[] = { 2, 3, 4, 3 };
	int result, status;
	pid_t pid;

	for (mode = COUNT; mode <= SHORT; mode++)
		if (argc > 1 && !strcmp(argv[1], modes[mode]))
			break;
	if (mode > SHORT || argc <= args[mode])
		errx(125, "usage: sweep count|kill N|fail N ERRNO|short N CMD...");
	if (mode != COUNT && (sscanf(argv[2], "%lu", &wanted) != 1 || !wanted))
		errx(125, "'%s' is not the number of a call", argv[2]);
	with_errno = mode == FAIL ? strtol(argv[3], NULL, 10) : 0;
	pid = fork();
	if (pid < 0)
		err(125, "fork");
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execvp(argv[args[mode]], argv + args[mode]);
		err(127, "%s", argv[args[mode]]);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		errx(125, "it did not start");
	ptrace(PTRACE_SETOPTIONS, pid, 0,
	       PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
		       PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
	find(pid);
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	alarm(60); /* PTRACE_O_EXITKILL */
	result = trace(pid);
	if (mode == COUNT)
		printf("main %lu\nown %lu\nall %lu\n", first_uname, own, all);
	return mode == COUNT || meddled ? result : 125;
}
