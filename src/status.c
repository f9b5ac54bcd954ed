// SPDX-License-Identifier: GPL-2.0-only
/*
 * wgkmod status: show what is installed for each kernel, and whether it is intact.
 * --porcelain: see wgkmod(8).
 *
 * The exit status is 0 if everything that is installed is intact, and modprobe loads it.
 */
#include "verbs.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "fit/module.h"
#include "health/coverage.h"
#include "kernel/loaded.h"
#include "tree/exchange.h"
#include "tree/lookup.h"
#include "tree/old_state.h"
#include "tree/state.h"

static const char *const found_words[] = {
	[STATE_INTACT] = "intact",
	[STATE_CHANGED] = "changed",
	[STATE_MISSING] = "missing",
};

/* Whether a module is loaded, for people and for programs. */
static const struct {
	const char *said, *field;
} loaded_words[] = {
	[LOADED_NONE] = { ", not loaded", "no" },
	[LOADED_SAME] = { ", loaded", "same" },
	[LOADED_OTHER] = { ", another module of that name is loaded", "other" },
	[LOADED_UNKNOWN] = { ", a module of that name is loaded, which cannot be "
			     "compared",
			     "unknown" },
};

struct show {
	const struct params *params;
	struct host host;
	struct state state;
	struct module *modules; /* the installed files that could be read */
	size_t n_modules;
	bool running; /* this is the running kernel, with its own root */
	/* True for at least one of the modules: */
	bool out_of_tree;
	bool not_signed;
};

/*
 * Find the taint that loading @path causes: check_modinfo() and load_module() in the
 * kernel.
 */
static void find_taint(struct show *show, const char *path)
{
	_cleanup_close_ int fd = open_beneath(show->host.modules_fd, path, O_RDONLY);
	struct module *mod = &show->modules[show->n_modules];
	struct reason ignored = { 0 };

	if (fd < 0 || module_read_fd(mod, path, fd, &ignored) < 0)
		return;
	show->n_modules++;
	show->out_of_tree |= !module_info(mod, "intree", 0);
	show->not_signed |= !module_info(mod, "sig_id", 0);
}

static void print_file(const struct show *show, const char *path, enum state_file found,
		       const char *taken)
{
	enum loaded loaded =
		show->running ? loaded_compare(show->host.modules_fd, path) : LOADED_NONE;

	if (show->params->porcelain) {
		printf("module\t%s\t%s\t%s\t%s\t%s\n", show->host.release, path,
		       found_words[found],
		       show->running ? loaded_words[loaded].field : "-",
		       taken ? taken : "-");
		return;
	}
	printf("  %s: %s%s", path, found_words[found],
	       show->running ? loaded_words[loaded].said : "");
	if (found != STATE_MISSING && !taken)
		printf(", but in no index: run 'depmod %s'", show->host.release);
	else if (found != STATE_MISSING && strcmp(taken, path) != 0)
		printf(", but modprobe loads %s instead", taken);
	putchar('\n');
}

static int show_file(struct show *show, const struct sum *sum,
		     const struct strlist *loads)
{
	const char *taken = lookup_path(loads, sum->path);
	struct reason reason = { 0 };
	int found = state_compare(&show->host, sum->path, sum->digest, &reason);

	if (found < 0)
		return log_reason(sum->path, found, &reason);
	find_taint(show, sum->path);
	print_file(show, sum->path, (enum state_file)found, taken);
	if (found != STATE_INTACT || !taken || strcmp(taken, sum->path) != 0)
		return -EIO;
	return 0;
}

static void print_kept(const struct show *show)
{
	for (size_t i = 0; i < show->state.kept.count; i++) {
		const char *path = show->state.kept.items[i];

		if (show->params->porcelain)
			printf("replaced\t%s\t%s\n", show->host.release, path);
		else
			printf("  %s: replaced; 'wgkmod remove' puts it back\n", path);
	}
}

/* What --compatible took. */
static void print_compatible(const struct show *show)
{
	if (show->state.built_for && show->params->porcelain)
		printf("compatible\t%s\t%s\n", show->host.release, show->state.built_for);
	else if (show->state.built_for)
		printf("  built for %s: they fit by each symbol version\n",
		       show->state.built_for);
}

static void print_taint(const struct show *show)
{
	const char *letters = show->out_of_tree	 ? show->not_signed ? "OE" : "O"
			      : show->not_signed ? "E"
						 : "-";

	if (show->params->porcelain)
		printf("taint\t%s\t%s\n", show->host.release, letters);
	else if (*letters != '-')
		printf("  expected taint: %s%s%s\n",
		       show->out_of_tree ? "O (out of tree)" : "",
		       show->out_of_tree && show->not_signed ? ", " : "",
		       show->not_signed ? "E (not signed)" : "");
}

/* Check that what they need is what was proven to provide it, by the index of now. */
static int check_needs(const struct show *show, const struct strlist *paths)
{
	struct reason reason = { 0 };
	int ret = needs_check(show->modules, show->n_modules, paths,
			      show->host.modules_fd, &reason);

	return log_reason(show->host.release, ret, &reason);
}

/* List what modprobe would load: nothing without an index, or with a damaged one. */
static int find_loads(struct show *show, struct strlist *paths, struct strlist *loads)
{
	const struct sums *installed = &show->state.installed;
	struct reason reason = { 0 };
	int ret = 0;

	show->modules = calloc(installed->count + 1, sizeof(*show->modules));
	if (!show->modules)
		return log_no_memory();
	for (size_t i = 0; ret == 0 && i < installed->count; i++)
		ret = reason_errno(&reason,
				   strlist_add(paths, installed->entries[i].path));
	if (ret == 0)
		ret = lookup_files(show->host.root, show->host.release, paths, loads,
				   &reason);
	return log_reason(show->host.release, ret, &reason);
}

static int show_files(struct show *show)
{
	_cleanup_strlist_ struct strlist paths = { 0 }, loads = { 0 };
	int ret = find_loads(show, &paths, &loads);
	bool left = exchange_is_left(&show->host);

	if (show->params->porcelain)
		printf("kernel\t%s\t%zu\t%s\n", show->host.release,
		       show->state.installed.count, left ? "unfinished" : "finished");
	else
		printf("%s: %zu module%s\n", show->host.release,
		       show->state.installed.count, PLURAL(show->state.installed.count));
	for (size_t i = 0; show->modules && i < show->state.installed.count; i++)
		if (show_file(show, &show->state.installed.entries[i], &loads) < 0)
			ret = -EIO;
	if (check_needs(show, &paths) < 0)
		ret = -EIO;
	print_kept(show);
	print_compatible(show);
	print_taint(show);
	if (left && !show->params->porcelain)
		printf(lock_is_taken(show->host.kernels_fd)
			       ? "  another run is at work\n"
			       : "  a run was interrupted; the next one cleans up after "
				 "it\n");
	return ret;
}

static void show_free(struct show *show)
{
	for (size_t i = 0; i < show->n_modules; i++)
		module_free(&show->modules[i]);
	free(show->modules);
	state_free(&show->state);
	host_close(&show->host);
}

/* Show one kernel, and add it to *@shown if anything is installed for it. */
static int show_kernel(const struct params *params, const char *release, size_t *shown)
{
	_cleanup_(show_free) struct show show = { .params = params, .host = HOST_INIT };
	struct reason reason = { 0 };
	int ret = host_open(&show.host, params->root, release, &reason);

	/* The kernel is gone, and its state with it. */
	if (ret == -ENOENT && show.host.root)
		return 0;
	if (ret == 0)
		ret = state_load_anywhere(&show.state, &show.host, &reason);
	if (ret < 0)
		return log_reason(release, ret, &reason);
	if (state_is_empty(&show.state))
		return 0;
	(*shown)++;
	show.running = host_is_running(&show.host, params->running);
	return show_files(&show);
}

static int show_all(const struct params *params, size_t *shown)
{
	_cleanup_strlist_ struct strlist releases = { 0 };
	struct reason reason = { 0 };
	int ret = state_list(params->root, &releases, &reason);

	if (ret == 0)
		ret = old_state_list(params->root, &releases, &reason);
	log_reason(params->root, ret, &reason);
	for (size_t i = 0; i < releases.count; i++)
		ret = graver_error(ret, show_kernel(params, releases.items[i], shown));
	return ret;
}

/* Print whether each installed kernel, or that of --kernel, has WireGuard. */
static int print_coverage(const struct params *params)
{
	_cleanup_free_ char *root = realpath(params->root, NULL);
	_cleanup_strlist_ struct strlist kernels = { 0 };
	struct reason reason = { 0 };

	if (!root || kernels_list(root, &kernels, &reason) < 0) {
		log_failure(params->root, "%s", root ? reason.text : strerror(errno));
		return -EIO;
	}
	for (size_t i = 0; i < kernels.count; i++)
		if (!params->kernel || !strcmp(params->kernel, kernels.items[i]))
			printf("coverage\t%s\t%s\n", kernels.items[i],
			       coverage_word(coverage_of(root, kernels.items[i])));
	return 0;
}

static enum exit_code run(const struct params *params)
{
	size_t shown = 0;
	int ret;

	log_set_verb("show"); /* "cannot status" is not a sentence */
	ret = params->kernel ? show_kernel(params, params->kernel, &shown)
			     : show_all(params, &shown);
	if (params->porcelain)
		ret = graver_error(ret, print_coverage(params));
	if (ret == 0 && !shown && !params->porcelain)
		log_info("nothing is installed%s%s", params->kernel ? " for " : "",
			 params->kernel ? params->kernel : "");
	return exit_code_of(ret);
}

static const struct option_spec options[] = {
	OPTION_KERNEL("show only this release; default: all", false),
	OPTION_ROOT,
	OPTION_PORCELAIN,
	{ 0 },
};

const struct verb verb_status = {
	.name = "status",
	.summary = "show what is installed, whether it is intact, and what is loaded",
	.options = options,
	.run = run,
};
