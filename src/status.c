// SPDX-License-Identifier: GPL-2.0-only
/* wgkmod status: what is installed for which kernel, and whether it is what we installed.
 */
#include "status.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "host.h"
#include "log.h"
#include "module.h"
#include "state.h"
#include "sys.h"

static const char *const found_words[] = {
	[STATE_INTACT] = "intact",
	[STATE_CHANGED] = "changed",
	[STATE_MISSING] = "missing",
};

static const char *const loaded_words[] = {
	[SYS_ABSENT] = ", not loaded",
	[SYS_SAME] = ", loaded",
	[SYS_OTHER] = ", another one is loaded",
	[SYS_INCOMPARABLE] = ", one of its name is loaded, which cannot be compared",
};

static enum exit_code show_file(const struct host *host, const struct sum *sum,
				bool running)
{
	enum state_file found;
	struct reason reason = { 0 };

	if (state_compare(host, sum->path, sum->digest, &found, &reason) < 0) {
		log_cannot(sum->path, "%s", reason.text);
		return EXIT_FAILED;
	}
	printf("  %s: %s%s\n", sum->path, found_words[found],
	       running ? loaded_words[sys_compare(host, sum->path)] : "");
	return found == STATE_INTACT ? EXIT_DONE : EXIT_FAILED;
}

static enum exit_code show_files(const struct host *host, const struct state *state,
				 bool running)
{
	enum exit_code code = EXIT_DONE;

	printf("%s: %zu modules\n", host->release, state->installed.count);
	for (size_t i = 0; i < state->installed.count; i++)
		if (show_file(host, &state->installed.entries[i], running) != EXIT_DONE)
			code = EXIT_FAILED;
	return code;
}

/* *@shown counts the kernels that something is installed for. */
static enum exit_code show_kernel(const struct params *params, const char *release,
				  size_t *shown)
{
	_cleanup_host_ struct host host = HOST_INIT;
	_cleanup_state_ struct state state = { 0 };
	struct reason reason = { 0 }, host_reason = { 0 };
	int host_ret, ret;

	/* The state is of interest even when the kernel's folder is gone. */
	host_ret = host_open(&host, params->root, release, &host_reason);
	if (!host.root) {
		log_cannot(release, "%s", host_reason.text);
		return EXIT_FAILED;
	}
	ret = state_load(&state, &host, &reason);
	if (ret < 0) {
		log_cannot(release, "%s", reason.text);
		return ret == -EBADMSG ? EXIT_UNTRUSTED : EXIT_FAILED;
	}
	if (!state.installed.count)
		return EXIT_DONE;
	(*shown)++;
	if (host_ret < 0) {
		log_cannot(release, "%s", host_reason.text);
		return EXIT_FAILED;
	}
	return show_files(&host, &state,
			  !strcmp(host.root, "/") && !strcmp(release, params->running));
}

static enum exit_code show_all(const struct params *params, size_t *shown)
{
	enum exit_code worst = EXIT_DONE;
	_cleanup_names_ struct names releases = { 0 };
	struct reason reason = { 0 };

	if (state_list(params->root, &releases, &reason) < 0) {
		log_cannot(params->root, "%s", reason.text);
		worst = EXIT_FAILED;
	}
	for (size_t i = 0; i < releases.count; i++) {
		enum exit_code code = show_kernel(params, releases.items[i], shown);

		if (code > worst)
			worst = code;
	}
	return worst;
}

static enum exit_code run(const struct params *params)
{
	enum exit_code code;
	size_t shown = 0;

	log_set_verb("show"); /* "cannot status" is no sentence */
	if (params->kernel)
		code = show_kernel(params, params->kernel, &shown);
	else
		code = show_all(params, &shown);
	if (code == EXIT_DONE && !shown)
		log_say("nothing is installed%s%s", params->kernel ? " for " : "",
			params->kernel ? params->kernel : "");
	return code;
}

static const struct option_spec options[] = {
	OPTION_KERNEL("only what is installed for this release", false),
	OPTION_ROOT,
	{ 0 },
};

const struct verb verb_status = {
	.name = "status",
	.summary = "show what is installed, whether it is intact, and what is loaded",
	.options = options,
	.run = run,
};
