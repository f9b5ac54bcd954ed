// SPDX-License-Identifier: GPL-2.0-only
/*
 * wgkmod install: put the modules of a bundle where modprobe finds them.
 *
 * Read this file from the bottom up: run() reads the bundle and tries, try_once() checks
 * everything, and carry_out() makes the changes. Each step is a file of its own. These
 * come before the first write:
 *
 *	payload_read()		read the bundle once: who signed it, the bytes of its modules
 *	transaction_open()	lock the host until the end, clean up after an interrupted
 *				run, and read what is installed
 *	proof_run()		prove that the modules fit the kernel, by the vermagic and
 *				the symbol table of the kernel
 *	preflight_check()	find anything that would make the install fail or have no
 *				effect: a full disk, a kernel that accepts no modules
 *	plan_install()		list what has to be written and removed, and what is in the
 *				way
 *
 * transaction_commit() then makes the changes in a clone of the kernel's directory, and
 * exchanges the two in one step (exchange.h). If anything fails before that, the exit
 * status is not 0 and the directory is unchanged; if the process or the machine dies, the
 * directory is either the old one or the new one. If another process, for example a
 * package manager, changes the directory, everything but payload_read() starts again.
 *
 * With --load, load() runs before the old directory is dropped: it runs modprobe and
 * checks what the kernel has then. If that fails, the directories are exchanged again.
 */
#include "verbs.h"

#include <string.h>

#include "base/log.h"
#include "bundle/payload.h"
#include "bundle/trust.h"
#include "fit/module.h"
#include "fit/proof.h"
#include "kernel/modprobe.h"
#include "kernel/preflight.h"
#include "tree/transaction.h"

struct install {
	struct payload payload;
	struct transaction tx;
	struct proof proof;
};

static void install_free(struct install *in)
{
	transaction_end(&in->tx);
	payload_free(&in->payload);
}

static bool is_there_already(const struct install *in)
{
	return !in->tx.plan.count && in->tx.plan.indexed &&
	       in->tx.state.installed.count == in->payload.count;
}

/* Load the modules; if the kernel refuses them, take the install back. */
static enum exit_code load(struct install *in)
{
	if (modprobe_load(in->tx.exchange.tree_fd, &in->tx.plan.paths) == EXIT_DONE) {
		exchange_confirm(&in->tx.exchange);
		return EXIT_DONE;
	}
	return transaction_revert(&in->tx) == EXIT_DONE ? EXIT_NOT_LOADED : EXIT_FAILED;
}

static enum exit_code carry_out(struct install *in, const struct params *params)
{
	enum exit_code code;

	if (is_there_already(in)) {
		proof_print(&in->proof, "are installed already");
		if (!params->load || params->dry_run)
			return EXIT_DONE;
		if (modprobe_load(in->tx.host.modules_fd, &in->tx.plan.paths) ==
		    EXIT_DONE)
			return EXIT_DONE;
		log_error("the modules stay installed, as they were before");
		return EXIT_FAILED;
	}
	if (params->dry_run) {
		plan_print(&in->tx.plan);
		proof_print(&in->proof, "would be installed");
		return EXIT_DONE;
	}
	code = transaction_commit(&in->tx, &in->payload);
	if (code == EXIT_DONE && params->load)
		code = load(in);
	if (code == EXIT_DONE)
		proof_print(&in->proof, "installed");
	if (code == EXIT_DONE && in->tx.plan.kept)
		log_info("%zu file%s replaced; 'wgkmod remove' puts back what was there",
			 in->tx.plan.kept, PLURAL(in->tx.plan.kept));
	return code;
}

static enum exit_code try_once(struct install *in, const struct params *params,
			       const char *release)
{
	const struct plan_how how = { params->dir, params->replace };
	const struct proof_basis basis = {
		.release = release,
		.vermagic = params->vermagic,
		.symvers = params->symvers,
		.host = &in->tx.host,
		.installed = true,
		.ours = &in->tx.state.installed,
	};
	enum exit_code code;

	code = transaction_open(&in->tx, params->root, release, params->dry_run, false);
	if (code == EXIT_DONE)
		code = exit_code_of(proof_run(&in->proof, &basis, in->payload.modules,
					      in->payload.n_modules, 0));
	if (code == EXIT_DONE)
		code = preflight_check(&in->tx.host, &in->payload, params->running,
				       params->load);
	if (code == EXIT_DONE)
		code = plan_install(&in->tx.plan, &in->tx.host, &in->payload,
				    &in->tx.state, &how);
	if (code == EXIT_DONE)
		code = carry_out(in, params);
	return code;
}

static enum exit_code run(const struct params *params)
{
	_cleanup_(install_free) struct install in = { .tx = TRANSACTION_INIT };
	const struct trust_policy policy = { params->root, params->key,
					     params->allow_unsigned };
	const char *release = params->kernel ? params->kernel : params->running;
	enum exit_code code;

	code = exit_code_of(
		payload_read(&in.payload, &policy, params->operands[0], release));
	if (code != EXIT_DONE)
		return code;
	for (int try = 1; try <= TRANSACTION_TRIES; try++) {
		bool again;

		code = try_once(&in, params, release);
		again = in.tx.again;
		transaction_end(&in.tx);
		if (!again)
			return code;
	}
	log_error("another process keeps changing the modules of %s; try again later",
		  release);
	return code;
}

static const struct option_spec options[] = {
	OPTION_KERNEL("the release to install for; default: the running kernel", false),
	OPTION_SYMVERS("the kernel's symbol table; default: the host's own", false),
	OPTION_VERMAGIC,
	OPTION_ROOT,
	{ "dir", "NAME",
	  "the directory below lib/modules/RELEASE for them; default: kernel",
	  offsetof(struct params, dir), false },
	{ "replace", NULL, "replace files that are in the way, and keep them for remove",
	  offsetof(struct params, replace), false },
	{ "load", NULL, "load the modules, and check that they are live",
	  offsetof(struct params, load), false },
	OPTION_DRY_RUN,
	OPTION_KEY,
	OPTION_ALLOW_UNSIGNED,
	{ 0 },
};

const struct verb verb_install = {
	.name = "install",
	.operands = "BUNDLE",
	.changes = true,
	.summary = "prove the modules of a bundle, and install them",
	.options = options,
	.run = run,
};
