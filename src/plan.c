// SPDX-License-Identifier: GPL-2.0-only
#include "plan.h"

#include <fcntl.h>
#include <string.h>

#include "depmod.h"
#include "file.h"
#include "host.h"
#include "log.h"
#include "module.h"
#include "payload.h"
#include "state.h"

void plan_free(struct plan *plan)
{
	free(plan->changes);
	*plan = (struct plan){ 0 };
}

static void add_change(struct plan *plan, const char *path,
		       const struct payload_file *file)
{
	plan->changes[plan->count++] = (struct change){ .path = path, .file = file };
}

/* Whether @path is free, or ours and as we left it; *@found says which. Else prints. */
static bool is_ours(const struct host *host, const struct sums *state, const char *path,
		    enum state_file *found)
{
	static const unsigned char no_digest[SHA256_BYTES];
	const struct sum *sum = sums_find(state, path);
	struct reason reason;
	int ret =
		state_compare(host, path, sum ? sum->digest : no_digest, found, &reason);

	if (ret < 0) {
		log_cannot(path, "%s", reason.text);
		return false;
	}
	if (*found == STATE_MISSING || (sum && *found == STATE_INTACT))
		return true;
	log_cannot(path, "%s",
		   sum ? "it was changed since wgkmod installed it; move it away first"
		       : "it is there, and not from wgkmod; move it away first");
	return false;
}

static bool plan_files(struct plan *plan, const struct host *host,
		       const struct payload *payload, const struct sums *state)
{
	bool ok = true;

	for (size_t i = 0; i < payload->count; i++) {
		const struct payload_file *file = &payload->files[i];
		const struct sum *sum = sums_find(state, file->path);
		enum state_file found;

		if (!is_ours(host, state, file->path, &found))
			ok = false;
		else if (found == STATE_MISSING || !sum ||
			 memcmp(sum->digest, file->digest, SHA256_BYTES) != 0)
			add_change(plan, file->path, file);
	}
	return ok;
}

static bool in_payload(const struct payload *payload, const char *path)
{
	for (size_t i = 0; i < payload->count; i++)
		if (!strcmp(payload->files[i].path, path))
			return true;
	return false;
}

/* What an earlier set had and this one has not. */
static bool plan_removals(struct plan *plan, const struct host *host,
			  const struct payload *payload, const struct sums *state)
{
	bool ok = true;

	for (size_t i = 0; i < state->count; i++) {
		const char *path = state->entries[i].path;
		enum state_file found;

		if (in_payload(payload, path))
			continue;
		if (!is_ours(host, state, path, &found))
			ok = false;
		else if (found != STATE_MISSING)
			add_change(plan, path, NULL);
	}
	return ok;
}

static bool same_module_elsewhere(const struct payload *payload, const char *path)
{
	_cleanup_free_ char *name = module_name_of(path);

	for (size_t i = 0; name && i < payload->n_modules; i++)
		if (!strcmp(payload->modules[i].name, name))
			return !in_payload(payload, path);
	return false;
}

/* modprobe would take either of two modules of one name, and the kernel only one. */
static bool names_are_free(const struct host *host, const struct payload *payload,
			   const struct sums *state)
{
	_cleanup_buf_ struct buf dep = { 0 };
	struct reason ignored = { 0 };
	char *cursor, *path;
	bool ok = true;

	/* No modules.dep, no other module; depmod will say what is wrong with that. */
	if (depmod_read(host, &dep, &ignored) < 0)
		return true;
	cursor = dep.data;
	while ((path = depmod_next(&cursor))) {
		_cleanup_close_ int fd = -1;

		if (!same_module_elsewhere(payload, path) || sums_find(state, path))
			continue;
		/* modules.dep may be older than the files: is it there? */
		fd = open_beneath(host->modules_fd, path, O_RDONLY);
		if (fd == -ENOENT || fd == -ENOTDIR)
			continue;
		log_cannot(path, "the kernel has this module of the same name already");
		ok = false;
	}
	return ok;
}

bool plan_is_indexed(const struct host *host, const struct payload *payload)
{
	_cleanup_buf_ struct buf dep = { 0 };
	struct reason ignored = { 0 };
	char *cursor, *path;
	size_t listed = 0;

	if (depmod_read(host, &dep, &ignored) < 0)
		return false;
	cursor = dep.data;
	while ((path = depmod_next(&cursor)))
		listed += in_payload(payload, path);
	return listed == payload->count;
}

enum exit_code plan_make(struct plan *plan, const struct host *host,
			 const struct payload *payload, const struct sums *state)
{
	bool ok;

	*plan = (struct plan){ 0 };
	plan->changes = calloc(payload->count + state->count, sizeof(*plan->changes));
	if (!plan->changes) {
		log_error("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	ok = plan_files(plan, host, payload, state);
	ok &= plan_removals(plan, host, payload, state);
	ok &= names_are_free(host, payload, state);
	plan->indexed = plan_is_indexed(host, payload);
	return ok ? EXIT_DONE : EXIT_FAILED;
}
