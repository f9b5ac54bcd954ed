// SPDX-License-Identifier: GPL-2.0-only
/*
 * wgkmod hook: what the installation and the removal of a kernel call. 'add' installs the
 * stored bundle for it, 'remove' takes the modules out before the kernel's files go.
 *
 * A failure here must not keep a kernel from being installed or removed: after a right
 * command line the exit status is always 0. What happened is one line, here and in
 * syslog. The same call twice changes nothing more. No network is used.
 */
#include "verbs.h"

#include <fcntl.h>
#include <syslog.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/strlist.h"
#include "bundle/minisign.h"
#include "bundle/store.h"
#include "health/coverage.h"
#include "tree/depmod.h"
#include "tree/exchange.h"
#include "tree/state.h"

static void say(const char *release, const char *what)
{
	log_info("hook: %s: %s", release, what);
	openlog("wgkmod", LOG_PID, LOG_DAEMON);
	syslog(LOG_NOTICE, "hook: %s: %s", release, what);
	closelog();
}

/*
 * Make the indexes of a kernel that lacks some: in an installation of it, depmod may run
 * only later, or was killed. 'remove' would give back a tree that lacks them. depmod
 * writes modules.devname last (kmod, tools/depmod.c, depfiles[]).
 */
static void make_indexes(const struct host *host)
{
	const struct strlist none = { 0 };
	struct reason reason = { 0 };

	if (faccessat(host->modules_fd, "modules.devname", F_OK, 0) < 0 &&
	    depmod_run(host, host->root, &none, &reason) < 0)
		log_error("depmod %s: %s", host->release, reason.text);
}

/* Run the verb @verb for the kernel @release, with @bundle as its operand, or NULL. */
static enum exit_code run_verb(const struct verb *verb, const struct params *params,
			       const char *release, char *bundle)
{
	char *operands[] = { bundle, NULL };
	const struct params own = {
		.root = params->root,
		.kernel = release,
		.running = params->running,
		.operands = operands,
		.n_operands = bundle ? 1 : 0,
	};

	log_set_verb(verb->name);
	return verb->run(&own);
}

/*
 * Return true if the stored @bundle says that it is newer than what is installed, which
 * says its time too. Nothing is verified here: install does that.
 */
static bool is_newer(const struct host *host, const char *bundle)
{
	_cleanup_free_ char *path = strdup_printf("%s.minisig", bundle);
	_cleanup_minisign_ struct minisign sig = { 0 };
	_cleanup_state_ struct state state = { 0 };
	_cleanup_buf_ struct buf text = { 0 };
	struct reason ignored = { 0 };

	return path && state_load(&state, host, &ignored) == 0 && state.timestamp &&
	       read_path(path, MINISIGN_MAX_BYTES, &text, &ignored) == 0 &&
	       minisign_parse(&sig, text.data, text.size, &ignored) == 0 &&
	       comment_timestamp(sig.comment) > state.timestamp;
}

static void add(const struct params *params, const char *root, const char *release)
{
	_cleanup_free_ char *bundle = store_find(root, release);
	_cleanup_host_ struct host host = HOST_INIT;
	struct reason ignored = { 0 };
	enum coverage coverage;

	if (host_open(&host, root, release, &ignored) == 0)
		make_indexes(&host);
	coverage = coverage_of(root, release);
	if (coverage == COVERAGE_OWN || coverage == COVERAGE_FOREIGN) {
		say(release, "it has WireGuard, and is left alone");
	} else if (coverage == COVERAGE_COVERED &&
		   !(bundle && (exchange_is_left(&host) || is_newer(&host, bundle)))) {
		say(release, "the modules are installed already");
	} else if (!bundle) {
		say(release, "no bundle for it is in the store: it has no WireGuard");
		(void)!run_verb(&verb_guard, params, NULL, NULL);
	} else if (run_verb(&verb_install, params, release, bundle) == EXIT_DONE) {
		say(release, "the stored bundle is installed");
	} else {
		say(release, coverage == COVERAGE_COVERED
				     ? "the stored bundle cannot be installed: the "
				       "modules stay as they are"
				     : "the stored bundle cannot be installed: it has no "
				       "WireGuard");
	}
}

static void take_out(const struct params *params, const char *root, const char *release)
{
	_cleanup_host_ struct host host = HOST_INIT;
	struct reason ignored = { 0 };

	if (host_open(&host, root, release, &ignored) == -ENOENT)
		return;
	/* remove also cleans up after an interrupted run. */
	if (!exchange_is_left(&host) &&
	    faccessat(host.modules_fd, STATE_DIRECTORY "/installed", F_OK, 0) < 0)
		return;
	say(release, run_verb(&verb_remove, params, release, NULL) == EXIT_DONE
			     ? "the modules are removed"
			     : "the modules cannot be removed, and stay");
}

static enum exit_code run(const struct params *params)
{
	_cleanup_free_ char *root = realpath(params->root, NULL);
	const char *command = params->operands[0];
	bool adds = !strcmp(command, "add");

	if ((!adds && strcmp(command, "remove") != 0) || params->n_operands < 2) {
		log_error("'hook' takes 'add' or 'remove', and RELEASE...: "
			  "see 'wgkmod hook --help'");
		return EXIT_USAGE;
	}
	log_set_verb("look at");
	for (size_t i = 1; i < params->n_operands; i++) {
		const char *release = params->operands[i];

		if (!root)
			log_failure(params->root, "%s", strerror(errno));
		else if (!host_release_ok(release))
			log_error("'%s' is not a kernel release", release);
		else if (adds)
			add(params, root, release);
		else
			take_out(params, root, release);
	}
	return EXIT_DONE;
}

static const struct option_spec options[] = {
	OPTION_ROOT,
	{ 0 },
};

const struct verb verb_hook = {
	.name = "hook",
	.operands = "add|remove RELEASE",
	.many = true,
	.changes = true,
	.summary = "install the modules for a new kernel, or remove them before a kernel "
		   "is removed",
	.options = options,
	.run = run,
};
