// SPDX-License-Identifier: GPL-2.0-only
/*
 * wgkmod remove: restore the tree that was there before the first install.
 *
 * Delete the files that wgkmod installed, restore those that they replaced, delete
 * directories that were made for them and are empty now, and let depmod make the indexes.
 * As in an install, this happens in a clone, which is exchanged with the kernel's
 * directory in one step.
 */
#include "verbs.h"

#include "base/log.h"
#include "tree/transaction.h"

static int carry_out(struct transaction *tx, const struct params *params)
{
	const char *release = tx->host.release;
	size_t removed = tx->plan.removed, restored = tx->plan.restored;
	int ret;

	if (params->dry_run) {
		plan_print(&tx->plan);
		options_print_result(params, release, true);
		return 0;
	}
	ret = transaction_commit(tx, NULL);
	if (ret < 0)
		return ret;
	log_info("%zu module%s for %s removed", removed, PLURAL(removed), release);
	if (restored)
		log_info("%zu file%s that had been replaced put back", restored,
			 PLURAL(restored));
	options_print_result(params, release, true);
	return 0;
}

/* A transaction_fn: @arg is the struct params. */
static int remove_modules(struct transaction *tx, void *arg)
{
	int ret;

	if (state_is_empty(&tx->state)) {
		log_info("nothing is installed for %s", tx->host.release);
		options_print_result(arg, tx->host.release, false);
		return 0;
	}
	ret = transaction_survey(tx, NULL);
	if (ret == 0)
		ret = plan_remove(&tx->plan, &tx->host, &tx->state);
	/*
	 * Only files that cannot be restored yet are left, and plan_remove() has said so.
	 */
	if (ret == 0 && !tx->state.installed.count && !tx->plan.count)
		return -EEXIST;
	return ret == 0 ? carry_out(tx, arg) : ret;
}

static enum exit_code run(const struct params *params)
{
	const char *release = params->kernel ? params->kernel : params->running;
	struct transaction tx = TRANSACTION_INIT;

	return exit_code_of(transaction_run(&tx, params->root, release, params->dry_run,
					    remove_modules, (void *)params));
}

static const struct option_spec options[] = {
	OPTION_KERNEL("the release to remove them from; default: the running kernel",
		      false),
	OPTION_ROOT,
	OPTION_DRY_RUN,
	OPTION_PORCELAIN,
	{ 0 },
};

const struct verb verb_remove = {
	.name = "remove",
	.changes = true,
	.summary = "remove the modules, and put back what they replaced",
	.options = options,
	.run = run,
};
