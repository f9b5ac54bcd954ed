// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/host.h"
#include "base/log.h"
#include "base/sha256sums.h"

static const char *const exit_meanings[] = {
	[EXIT_DONE] = "done",
	[EXIT_FAILED] = "failed, and nothing was changed",
	[EXIT_USAGE] = "the command line is wrong",
	[EXIT_WRONG_KERNEL] =
		"the modules are not for this kernel; doctor, guard: something is wrong",
	[EXIT_UNTRUSTED] = "not trusted, or damaged",
	[EXIT_NOT_LOADED] = "installed but could not be loaded, and taken out again",
};

enum exit_code exit_code_of(int err)
{
	switch (err) {
	case 0:
		return EXIT_DONE;
	case -EBADMSG:
		return EXIT_UNTRUSTED;
	case -ENOEXEC:
		return EXIT_WRONG_KERNEL;
	default:
		return EXIT_FAILED;
	}
}

void options_print_result(const struct params *params, const char *release, bool differs)
{
	if (params->porcelain)
		printf("result\t%s\t%s\n", release,
		       !differs		 ? "unchanged"
		       : params->dry_run ? "would-change"
					 : "changed");
}

void options_print_exit_codes(void)
{
	printf("\nExit status:\n");
	for (size_t i = 0; i < ARRAY_SIZE(exit_meanings); i++)
		printf("  %zu  %s\n", i, exit_meanings[i]);
}

void options_print_help(const struct verb *verb)
{
	const struct option_spec *opt;

	printf("Usage: wgkmod %s", verb->name);
	for (opt = verb->options; opt->name; opt++)
		printf(opt->required ? " --%s%s%s" : " [--%s%s%s]", opt->name,
		       opt->arg ? " " : "", opt->arg ? opt->arg : "");
	if (verb->operands)
		printf(" %s%s", verb->operands, verb->many ? "..." : "");
	printf("\n%c%s.\n\nOptions:\n", toupper(verb->summary[0]), verb->summary + 1);
	for (opt = verb->options; opt->name; opt++)
		printf("  --%s %-*s %s\n", opt->name, 17 - (int)strlen(opt->name),
		       opt->arg ? opt->arg : "", opt->help);
	printf("  --%-18s print this help\n", "help");
	options_print_exit_codes();
}

static const struct option_spec *find_option(const struct verb *verb, const char *name,
					     size_t len)
{
	const struct option_spec *opt;

	for (opt = verb->options; opt->name; opt++)
		if (strlen(opt->name) == len && !strncmp(opt->name, name, len))
			return opt;
	return NULL;
}

static const char **value_of(struct params *params, const struct option_spec *opt)
{
	return (const char **)((char *)params + opt->offset);
}

static bool *flag_of(struct params *params, const struct option_spec *opt)
{
	return (bool *)((char *)params + opt->offset);
}

/* Print what is wrong with the command line, and where to look. Returns -EINVAL. */
static _printf_(2, 3) int refuse(const struct verb *verb, const char *fmt, ...)
{
	struct reason reason;
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason.text, sizeof(reason.text), fmt, args);
	va_end(args);
	log_error("%s: see 'wgkmod %s --help'", reason.text, verb->name);
	return -EINVAL;
}

/*
 * Parse "--name VALUE", "--name=VALUE" or "--name" at *@arg, and move *@arg to its last
 * word.
 */
static int parse_option(const struct verb *verb, struct params *params, char ***arg)
{
	const char *name = **arg + 2;
	size_t len = strcspn(name, "=");
	const struct option_spec *opt = find_option(verb, name, len);
	const char *value;

	if (!opt)
		return refuse(verb, "unknown option '%s'", **arg);
	if (!opt->arg) {
		if (name[len])
			return refuse(verb, "option '--%s' takes no value", opt->name);
		*flag_of(params, opt) = true;
		return 0;
	}
	value = name[len] ? name + len + 1 : *++*arg;
	if (!value || !*value)
		return refuse(verb, "option '--%s' needs a value", opt->name);
	if (*value_of(params, opt))
		return refuse(verb, "option '--%s' is given twice", opt->name);
	*value_of(params, opt) = value;
	return 0;
}

/* Move the operands to the front of @argv, where params->operands points. */
static int parse(const struct verb *verb, struct params *params, char **argv)
{
	bool only_operands = false;

	params->operands = argv;
	for (char **arg = argv; *arg; arg++) {
		if (only_operands || (*arg)[0] != '-' || !(*arg)[1])
			params->operands[params->n_operands++] = *arg;
		else if (!strcmp(*arg, "--"))
			only_operands = true;
		else if ((*arg)[1] != '-')
			return refuse(verb, "unknown option '%s'", *arg);
		else if (parse_option(verb, params, &arg) < 0)
			return -EINVAL;
	}
	return 0;
}

static int check_params(const struct verb *verb, struct params *params)
{
	const struct option_spec *opt;

	for (opt = verb->options; opt->name; opt++)
		if (opt->required && !*value_of(params, opt))
			return refuse(verb, "option '--%s' is missing", opt->name);
	if (!verb->operands ? params->n_operands != 0
	    : verb->many    ? params->n_operands == 0
			    : params->n_operands != 1)
		return refuse(verb, "'%s' takes %s%s", verb->name,
			      verb->operands ? verb->operands : "no operands",
			      verb->many ? "..." : "");
	if (params->kernel && !host_release_ok(params->kernel))
		return refuse(verb, "'%s' is not a kernel release", params->kernel);
	if (params->dir && (!sums_is_path(params->dir) || strlen(params->dir) > 100))
		return refuse(verb, "'%s' cannot be a directory of modules", params->dir);
	return 0;
}

bool options_want_help(char **argv)
{
	for (; *argv && strcmp(*argv, "--") != 0; argv++)
		if (!strcmp(*argv, "--help") || !strcmp(*argv, "-h"))
			return true;
	return false;
}

int options_parse(const struct verb *verb, struct params *params, char **argv)
{
	if (parse(verb, params, argv) < 0 || check_params(verb, params) < 0)
		return -EINVAL;
	if (!params->root)
		params->root = "/";
	return 0;
}
