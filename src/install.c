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
 *	check_age()		refuse a bundle that is older than that
 *	proof_run()		prove that the modules fit the kernel, by the vermagic and
 *				the symbol table of the kernel
 *	transaction_survey()	find anything in the kernel's directory that would make
 *				the install fail, for example a full disk
 *	preflight_check()	find anything in the kernel or in modprobe's configuration
 *				that would make it have no effect
 *	plan_install()		list what has to be written and removed, and what is in
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

#include <sys/stat.h>

#include "base/log.h"
#include "base/strlist.h"
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
		exchange_confirm(&tx->exchange);
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

/* A signature does not expire: its timestamp keeps an older bundle out. */
static int check_age(const struct transaction *tx, const struct install *in)
{
	const struct params *params = in->params;

	if (in->payload.timestamp >= tx->state.timestamp || params->allow_older ||
	    params->allow_unsigned)
		return 0;
	log_failure(params->operands[0],
		    "it is older than what is installed: its timestamp is %llu, that of "
		    "the installed is %llu; --allow-older takes it",
		    in->payload.timestamp, tx->state.timestamp);
	return -EBADMSG;
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
		.built_for = in->payload.built_for,
	};
	struct proof proof = { 0 };
	int ret = check_age(tx, in);

	if (ret == 0)
		ret = proof_run(&proof, &basis, in->payload.modules,
				in->payload.n_modules, 0);
	if (ret == 0)
		ret = transaction_survey(tx, &in->payload);
	if (ret == 0)
		ret = preflight_check(&tx->host, &in->payload, params->running,
				      params->load);
	if (ret == 0)
		ret = plan_install(&tx->plan, &tx->host, &tx->tree, &in->payload,
				   &tx->state, &how);
	return ret == 0 ? carry_out(tx, in, &proof) : ret;
}

/*
 * Return true if the modules of @payload, built for @built_for, fit the kernel @release
 * by every symbol version. Prints the evidence, but no problem.
 */
static bool is_compatible(const struct params *params, const struct payload *payload,
			  const char *release, const char *built_for)
{
	_cleanup_host_ struct host host = HOST_INIT;
	const struct proof_basis basis = {
		.release = release,
		.vermagic = params->vermagic,
		.symvers = params->symvers,
		.host = &host,
		.installed = true,
		.built_for = built_for,
		.quiet = true,
	};
	struct reason ignored = { 0 };
	struct proof proof = { 0 };

	if (host_open(&host, params->root, release, &ignored) < 0 ||
	    proof_run(&proof, &basis, payload->modules, payload->n_modules, 0) < 0)
		return false;
	log_info("the modules for %s fit %s: %zu symbol versions equal, none different, "
		 "and the vermagic is equal but for the release",
		 built_for, release, proof.equal);
	return true;
}

/*
 * The bundle has no modules for the kernel @release. Read those for another one of its
 * @releases that fit this kernel by every symbol version. Returns 0, or -ENOEXEC if there
 * are none, or they are not wanted.
 */
static int read_compatible(struct install *in, const struct trust_policy *policy,
			   const char *release, const struct strlist *releases)
{
	const struct params *params = in->params;

	for (size_t i = 0; i < releases->count; i++) {
		const char *other = releases->items[i];

		payload_free(&in->payload);
		if (payload_read(&in->payload, policy, params->operands[0], other) < 0 ||
		    !is_compatible(params, &in->payload, release, other))
			continue;
		in->payload.built_for = other;
		if (params->compatible)
			return 0;
		log_error("--compatible takes them");
		return -ENOEXEC;
	}
	log_failure(params->operands[0],
		    "it has no modules for %s, and those for other kernels do not fit it",
		    release);
	return -ENOEXEC;
}

/* Read the modules for the kernel @release, or with --compatible those that fit it. */
static int read_bundle(struct install *in, const struct trust_policy *policy,
		       const char *release, struct strlist *releases)
{
	const char *path = in->params->operands[0];
	bool wanted = in->params->compatible;
	struct stat st;
	int ret = 0;

	/* Without --compatible this says what is wrong, as always. */
	if (!wanted)
		ret = payload_read(&in->payload, policy, path, release);
	/* A directory is for one release. */
	if ((!wanted && ret != -ENOEXEC) || stat(path, &st) < 0 || S_ISDIR(st.st_mode))
		return wanted ? payload_read(&in->payload, policy, path, release) : ret;
	ret = payload_releases(policy, path, releases);
	if (ret < 0)
		return ret;
	if (!strlist_has(releases, release))
		return read_compatible(in, policy, release, releases);
	return wanted ? payload_read(&in->payload, policy, path, release) : -ENOEXEC;
}

static enum exit_code run(const struct params *params)
{
	_cleanup_strlist_ struct strlist releases = { 0 };
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
	ret = read_bundle(&in, &policy, release, &releases);
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
	VALUE("dir", "NAME", dir, false,
	      "install the modules below lib/modules/RELEASE/NAME; default: kernel"),
	FLAG("replace", replace,
	     "replace files that are in the way, and keep them for remove"),
	FLAG("compatible", compatible,
	     "accept modules for another release if every symbol version is equal"),
	FLAG("load", load, "load the modules, and check that they are live"),
	OPTION_DRY_RUN,
	OPTION_PORCELAIN,
	OPTION_KEY,
	FLAG("allow-older", allow_older,
	     "take a bundle that is older than what is installed"),
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
