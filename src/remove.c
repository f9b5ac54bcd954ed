// SPDX-License-Identifier: GPL-2.0-only
/*
 * wgkmod remove: give back the tree that there was before the first install.
 *
 * Our files go, what they replaced comes back, folders that were made for them go if
 * nothing else is in them, and depmod makes the indexes of that. It is done as an install
 * is, on a clone that takes the place of the kernel's folder in one step. Where that
 * folder is gone, only the state is left to be removed; there is no place for what was
 * replaced then, and it is not deleted either.
 */
#include "remove.h"

#include "hurdles.h"
#include "log.h"
#include "recover.h"
#include "set.h"

static enum exit_code forget(struct set *set, const struct params *params)
{
	struct reason reason = { 0 };

	if (set->state.kept.count) {
		_cleanup_free_ char *kept = state_kept_folder(&set->host);

		log_cannot(set->host.release,
			   "its folder is gone, and what was replaced in it is in '%s': "
			   "move that away first",
			   kept ? kept : "");
		return EXIT_FAILED;
	}
	if (params->dry_run) {
		log_say("would forget %s, as its folder is gone", set->host.release);
		return EXIT_DONE;
	}
	if (recover_forget(&set->host, &reason) < 0) {
		log_cannot(set->host.release, "%s", reason.text);
		return EXIT_FAILED;
	}
	log_say("%s is forgotten: its folder is gone", set->host.release);
	return EXIT_DONE;
}

static enum exit_code carry_out(struct set *set, const struct params *params)
{
	const char *release = set->host.release;
	size_t removed = set->plan.removed, restored = set->plan.restored;
	enum exit_code code;

	if (params->dry_run) {
		plan_print(&set->plan);
		return EXIT_DONE;
	}
	code = set_exchange(set, NULL);
	if (code != EXIT_DONE)
		return code;
	log_say("%zu module%s for %s removed", removed, PLURAL(removed), release);
	if (restored)
		log_say("%zu file%s that had been replaced put back", restored,
			PLURAL(restored));
	return EXIT_DONE;
}

static enum exit_code try_once(struct set *set, const struct params *params)
{
	enum exit_code code = set_open(set, params, params->dry_run, true);

	if (code != EXIT_DONE)
		return code;
	if (state_is_empty(&set->state)) {
		log_say("nothing is installed for %s", set->host.release);
		return EXIT_DONE;
	}
	if (set->host.modules_fd < 0)
		return forget(set, params);
	code = hurdles_check(&set->host, NULL, params);
	if (code == EXIT_DONE)
		code = plan_remove(&set->plan, &set->host, &set->state);
	/* All that is left is what cannot be given back yet, as was just said. */
	if (code == EXIT_DONE && !set->state.installed.count && !set->plan.count)
		return EXIT_FAILED;
	return code == EXIT_DONE ? carry_out(set, params) : code;
}

static enum exit_code run(const struct params *params)
{
	_cleanup_set_ struct set set = SET_INIT;
	enum exit_code code = EXIT_FAILED;

	for (int try = 1; try <= SET_TRIES; try++) {
		bool again;

		code = try_once(&set, params);
		again = set.again;
		set_end(&set);
		if (!again)
			return code;
	}
	log_error("somebody else does not stop changing it; try again later");
	return code;
}

static const struct option_spec options[] = {
	OPTION_KERNEL("the release to remove them from; else the running kernel", false),
	OPTION_ROOT,
	OPTION_DRY_RUN,
	{ 0 },
};

const struct verb verb_remove = {
	.name = "remove",
	.changes = true,
	.summary = "take everything out again, and give back what was replaced",
	.options = options,
	.run = run,
};
