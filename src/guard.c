// SPDX-License-Identifier: GPL-2.0-only
/*
 * wgkmod guard: say whether the kernel that boots next has WireGuard. --porcelain: see
 * wgkmod(8).
 *
 * It concerns only a host that uses WireGuard: a kernel has it from wgkmod or in the
 * store, or it is loaded. On another one it says nothing, and exits with 0.
 */
#include "verbs.h"

#include <stdio.h>

#include "base/log.h"
#include "base/strlist.h"
#include "health/coverage.h"
#include "kernel/bootloader.h"
#include "kernel/loaded.h"

struct kernels {
	struct strlist releases;
	enum coverage *coverage; /* of each of them; owned */
	size_t good;
};

static void kernels_free(struct kernels *kernels)
{
	strlist_free(&kernels->releases);
	free(kernels->coverage);
}

static int kernels_read(struct kernels *kernels, const char *root, struct reason *reason)
{
	int ret = kernels_list(root, &kernels->releases, reason);

	if (ret < 0)
		return ret;
	kernels->coverage =
		calloc(kernels->releases.count + 1, sizeof(*kernels->coverage));
	if (!kernels->coverage)
		return reason_errno(reason, -ENOMEM);
	for (size_t i = 0; i < kernels->releases.count; i++) {
		kernels->coverage[i] = coverage_of(root, kernels->releases.items[i]);
		kernels->good += coverage_is_good(kernels->coverage[i]);
	}
	return 0;
}

static bool is_used(const struct kernels *kernels, bool running)
{
	if (running && loaded_any("wireguard"))
		return true;
	for (size_t i = 0; i < kernels->releases.count; i++)
		if (kernels->coverage[i] != COVERAGE_OWN &&
		    kernels->coverage[i] != COVERAGE_NONE)
			return true;
	return false;
}

/* A verdict: the exit status, and the sentence that explains it. */
struct verdict {
	enum exit_code code;
	enum coverage next; /* of the kernel that boots next, if that is known */
	struct reason text;
};

static struct verdict judge(const struct kernels *kernels, const char *root,
			    const struct next_kernel *next, const char *why)
{
	struct verdict verdict = { .code = EXIT_DONE };

	if (next->release) {
		verdict.next = coverage_of(root, next->release);
		if (!coverage_is_good(verdict.next))
			verdict.code = EXIT_FOUND;
		reason_set(&verdict.text, 0, "%s boots next (%s), and %s", next->release,
			   next->how, coverage_text(verdict.next));
		return verdict;
	}
	if (kernels->good && kernels->good == kernels->releases.count) {
		reason_set(&verdict.text, 0, "each installed kernel has WireGuard");
		return verdict;
	}
	verdict.code = EXIT_FAILED;
	if (!kernels->releases.count)
		reason_set(&verdict.text, 0,
			   "which kernel boots next cannot be found out, and none is "
			   "installed: %s",
			   why);
	else
		reason_set(&verdict.text, 0,
			   "which kernel boots next cannot be found out, and %zu of %zu "
			   "have no WireGuard: %s",
			   kernels->releases.count - kernels->good,
			   kernels->releases.count, why);
	return verdict;
}

static void print_porcelain(const struct kernels *kernels, const struct verdict *verdict,
			    const struct next_kernel *next, const char *why)
{
	printf("next\t%s\t", next->release ? next->release : "-");
	print_plain(next->release ? next->how : why);
	printf("\t%s\n", next->release ? coverage_word(verdict->next) : "-");
	for (size_t i = 0; i < kernels->releases.count; i++)
		printf("kernel\t%s\t%s\n", kernels->releases.items[i],
		       coverage_word(kernels->coverage[i]));
}

static void print_prometheus(const struct kernels *kernels, const struct verdict *verdict)
{
	printf("# HELP wgkmod_next_kernel_covered Does the kernel that boots next have "
	       "WireGuard (1, 0; -1: not found out)?\n"
	       "# TYPE wgkmod_next_kernel_covered gauge\n"
	       "wgkmod_next_kernel_covered %d\n"
	       "# HELP wgkmod_kernel_covered Does this installed kernel have WireGuard?\n"
	       "# TYPE wgkmod_kernel_covered gauge\n",
	       verdict->code == EXIT_DONE    ? 1
	       : verdict->code == EXIT_FOUND ? 0
					     : -1);
	for (size_t i = 0; i < kernels->releases.count; i++)
		printf("wgkmod_kernel_covered{release=\"%s\"} %d\n",
		       kernels->releases.items[i],
		       coverage_is_good(kernels->coverage[i]));
}

/* The exit status of a plugin of Nagios: 0 OK, 2 CRITICAL, 3 UNKNOWN. */
static enum exit_code print_nagios(const struct verdict *verdict)
{
	static const struct {
		const char *word;
		int code;
	} nagios[] = {
		[EXIT_DONE] = { "OK", 0 },
		[EXIT_FAILED] = { "UNKNOWN", 3 },
		[EXIT_FOUND] = { "CRITICAL", 2 },
	};

	printf("WGKMOD %s - ", nagios[verdict->code].word);
	print_plain(verdict->text.text);
	putchar('\n');
	return (enum exit_code)nagios[verdict->code].code;
}

static void print_words(const struct kernels *kernels, const struct verdict *verdict)
{
	if (verdict->code == EXIT_DONE)
		log_info("%s", verdict->text.text);
	else
		log_error("%s", verdict->text.text);
	for (size_t i = 0; i < kernels->releases.count; i++)
		log_info("%s %s%s", kernels->releases.items[i],
			 coverage_text(kernels->coverage[i]),
			 kernels->coverage[i] == COVERAGE_STORED
				 ? ": wgkmod hook add installs it"
				 : "");
}

static enum exit_code run(const struct params *params)
{
	_cleanup_(kernels_free) struct kernels kernels = { 0 };
	_cleanup_(next_kernel_free) struct next_kernel next = { 0 };
	_cleanup_free_ char *root = realpath(params->root, NULL);
	struct reason reason = { 0 };
	struct verdict verdict = { .code = EXIT_FAILED };
	bool running;

	log_set_verb("look at");
	if (!root || kernels_read(&kernels, root, &reason) < 0) {
		log_failure(params->root, "%s", root ? reason.text : strerror(errno));
		reason_set(&verdict.text, 0, "the kernels cannot be listed");
		return params->nagios ? print_nagios(&verdict) : EXIT_FAILED;
	}
	running = !strcmp(root, "/");
	if (!is_used(&kernels, running)) {
		if (params->nagios)
			printf("WGKMOD OK - this host does not use WireGuard\n");
		return EXIT_DONE;
	}
	if (bootloader_next(root, running, &next, &reason) < 0)
		next_kernel_free(&next);
	verdict = judge(&kernels, root, &next, reason.text);
	if (params->nagios)
		return print_nagios(&verdict);
	if (params->prometheus)
		print_prometheus(&kernels, &verdict);
	else if (params->porcelain)
		print_porcelain(&kernels, &verdict, &next, reason.text);
	else
		print_words(&kernels, &verdict);
	return verdict.code;
}

static const struct option_spec options[] = {
	OPTION_ROOT,
	OPTION_PORCELAIN,
	FLAG("nagios", nagios, "print and exit as a plugin of Nagios does"),
	FLAG("prometheus", prometheus, "print metrics for Prometheus"),
	{ 0 },
};

const struct verb verb_guard = {
	.name = "guard",
	.summary = "say whether the kernel that boots next has WireGuard",
	.options = options,
	.run = run,
};
