// SPDX-License-Identifier: GPL-2.0-only
#include "set.h"

#include <string.h>

#include "cli.h"
#include "indexes.h"
#include "log.h"
#include "payload.h"
#include "recover.h"
#include "tree.h"

void set_end(struct set *set)
{
	if (set->begun)
		swap_end(&set->swap);
	plan_free(&set->plan);
	state_free(&set->state);
	state_free(&set->next);
	host_close(&set->host);
	*set = (struct set)SET_INIT;
}

static enum exit_code recover(struct set *set, bool dry)
{
	struct reason reason = { 0 };
	int ret;

	if (dry) {
		if (recover_is_needed(&set->host))
			log_say("would clean up behind a run that was killed");
		return EXIT_DONE;
	}
	ret = recover_settle(&set->host, &reason);
	if (ret == 0)
		return EXIT_DONE;
	log_cannot(set->host.release, "%s", reason.text);
	return ret == -EBADMSG ? EXIT_UNTRUSTED : EXIT_FAILED;
}

enum exit_code set_open(struct set *set, const struct params *params, bool dry, bool gone)
{
	const char *release = params->kernel ? params->kernel : params->running;
	struct reason reason = { 0 };
	enum exit_code code;
	int ret;

	ret = host_open_locked(&set->host, params->root, release, &reason);
	if (ret < 0 && !(gone && ret == -ENOENT && set->host.root)) {
		log_cannot(release, "%s", reason.text);
		return EXIT_FAILED;
	}
	code = recover(set, dry);
	if (code != EXIT_DONE)
		return code;
	ret = state_load(&set->state, &set->host, &reason);
	if (ret < 0) {
		log_cannot(release, "%s", reason.text);
		return ret == -EBADMSG ? EXIT_UNTRUSTED : EXIT_FAILED;
	}
	return EXIT_DONE;
}

static int copy_names(struct names *to, const struct names *from)
{
	for (size_t i = 0; i < from->count; i++)
		if (names_add(to, from->items[i]) < 0)
			return -ENOMEM;
	return 0;
}

/* What is kept already and not given back, and what comes to it. */
static int prepare_kept(struct set *set)
{
	const struct plan *plan = &set->plan;
	_cleanup_names_ struct names restored = { 0 };
	struct names *kept = &set->next.kept;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < plan->count; i++)
		if (plan->changes[i].kind == CHANGE_RESTORE)
			ret = names_add(&restored, plan->changes[i].path);
		else if (plan->changes[i].kind == CHANGE_KEEP)
			ret = names_add(kept, plan->changes[i].path);
	for (size_t i = 0; ret == 0 && i < set->state.kept.count; i++)
		if (!names_has(&restored, set->state.kept.items[i]))
			ret = names_add(kept, set->state.kept.items[i]);
	return ret;
}

/* The next state as far as it is known beforehand. */
static int prepare_next(struct set *set, const struct payload *payload)
{
	struct sums *sums = &set->next.installed;
	int ret;

	sums->entries = calloc(set->plan.paths.count + 1, sizeof(*sums->entries));
	if (!sums->entries)
		return -ENOMEM;
	for (size_t i = 0; i < set->plan.paths.count; i++) {
		struct sum *sum = &sums->entries[sums->count++];

		sum->path = set->plan.paths.items[i];
		memcpy(sum->digest, payload->files[i].digest, sizeof(sum->digest));
	}
	ret = prepare_kept(set);
	if (ret == 0)
		ret = copy_names(&set->next.folders, &set->state.folders);
	if (ret < 0)
		return ret;
	return state_is_empty(&set->state)
		       ? indexes_list(&set->swap.live, &set->next.indexes)
		       : copy_names(&set->next.indexes, &set->state.indexes);
}

/* Folders that were made for what is gone go as well; the deepest were made last. */
static int prune_folders(struct set *set)
{
	struct names *folders = &set->next.folders;

	for (size_t i = folders->count; i-- > 0;) {
		bool gone;
		int ret = tree_prune(set->swap.tree_fd, folders->items[i], &gone);

		if (ret < 0)
			return ret;
		if (gone)
			names_drop(folders, i);
	}
	return 0;
}

static int change_clone(struct set *set, const struct payload *payload)
{
	const char *path = set->host.release;
	int ret = prepare_next(set, payload);

	if (ret == 0)
		ret = plan_carry_out(&set->plan, set->swap.tree_fd, set->swap.state_fd,
				     &set->next.folders, &path);
	if (ret == 0) {
		path = set->host.release;
		ret = prune_folders(set);
	}
	if (ret < 0)
		log_cannot(path, "%s", strerror(-ret));
	return ret;
}

static int make_indexes(struct set *set, bool payload)
{
	struct reason reason = { 0 };
	int ret = swap_index(&set->swap, &reason);

	if (ret == 0 && payload && !plan_is_indexed(&set->plan, set->swap.tree_fd))
		ret = reason_set(&reason, -EIO, "depmod did not list all modules");
	if (ret == 0 && !payload) {
		ret = indexes_drop_new(set->swap.tree_fd, &set->state.indexes);
		if (ret < 0)
			reason_errno(&reason, ret);
	}
	if (ret < 0)
		log_cannot(set->host.modules, "%s", reason.text);
	return ret;
}

/* That it will be begun anew is no error yet. */
static void say(struct set *set, const char *path, int ret, const struct reason *reason)
{
	set->again = ret == -EAGAIN;
	if (set->again)
		log_say("%s: %s", path, reason->text);
	else
		log_cannot(path, "%s", reason->text);
}

static int exchange(struct set *set)
{
	struct reason reason = { 0 };
	int ret = state_save(&set->next, set->swap.state_fd);

	if (ret < 0)
		reason_set(&reason, ret, "its state could not be written: %s",
			   strerror(-ret));
	else
		ret = swap_exchange(&set->swap, &reason);
	if (ret < 0)
		say(set, set->host.modules, ret, &reason);
	return ret;
}

enum exit_code set_exchange(struct set *set, const struct payload *payload)
{
	struct reason reason = { 0 };
	int ret;

	set->begun = true;
	ret = swap_begin(&set->swap, &set->host, &reason);
	if (ret < 0) {
		say(set, set->host.release, ret, &reason);
		return EXIT_FAILED;
	}
	if (change_clone(set, payload) < 0 || make_indexes(set, payload != NULL) < 0)
		return EXIT_FAILED;
	return exchange(set) < 0 ? EXIT_FAILED : EXIT_DONE;
}

enum exit_code set_back(struct set *set)
{
	struct reason reason = { 0 };

	if (swap_back(&set->swap, &reason) == 0)
		return EXIT_DONE;
	if (!set->swap.exchanged) {
		log_cannot(set->host.kernels, "that it is as it was is not flushed: %s",
			   reason.text);
		return EXIT_DONE;
	}
	log_error("%s: %s; the modules stay installed: 'wgkmod remove' takes them out",
		  set->host.modules, reason.text);
	return EXIT_FAILED;
}
