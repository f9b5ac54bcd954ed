// SPDX-License-Identifier: GPL-2.0-only
/*
 * wgkmod install: put the modules of a bundle where modprobe finds them.
 *
 * Read this file from the bottom up: run() reads the bundle, install() checks everything,
 * and carry_out() makes the changes. Each step is a file of its own. These come before
 * the first write:
 *
 *	payload_read()		read the bundle once: its signer, the bytes of its modules
 *	transaction_run()	lock the host until the end, clean up after an interrupted
 *				run, and read what is installed
 *	proof_run()		prove that the modules fit the kernel, by the vermagic and
 *				the symbol table of the kernel
 *	transaction_survey()	find anything in the kernel's directory that would make
 *				the install fail, for example a full disk
 *	preflight_check()	find anything in the kernel or in modprobe's configuration
 *				that would make it have no effect
 *	transaction_plan_install()
 *				list what has to be written and removed, and what is in
 *				the way
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
#include "fit/proof.h"
#include "kernel/loaded.h"
#include "kernel/preflight.h"
#include "tree/transaction.h"

struct install {
	const struct params *params;
	struct payload payload;
	bool taken_back; /* the kernel refused the modules */
};

/* Load the modules; if the kernel refuses them, take the install back. */
static int load(struct transaction *tx, struct install *in)
{
	int ret = modprobe_load(transaction_modules_fd(tx), &tx->plan.paths);

	if (ret == 0)
		transaction_confirm(tx);
	else
		in->taken_back = transaction_revert(tx) == 0;
	return ret;
}

/* Load what an earlier run installed. */
static int load_again(const struct transaction *tx)
{
	int ret = modprobe_load(transaction_modules_fd(tx), &tx->plan.paths);

	if (ret < 0)
		log_error("the modules stay installed, as they were before");
	return ret;
}

static int carry_out(struct transaction *tx, struct install *in,
		     const struct proof *proof)
{
	const struct params *params = in->params;
	size_t kept = tx->plan.kept;
	bool differs = !transaction_is_done(tx, &in->payload);
	int ret = 0;

	if (differs && params->dry_run)
		plan_print(&tx->plan);
	else if (differs)
		ret = transaction_commit(tx, &in->payload);
	if (ret == 0 && params->load && !params->dry_run)
		ret = differs ? load(tx, in) : load_again(tx);
	if (ret < 0)
		return ret;
	proof_print(proof, !differs	     ? "are installed already"
			   : params->dry_run ? "would be installed"
					     : "installed");
	if (differs && kept && !params->dry_run)
		log_info("%zu file%s replaced; 'wgkmod remove' puts back what was there",
			 kept, PLURAL(kept));
	options_print_result(params, tx->host.release, differs);
	return 0;
}

/* A transaction_fn: @arg is the struct install. */
static int install(struct transaction *tx, void *arg)
{
	struct install *in = arg;
	const struct params *params = in->params;
	const struct plan_how how = { params->dir, params->replace };
	const struct proof_basis basis = {
		.release = tx->host.release,
		.vermagic = params->vermagic,
		.symvers = params->symvers,
		.host = &tx->host,
		.installed = true,
		.ours = &tx->state.installed,
	};
	struct proof proof = { 0 };
	int ret =
		proof_run(&proof, &basis, in->payload.modules, in->payload.n_modules, 0);

	if (ret == 0)
		ret = transaction_survey(tx, &in->payload);
	if (ret == 0)
		ret = preflight_check(&tx->host, &in->payload, params->running,
				      params->load);
	if (ret == 0)
		ret = transaction_plan_install(tx, &in->payload, &how);
	return ret == 0 ? carry_out(tx, in, &proof) : ret;
}

static enum exit_code run(const struct params *params)
{
	const struct trust_policy policy = { params->root, params->key,
					     params->allow_unsigned };
	const char *release = params->kernel ? params->kernel : params->running;
	struct transaction tx = TRANSACTION_INIT;
	struct install in = { .params = params };
	int ret;

	if (params->load &&
	    (strcmp(params->root, "/") != 0 || strcmp(release, params->running) != 0)) {
		log_error("--load is only for the running kernel, %s, and its own root",
			  params->running);
		return EXIT_USAGE;
	}
	ret = payload_read(&in.payload, &policy, params->operands[0], release);
	if (ret == 0)
		ret = transaction_run(&tx, params->root, release, params->dry_run,
				      install, &in);
	payload_free(&in.payload);
	return in.taken_back ? EXIT_NOT_LOADED : exit_code_of(ret);
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
	OPTION_PORCELAIN,
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
