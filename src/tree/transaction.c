// SPDX-License-Identifier: GPL-2.0-only
#include "tree/transaction.h"

#include "base/log.h"
#include "bundle/payload.h"
#include "tree/edit.h"
#include "tree/indexes.h"
#include "tree/lookup.h"
#include "tree/old_state.h"
#include "tree/survey.h"

/* End the exchange, and free everything but the payload. */
static void end(struct transaction *tx)
{
	if (tx->exchange.host)
		exchange_finish(&tx->exchange);
	plan_free(&tx->plan);
	state_free(&tx->state);
	state_free(&tx->next);
	snapshot_free(&tx->tree);
	host_close(&tx->host);
	*tx = (struct transaction)TRANSACTION_INIT;
}

/* Clean up after an interrupted run, and move an old state to its place. */
static int recover(struct transaction *tx, bool dry, struct reason *reason)
{
	int ret;

	if (dry && exchange_is_left(&tx->host))
		log_info("would clean up after an interrupted run");
	if (dry)
		return 0;
	ret = exchange_recover(&tx->host, reason);
	return ret < 0 ? ret : old_state_take_over(&tx->host, reason);
}

static int open_transaction(struct transaction *tx, const char *root, const char *release,
			    bool dry)
{
	struct reason reason = { 0 };
	int ret = host_open_locked(&tx->host, root, release, &reason);

	if (ret == 0)
		ret = recover(tx, dry, &reason);
	if (ret == 0)
		ret = state_load_anywhere(&tx->state, &tx->host, &reason);
	return log_reason(release, ret, &reason);
}

int transaction_run(struct transaction *tx, const char *root, const char *release,
		    bool dry, transaction_fn work, void *arg)
{
	for (int try = 1; try <= TRANSACTION_TRIES; try++) {
		int ret = open_transaction(tx, root, release, dry);

		if (ret == 0)
			ret = work(tx, arg);
		end(tx);
		if (ret != -EAGAIN)
			return ret;
	}
	log_error("another process keeps changing the modules of %s; try again later",
		  release);
	return -EAGAIN;
}

int transaction_survey(struct transaction *tx, const struct payload *payload)
{
	unsigned long long need = 0;

	for (size_t i = 0; payload && i < payload->count; i++)
		need += payload->files[i].data.size;
	return survey_take(&tx->tree, &tx->host, need);
}

bool transaction_is_done(const struct transaction *tx, const struct payload *payload)
{
	const struct host *host = &tx->host;
	struct reason ignored = { 0 };

	return !tx->plan.count && tx->state.installed.count == payload->count &&
	       payload->timestamp <= tx->state.timestamp &&
	       indexes_list_all(host->modules_fd, &tx->plan.paths, &ignored) == 0 &&
	       lookup_check(host->root, host->release, &tx->plan.paths, &ignored) == 0;
}

int transaction_modules_fd(const struct transaction *tx)
{
	return tx->exchange.exchanged ? tx->exchange.tree_fd : tx->host.modules_fd;
}

static int copy_names(struct strlist *to, const struct strlist *from)
{
	for (size_t i = 0; i < from->count; i++)
		if (strlist_add(to, from->items[i]) < 0)
			return -ENOMEM;
	return 0;
}

/*
 * List the kept files after the change: those before, less the restored ones, and the new
 * ones.
 */
static int prepare_kept(struct transaction *tx)
{
	const struct plan *plan = &tx->plan;
	_cleanup_strlist_ struct strlist restored = { 0 };
	struct strlist *kept = &tx->next.kept;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < plan->count; i++)
		if (plan->changes[i].kind == CHANGE_RESTORE)
			ret = strlist_add(&restored, plan->changes[i].path);
		else if (plan->changes[i].kind == CHANGE_KEEP)
			ret = strlist_add(kept, plan->changes[i].path);
	for (size_t i = 0; ret == 0 && i < tx->state.kept.count; i++)
		if (!strlist_has(&restored, tx->state.kept.items[i]) &&
		    !strlist_has(kept, tx->state.kept.items[i]))
			ret = strlist_add(kept, tx->state.kept.items[i]);
	return ret;
}

/* Fill in the next state, as far as it is known now. */
static int prepare_next(struct transaction *tx, const struct payload *payload)
{
	struct sums *sums = &tx->next.installed;
	int ret;

	sums->entries = calloc(tx->plan.paths.count + 1, sizeof(*sums->entries));
	if (!sums->entries)
		return -ENOMEM;
	for (size_t i = 0; i < tx->plan.paths.count; i++) {
		struct sum *sum = &sums->entries[sums->count++];

		sum->path = tx->plan.paths.items[i];
		memcpy(sum->digest, payload->files[i].digest, sizeof(sum->digest));
	}
	tx->next.timestamp = payload ? payload->timestamp : 0;
	tx->next.built_for = payload ? payload->built_for : NULL;
	ret = prepare_kept(tx);
	if (ret == 0)
		ret = copy_names(&tx->next.directories, &tx->state.directories);
	if (ret < 0)
		return ret;
	return state_is_empty(&tx->state)
		       ? indexes_list(&tx->tree, &tx->next.indexes)
		       : copy_names(&tx->next.indexes, &tx->state.indexes);
}

/*
 * Remove directories that were made for files which are gone; the deepest were made last.
 */
static int prune_directories(struct transaction *tx)
{
	struct strlist *directories = &tx->next.directories;

	for (size_t i = directories->count; i-- > 0;) {
		bool gone;
		int ret = edit_prune(tx->exchange.tree_fd, directories->items[i], &gone);

		if (ret < 0)
			return ret;
		if (gone)
			strlist_drop(directories, i);
	}
	return 0;
}

static int change_clone(struct transaction *tx, const struct payload *payload)
{
	const char *path = tx->host.release;
	int ret = prepare_next(tx, payload), fd = tx->exchange.tree_fd;

	if (ret == 0)
		ret = plan_carry_out(&tx->plan, fd, &tx->next.directories, &path);
	if (ret == 0) {
		path = tx->host.release;
		ret = prune_directories(tx);
	}
	if (ret == 0)
		ret = state_save(&tx->next, fd);
	if (ret < 0)
		log_failure(path, "%s", strerror(-ret));
	return ret;
}

/* Print why it failed; a failure that leads to another try is not an error yet. */
static int say(const char *path, int ret, const struct reason *reason)
{
	if (ret == -EAGAIN)
		log_info("%s: %s", path, reason->text);
	else
		log_reason(path, ret, reason);
	return ret;
}

int transaction_commit(struct transaction *tx, const struct payload *payload)
{
	struct reason reason = { 0 };
	int ret = exchange_begin(&tx->exchange, &tx->host, &tx->tree, &reason);

	if (ret < 0)
		return say(tx->host.release, ret, &reason);
	ret = change_clone(tx, payload);
	if (ret < 0)
		return ret;
	ret = exchange_index(&tx->exchange, &tx->plan.paths,
			     payload ? NULL : &tx->state.indexes, &reason);
	if (ret == 0 && payload)
		ret = needs_check(payload->modules, payload->n_modules, &tx->plan.paths,
				  tx->exchange.tree_fd, &reason);
	if (ret == 0)
		ret = exchange_commit(&tx->exchange, &reason);
	return say(tx->host.modules, ret, &reason);
}

int transaction_revert(struct transaction *tx)
{
	struct reason reason = { 0 };
	int ret = exchange_revert(&tx->exchange, &reason);

	if (ret < 0 && !tx->exchange.exchanged) {
		log_failure(tx->host.kernels,
			    "the restored directory may not be on disk yet: %s",
			    reason.text);
		return 0;
	}
	if (ret < 0)
		log_error("%s: %s; the modules stay installed: 'wgkmod remove' takes "
			  "them out",
			  tx->host.modules, reason.text);
	return ret;
}
