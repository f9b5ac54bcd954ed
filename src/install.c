// SPDX-License-Identifier: GPL-2.0-only
/*
 * wgkmod install: put the modules of a bundle where modprobe finds them.
 *
 * Everything is read, verified and proven before anything is written:
 *
 *	payload	the bundle, read once, and who signed it; the bytes of every module
 *	host	the folder of the kernel's modules, under a lock from here to the end
 *	proof	the modules fit the kernel, by its own vermagic and symbol table
 *	plan	what is in the way and not ours; what has to be written and removed
 *
 * Then the plan is carried out: modules, depmod, a look at what it wrote, a flush, and
 * last the state file. When one of these fails, all of it is taken back, in reverse, so
 * that the status is 0 with the new set there, or another with the old one. Only the
 * death of the process or the machine in between leaves a mixture.
 *
 * The lock is on the folder that holds the kernels' folders, not on a file: a refusal
 * has then written nothing at all.
 */
#include "install.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>

#include "depmod.h"
#include "fit.h"
#include "host.h"
#include "log.h"
#include "payload.h"
#include "plan.h"
#include "proof.h"
#include "state.h"
#include "tree.h"

struct install {
	struct host host;
	int lock_fd;
	struct payload payload;
	struct sums state;
	struct proof proof;
	struct plan plan;
	struct tree modules;
	struct state_record record;
	bool indexes_touched;
};

static void install_free(struct install *in)
{
	plan_free(&in->plan);
	tree_free(&in->modules);
	state_record_free(&in->record);
	sums_free(&in->state);
	payload_free(&in->payload);
	close_fd(&in->lock_fd);
	host_close(&in->host);
}

static enum exit_code lock(struct install *in)
{
	in->lock_fd =
		openat(in->host.modules_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (in->lock_fd < 0) {
		log_cannot(in->host.modules, "%s", strerror(errno));
		return EXIT_FAILED;
	}
	while (flock(in->lock_fd, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		log_cannot(in->host.modules, "cannot lock it: %s", strerror(errno));
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

static enum exit_code open_host(struct install *in, const struct params *params)
{
	const char *release = params->kernel ? params->kernel : params->running;
	struct reason reason = { 0 };
	int ret = host_open(&in->host, params->root, release, &reason);

	if (ret < 0) {
		log_cannot(release, "%s", reason.text);
		return EXIT_FAILED;
	}
	if (lock(in) != EXIT_DONE)
		return EXIT_FAILED;
	ret = state_load(&in->state, &in->host, &reason);
	if (ret < 0) {
		log_cannot(release, "%s", reason.text);
		return ret == -EBADMSG ? EXIT_UNTRUSTED : EXIT_FAILED;
	}
	return EXIT_DONE;
}

static int change_files(struct install *in)
{
	in->modules = (struct tree){ .fd = in->host.modules_fd };
	for (size_t i = 0; i < in->plan.count; i++) {
		const struct change *change = &in->plan.changes[i];
		int ret;

		if (change->file)
			ret = tree_write(&in->modules, change->path,
					 change->file->data.data,
					 change->file->data.size);
		else
			ret = tree_remove(&in->modules, change->path);
		if (ret < 0) {
			log_cannot(change->path, "%s", strerror(-ret));
			return ret;
		}
	}
	return 0;
}

static int make_indexes(struct install *in)
{
	struct reason reason = { 0 };
	int ret;

	in->indexes_touched = true;
	ret = depmod_run(&in->host, &reason);
	if (ret == 0 && !plan_is_indexed(&in->host, &in->payload))
		ret = reason_set(&reason, -EIO, "depmod did not list all modules");
	if (ret == 0 && syncfs(in->host.modules_fd) < 0)
		ret = reason_errno(&reason, -errno);
	if (ret < 0)
		log_cannot(in->host.modules, "%s", reason.text);
	return ret;
}

static int write_state(struct install *in)
{
	int ret = state_write(&in->record, &in->host, &in->payload);

	if (ret < 0)
		log_cannot(in->host.release, "its state could not be written: %s",
			   strerror(-ret));
	return ret;
}

static void undo(struct install *in)
{
	struct reason reason = { 0 };
	int ret = tree_undo(&in->record.tree);

	if (ret < 0)
		log_error("the state of %s could not be taken back: %s", in->host.release,
			  strerror(-ret));
	ret = tree_undo(&in->modules);
	if (ret < 0)
		log_error("%s could not be taken back: %s", in->host.modules,
			  strerror(-ret));
	if (in->indexes_touched && depmod_run(&in->host, &reason) < 0)
		log_error("the indexes of %s may be wrong, run depmod: %s",
			  in->host.modules, reason.text);
}

static int commit(struct install *in)
{
	int modules = tree_commit(&in->modules);
	int record = tree_commit(&in->record.tree);

	return modules < 0 ? modules : record;
}

/* Nobody's ^C may come between the first write and the last. */
static void hold_signals(sigset_t *before)
{
	sigset_t all;

	sigemptyset(&all);
	sigaddset(&all, SIGHUP);
	sigaddset(&all, SIGINT);
	sigaddset(&all, SIGQUIT);
	sigaddset(&all, SIGTERM);
	sigaddset(&all, SIGPIPE); /* of our own messages */
	sigprocmask(SIG_BLOCK, &all, before);
}

static enum exit_code carry_out(struct install *in)
{
	enum exit_code code = EXIT_DONE;
	sigset_t before;

	hold_signals(&before);
	if (change_files(in) < 0 || make_indexes(in) < 0 || write_state(in) < 0) {
		undo(in);
		code = EXIT_FAILED;
	} else if (commit(in) < 0) {
		log_error("installed, but replaced files are left as .*.wgkmod-old");
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return code;
}

static enum exit_code install(struct install *in, const struct params *params)
{
	const char *release = params->kernel ? params->kernel : params->running;
	enum exit_code code;

	code = payload_read(&in->payload, params, params->operands[0], release);
	if (code == EXIT_DONE)
		code = open_host(in, params);
	if (code == EXIT_DONE)
		code = fit_prove(&in->proof, &in->host, &in->payload, params);
	if (code == EXIT_DONE)
		code = plan_make(&in->plan, &in->host, &in->payload, &in->state);
	if (code != EXIT_DONE)
		return code;
	if (!in->plan.count && in->plan.indexed && in->state.count == in->payload.count) {
		fit_say(&in->proof, "are installed already");
		return EXIT_DONE;
	}
	code = carry_out(in);
	if (code == EXIT_DONE)
		fit_say(&in->proof, "installed");
	return code;
}

static enum exit_code run(const struct params *params)
{
	_cleanup_(install_free) struct install in = {
		.host = HOST_INIT,
		.lock_fd = -1,
		.record = STATE_RECORD_INIT,
	};

	return install(&in, params);
}

static const struct option_spec options[] = {
	OPTION_KERNEL("the release to install for; else the running kernel", false),
	OPTION_SYMVERS("the kernel's table of exported symbols; else the host's own",
		       false),
	OPTION_ROOT,
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
