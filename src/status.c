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

#define SYS_MAX_BYTES 4096

static const char *const found_words[] = {
	[STATE_INTACT] = "intact",
	[STATE_CHANGED] = "changed",
	[STATE_MISSING] = "missing",
};

/* The first line of /sys/module/NAME/FILE, or NULL. Owned by the caller. */
static char *read_sys(const char *name, const char *file)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	char text[SYS_MAX_BYTES];
	ssize_t len;

	path = text_printf("/sys/module/%s/%s", name, file);
	if (!path)
		return NULL;
	/* Not read_path(): the size of a file in sysfs is not that of its text. */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	len = read(fd, text, sizeof(text) - 1);
	if (len < 0)
		return NULL;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return strdup(text);
}

/* Which code of that name is in the running kernel, as words for after the file's. */
static const char *loaded_words(const struct host *host, const char *path)
{
	_cleanup_close_ int fd = open_beneath(host->modules_fd, path, O_RDONLY);
	_cleanup_free_ char *name = module_name_of(path);
	_cleanup_free_ char *state = name ? read_sys(name, "initstate") : NULL;
	_cleanup_free_ char *loaded = name ? read_sys(name, "srcversion") : NULL;
	_cleanup_(module_free) struct module mod = { 0 };
	struct reason ignored = { 0 };
	const char *own;

	if (!state)
		return ", not loaded";
	if (fd < 0 || module_read_fd(&mod, path, fd, &ignored) < 0)
		return ", one of its name is loaded";
	own = module_info(&mod, "srcversion", 0);
	if (!own || !loaded)
		return ", one of its name is loaded, which cannot be compared (no "
		       "srcversion)";
	return strcmp(own, loaded) == 0 ? ", loaded" : ", another one is loaded";
}

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
	       running ? loaded_words(host, sum->path) : "");
	return found == STATE_INTACT ? EXIT_DONE : EXIT_FAILED;
}

static enum exit_code show_files(const struct host *host, const struct sums *state,
				 bool running)
{
	enum exit_code code = EXIT_DONE;

	printf("%s: %zu modules\n", host->release, state->count);
	for (size_t i = 0; i < state->count; i++)
		if (show_file(host, &state->entries[i], running) != EXIT_DONE)
			code = EXIT_FAILED;
	return code;
}

/* *@shown counts the kernels that something is installed for. */
static enum exit_code show_kernel(const struct params *params, const char *release,
				  size_t *shown)
{
	_cleanup_host_ struct host host = HOST_INIT;
	_cleanup_sums_ struct sums state = { 0 };
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
	if (!state.count)
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
	struct reason reason = { 0 };
	char **releases;
	size_t count;

	if (state_list(params->root, &releases, &count, &reason) < 0) {
		log_cannot(params->root, "%s", reason.text);
		worst = EXIT_FAILED;
	}
	for (size_t i = 0; i < count; i++) {
		enum exit_code code = show_kernel(params, releases[i], shown);

		if (code > worst)
			worst = code;
		free(releases[i]);
	}
	free(releases);
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
