/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line of a verb: from the table of its options, parsing and help are made. A
 * verb is a file: a struct verb and run(). main.c has the table of verbs.
 */
#pragma once

#include "base/util.h"

/* The exit status; exit_meanings[] in options.c has the text of each. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_WRONG_KERNEL = 3,
	EXIT_FOUND = 3, /* doctor: a cause; guard: a kernel without WireGuard */
	EXIT_UNTRUSTED = 4,
	EXIT_NOT_LOADED = 5,
};

/* What was on the command line. All strings are borrowed from argv, or literals. */
struct params {
	const char *root;     /* --root, else "/" */
	const char *kernel;   /* --kernel, or NULL */
	const char *symvers;  /* --symvers, or NULL */
	const char *vermagic; /* --vermagic, or NULL */
	const char *running;  /* release of the running kernel */
	const char *dir;      /* --dir, or NULL */
	const char *key;      /* --key, or NULL */
	bool allow_older;     /* --allow-older */
	bool allow_unsigned;  /* --allow-unsigned */
	bool compatible;      /* --compatible */
	bool dry_run;	      /* --dry-run */
	bool list;	      /* --list */
	bool load;	      /* --load */
	bool nagios;	      /* --nagios */
	bool porcelain;	      /* --porcelain */
	bool prometheus;      /* --prometheus */
	bool replace;	      /* --replace */
	char **operands;
	size_t n_operands;
};

struct option_spec {
	const char *name; /* without the dashes; NULL ends a table */
	const char *arg;  /* the name of its value in help; NULL: it takes none */
	const char *help;
	size_t offset; /* in struct params: a const char *, or a bool if it takes none */
	bool required;
};

struct verb {
	const char *name;
	const char *operands; /* their name in help; NULL: it takes none */
	bool many;	      /* takes one operand or more, not exactly one */
	bool changes;	      /* changes the system: a closed stdout is no failure */
	const char *summary;
	const struct option_spec *options;
	enum exit_code (*run)(const struct params *params);
};

/* An entry of a table of options: one with a value for @field, and one without. */
/* clang-format off */
#define VALUE(name, word, field, must, text) \
	{ name, word, text, offsetof(struct params, field), must }
#define FLAG(name, field, text) \
	{ name, NULL, text, offsetof(struct params, field), false }

#define OPTION_KERNEL(text, must) VALUE("kernel", "RELEASE", kernel, must, text)
#define OPTION_ROOT \
	VALUE("root", "DIR", root, false, "work on the system below DIR instead of /")
#define OPTION_DRY_RUN FLAG("dry-run", dry_run, "only print what would be done")
#define OPTION_PORCELAIN \
	FLAG("porcelain", porcelain, "print lines for programs, in a stable format")
#define OPTION_KEY \
	VALUE("key", "FILE", key, false, "also trust this minisign public key")
#define OPTION_ALLOW_UNSIGNED \
	FLAG("allow-unsigned", allow_unsigned, "accept an unsigned bundle, this run only")
#define OPTION_SYMVERS(text, must) VALUE("symvers", "FILE", symvers, must, text)
#define OPTION_VERMAGIC \
	VALUE("vermagic", "STRING", vermagic, false, \
	      "the kernel's vermagic; default: that of its own modules")
/* clang-format on */

/*
 * Parse the options and operands in @argv, which ends with NULL, into @params, and check
 * that none is missing, given twice or malformed. Moves the operands to the front of
 * @argv. Returns 0, or -EINVAL after printing the error.
 */
int options_parse(const struct verb *verb, struct params *params, char **argv) _checked_;

/* Return true if @argv, which ends with NULL, asks for help. */
bool options_want_help(char **argv) _checked_;

/* Print the help of @verb to standard output. */
void options_print_help(const struct verb *verb) _nonnull_all_;

/*
 * Return the exit status for @err, a result (0 or -errno) of the functions below the
 * verbs: -EBADMSG is EXIT_UNTRUSTED, -ENOEXEC EXIT_WRONG_KERNEL, any other error
 * EXIT_FAILED.
 */
enum exit_code exit_code_of(int err) _must_check_;

/*
 * With --porcelain, print the result of a verb that changes the directory of the kernel
 * @release. @differs is false if the directory was as wanted already.
 */
void options_print_result(const struct params *params, const char *release,
			  bool differs) _nonnull_all_;

/* Print what each exit status means to standard output. */
void options_print_exit_codes(void);
