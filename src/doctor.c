// SPDX-License-Identifier: GPL-2.0-only
/*
 * wgkmod doctor: say why WireGuard does not work on this host, by which evidence, and
 * what to do next. --porcelain: see wgkmod(8).
 */
#include "verbs.h"

#include <stdio.h>

#include "base/log.h"
#include "health/causes.h"
#include "health/files.h"
#include "health/running.h"
#include "kernel/loaded.h"

/* Return @next with the release in place of the word RELEASE; the caller owns it. */
static char *next_command(const char *next, const char *release)
{
	const char *at = strstr(next, "RELEASE");

	if (!at)
		return strdup(next);
	return strdup_printf("%.*s%s%s", (int)(at - next), next, release,
			     at + strlen("RELEASE"));
}

static void print_cause(const struct params *params, const char *release,
			const char *word, enum cause cause, const char *seen)
{
	const struct cause_info *info = &cause_table[cause];
	_cleanup_free_ char *next = next_command(info->next, release);

	if (params->porcelain) {
		printf("%s\t%s\t", word, info->code);
		print_plain(seen);
		printf("\t%s\n", next ? next : info->next);
		return;
	}
	printf("%s %s: %s\n  seen: ", word, info->code, info->sentence);
	print_plain(seen);
	printf("\n  do:   %s\n", next ? next : info->next);
}

static void print_findings(const struct params *params, const char *release,
			   const struct findings *findings)
{
	const enum cause first = findings_first(findings);

	if (first != CAUSE_COUNT)
		print_cause(params, release, "cause", first, findings->seen[first]);
	for (enum cause cause = 0; cause < CAUSE_COUNT; cause++)
		if (findings->seen[cause] && cause != first)
			print_cause(params, release,
				    cause_is_harmless(cause) ? "note" : "also", cause,
				    findings->seen[cause]);
	for (size_t i = 0; i < findings->unseen.count; i++) {
		printf(params->porcelain ? "unseen\t" : "not seen: ");
		print_plain(findings->unseen.items[i]);
		putchar('\n');
	}
}

/*
 * WireGuard is loaded. An older kernel loads modules without symbol versions with a
 * warning: modules that do not fit may misbehave or crash.
 */
static void look_at_live(const struct patient *patient, struct findings *findings)
{
	static const enum cause causes[] = { CAUSE_NO_VERSIONS, CAUSE_WRONG_VERSIONS,
					     CAUSE_COMPATIBLE };
	_cleanup_findings_ struct findings files = { 0 };

	if (files_look(patient, &files))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		if (files.seen[causes[i]])
			findings_add(findings, causes[i], "%s", files.seen[causes[i]]);
	running_look_at_taint(findings);
}

/*
 * Look from the outside in. If WireGuard is loaded, look only at what wg-quick needs
 * besides.
 */
static void look(const struct params *params, const struct patient *patient,
		 struct findings *findings)
{
	bool live = patient->running && loaded_live("wireguard");
	bool built_in = false;

	if (live) {
		look_at_live(patient, findings);
	} else {
		if (patient->running)
			running_look_outside(findings);
		built_in = files_look(patient, findings);
		live = built_in;
	}
	if (!live && patient->running) {
		running_look_inside(patient->release, findings);
		if (params->load && findings_first(findings) >= CAUSE_BLACKLISTED)
			running_load(findings);
	}
	if (patient->running)
		running_look_around(findings);
	if (findings_first(findings) == CAUSE_COUNT && !findings->unseen.count &&
	    !params->porcelain)
		log_info("no cause found: WireGuard %s %s",
			 built_in ? "is built into"
			 : live	  ? "is loaded in"
				  : "can be loaded in",
			 patient->release);
}

static void list_causes(void)
{
	for (enum cause cause = 0; cause < CAUSE_COUNT; cause++)
		printf("%s: %s; %s\n", cause_table[cause].code,
		       cause_table[cause].sentence, cause_table[cause].next);
}

static enum exit_code run(const struct params *params)
{
	_cleanup_findings_ struct findings findings = { 0 };
	_cleanup_free_ char *root = realpath(params->root, NULL);
	struct patient patient = {
		.root = root,
		.release = params->kernel ? params->kernel : params->running,
	};

	if (params->list) {
		list_causes();
		return EXIT_DONE;
	}
	log_set_verb("look at");
	if (!root) {
		log_failure(params->root, "%s", strerror(errno));
		return EXIT_FAILED;
	}
	patient.running = !strcmp(root, "/") && !strcmp(patient.release, params->running);
	if (params->load && !patient.running) {
		log_error("--load is only for the running kernel, %s, and its own root",
			  params->running);
		return EXIT_USAGE;
	}
	if (params->porcelain)
		printf("kernel\t%s\n", patient.release);
	look(params, &patient, &findings);
	print_findings(params, patient.release, &findings);
	if (findings_first(&findings) != CAUSE_COUNT)
		return EXIT_FOUND;
	return findings.unseen.count ? EXIT_FAILED : EXIT_DONE;
}

static const struct option_spec options[] = {
	OPTION_KERNEL("the release to look at; default: the running kernel", false),
	OPTION_ROOT,
	FLAG("load", load, "run modprobe, and find the cause if it fails"),
	FLAG("list", list, "only list the causes that it knows"),
	OPTION_PORCELAIN,
	{ 0 },
};

const struct verb verb_doctor = {
	.name = "doctor",
	.summary = "say why WireGuard does not work here, and what to do",
	.options = options,
	.run = run,
};
