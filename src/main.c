// SPDX-License-Identifier: GPL-2.0-only
/* wgkmod: the table of its verbs, and what all of them share. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "base/host.h"
#include "base/log.h"
#include "options.h"
#include "verbs.h"

static const struct verb *const verbs[] = {
	&verb_check,  &verb_doctor, &verb_guard, &verb_hook,   &verb_install,
	&verb_remove, &verb_status, &verb_store, &verb_verify,
};

static void print_help(void)
{
	printf("Usage: wgkmod VERB [OPTION]... [OPERAND]...\n"
	       "Prove that kernel modules fit a kernel, and install them.\n\nVerbs:\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %-9s %s\n", verbs[i]->name, verbs[i]->summary);
	printf("\nOptions:\n"
	       "  --help     print this help, or after a verb its options (-h, wgkmod "
	       "help)\n"
	       "  --version  print the version (-V)\n");
	options_print_exit_codes();
}

/*
 * Flush standard output: a help that could not be written, for example to a full disk, is
 * a failure.
 */
static enum exit_code flushed(enum exit_code code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	log_error("cannot write to standard output: %s", strerror(errno));
	return code == EXIT_DONE ? EXIT_FAILED : code;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

static bool is_option(const char *arg, const char *name, const char *letter)
{
	return !strcmp(arg, name) || !strcmp(arg, letter);
}

/* "wgkmod help [VERB]": print the help of all, or of the verb that @argv starts with. */
static enum exit_code help(char **argv)
{
	const struct verb *verb = argv[0] ? find_verb(argv[0]) : NULL;

	if (argv[0] && (!verb || argv[1])) {
		log_error("'help' takes one verb: see 'wgkmod --help'");
		return EXIT_USAGE;
	}
	if (verb)
		options_print_help(verb);
	else
		print_help();
	return flushed(EXIT_DONE);
}

/* Run the verb that @argv starts with, or print its help. */
static enum exit_code run_verb(char **argv, const char *running)
{
	struct params params = { .running = running };
	const struct verb *verb = find_verb(argv[0]);

	if (!verb) {
		log_error("unknown verb '%s': see 'wgkmod --help'", argv[0]);
		return EXIT_USAGE;
	}
	if (options_want_help(argv + 1)) {
		options_print_help(verb);
		return flushed(EXIT_DONE);
	}
	if (options_parse(verb, &params, argv + 1) < 0)
		return EXIT_USAGE;
	/* Modules are read by the names of descriptors. */
	if (access("/proc/self/fd", F_OK) < 0) {
		log_error("/proc is not mounted here: mount it first (mount -t proc proc "
			  "/proc)");
		return EXIT_FAILED;
	}
	log_set_verb(verb->name);
	if (params.porcelain)
		log_info_to_stderr();
	if (!root_works()) {
		log_error(
			"this kernel has no openat2(): wgkmod needs Linux 5.6 or later");
		return EXIT_FAILED;
	}
	if (verb->changes)
		signal(SIGPIPE, SIG_IGN); /* of messages: must not end a change */
	return verb->changes ? verb->run(&params) : flushed(verb->run(&params));
}

/*
 * Close the files that the caller left open, which depmod and modprobe would inherit.
 * Open /dev/null for each closed standard file, so that no file of ours gets its number.
 */
static int keep_standard_files(void)
{
	/* Not before Linux 5.9. */
	if (syscall(__NR_close_range, STDERR_FILENO + 1, ~0U, 0) < 0)
		for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
			close(fd);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", O_RDWR) != fd)
			return -1;
	return 0;
}

/* This is the only place that asks for the running kernel. */
int main(int argc, char **argv)
{
	struct utsname uts;

	if (keep_standard_files() < 0)
		return EXIT_FAILED;
	/*
	 * The caller may ignore it, and then waitpid() would find no program that has
	 * ended.
	 */
	signal(SIGCHLD, SIG_DFL);
	/* A limit of the size of files (ulimit -f) is an error to report, not an end. */
	signal(SIGXFSZ, SIG_IGN);
	if (uname(&uts) < 0) {
		log_error("cannot find out the running kernel: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (argc < 2) {
		log_error("no verb is given: see 'wgkmod --help'");
		return EXIT_USAGE;
	}
	if (is_option(argv[1], "--help", "-h"))
		return (int)help(argv + argc);
	if (!strcmp(argv[1], "help"))
		return (int)help(argv + 2);
	if (is_option(argv[1], "--version", "-V")) {
		printf("wgkmod %s\n", VERSION);
		return (int)flushed(EXIT_DONE);
	}
	return (int)run_verb(argv + 1, uts.release);
}
