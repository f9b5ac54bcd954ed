// SPDX-License-Identifier: GPL-2.0-only
#include "tree/plan.h"

#include <fcntl.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "bundle/payload.h"
#include "fit/module.h"
#include "fit/providers.h"
#include "tree/edit.h"
#include "tree/snapshot.h"

/* The context of making a plan. */
struct planning {
	struct plan *plan;
	const struct host *host;
	const struct payload *payload; /* NULL for a removal */
	const struct state *state;
	const struct plan_how *how;
	int ret; /* the last error that was printed, or 0 */
};

void plan_free(struct plan *plan)
{
	free(plan->changes);
	strlist_free(&plan->paths);
	*plan = (struct plan){ 0 };
}

static void add_change(struct planning *p, enum change_kind kind, const char *path,
		       const struct payload_file *file)
{
	struct plan *plan = p->plan;
	struct change *grown = grow(plan->changes, plan->count, sizeof(*grown));

	if (!grown) {
		p->ret = -ENOMEM;
		return;
	}
	plan->changes = grown;
	plan->removed += kind == CHANGE_REMOVE;
	plan->kept += kind == CHANGE_KEEP;
	plan->restored += kind == CHANGE_RESTORE;
	grown[plan->count++] = (struct change){ kind, path, file };
}

/*
 * Add the path of a payload file in the kernel's directory: --dir replaces its first
 * component.
 */
static int add_path(struct planning *p, const struct payload_file *file)
{
	const char *dir = p->how->dir ? p->how->dir : "kernel";
	const char *slash = strchr(file->path, '/');
	_cleanup_free_ char *path = strdup_printf("%s%s", dir, slash ? slash : "/");

	return path ? strlist_add(&p->plan->paths, path) : -ENOMEM;
}

/* Compare @path with @digest as state_compare() does, and print an error. */
static int compare(struct planning *p, const char *path, const unsigned char *digest)
{
	struct reason reason = { 0 };
	int found = state_compare(p->host, path, digest, &reason);

	if (found < 0)
		p->ret = log_reason(path, found, &reason);
	return found;
}

/* Find what became of @path. Returns an enum state_file, or -errno after a message. */
static int look_at(struct planning *p, const char *path)
{
	static const unsigned char no_digest[SHA256_BYTES];
	const struct sum *sum = sums_find(&p->state->installed, path);

	return compare(p, path, sum ? sum->digest : no_digest);
}

/* Return the payload's module of the name of @path, or NULL. */
static const struct payload_file *of_name(struct planning *p, const char *path)
{
	_cleanup_free_ char *name = module_name_of(path);

	if (!name)
		p->ret = -ENOMEM;
	for (size_t i = 0; name && p->payload && i < p->payload->n_modules; i++)
		if (!strcmp(name, p->payload->modules[i].name))
			return &p->payload->files[i];
	return NULL;
}

/* Return true if the file @path is, byte for byte, the payload's module of its name. */
static bool is_same(struct planning *p, const char *path)
{
	const struct payload_file *file = of_name(p, path);

	return file && compare(p, path, file->digest) == STATE_INTACT;
}

/* A file is in the way. */
static bool refuse(struct planning *p)
{
	p->ret = -EEXIST;
	return false;
}

/* Keep the foreign file at @path, if that is wanted and possible. */
static bool keep(struct planning *p, const char *path, const char *why)
{
	_cleanup_close_ int fd = -1;

	if (!p->how->replace) {
		log_failure(path, "%s; move it away first, or use --replace", why);
		return refuse(p);
	}
	fd = open_beneath(p->host->modules_fd, path, O_PATH | O_DIRECTORY);
	if (fd >= 0) {
		log_failure(path, "it is a directory; move it away first");
		return refuse(p);
	}
	if (is_same(p, path)) {
		log_info("'%s' is a copy of what is installed, and is not kept", path);
		add_change(p, CHANGE_REMOVE, path, NULL);
		return true;
	}
	/* There is one place to keep it in, and a second original must not be lost. */
	if (strlist_has(&p->state->kept, path) && !state_keeps_same(p->host, path)) {
		log_failure(path,
			    "%s, and an earlier file from there is still kept; move it "
			    "away first",
			    why);
		return refuse(p);
	}
	add_change(p, CHANGE_KEEP, path, NULL);
	return true;
}

static void plan_file(struct planning *p, const char *path,
		      const struct payload_file *file)
{
	const struct sum *sum = sums_find(&p->state->installed, path);
	int found = look_at(p, path);

	if (found < 0)
		return;
	if (found == STATE_INTACT && sum &&
	    !memcmp(sum->digest, file->digest, SHA256_BYTES))
		return;
	if (found == STATE_CHANGED && is_same(p, path)) {
		log_info("'%s' is there already, and counts as installed", path);
		return;
	}
	if (found == STATE_CHANGED &&
	    !keep(p, path,
		  sum ? "it was changed since wgkmod installed it"
		      : "it is there, and not from wgkmod"))
		return;
	add_change(p, CHANGE_WRITE, path, file);
}

/* Plan to delete the installed files that the payload does not have. */
static void plan_removals(struct planning *p)
{
	for (size_t i = 0; i < p->state->installed.count; i++) {
		const char *path = p->state->installed.entries[i].path;
		int found;

		if (strlist_has(&p->plan->paths, path))
			continue;
		found = look_at(p, path);
		if (found == STATE_INTACT) {
			add_change(p, CHANGE_REMOVE, path, NULL);
		} else if (found == STATE_CHANGED && p->payload &&
			   (of_name(p, path) || !p->how->replace)) {
			keep(p, path, "it was changed since wgkmod installed it");
		} else if (found == STATE_CHANGED) {
			log_error("'%s' was changed since wgkmod installed it, and stays",
				  path);
		}
	}
}

/*
 * Plan to restore a kept file if no module of its name is wanted and its place is free.
 */
static void plan_restores(struct planning *p)
{
	for (size_t i = 0; i < p->state->kept.count; i++) {
		const char *path = p->state->kept.items[i];
		int found;

		if (of_name(p, path))
			continue;
		found = look_at(p, path);
		if (found == STATE_MISSING || found == STATE_INTACT)
			add_change(p, CHANGE_RESTORE, path, NULL);
		else if (found == STATE_CHANGED)
			log_error("the file that was replaced at '%s' is still kept: "
				  "move away what is there now, and 'wgkmod remove' puts "
				  "it back",
				  path);
	}
}

/* Return true if depmod would list @path: a module, and in no directory that it skips. */
static bool is_module_file(const char *path)
{
	static const char *const suffixes[] = { ".ko", ".ko.gz", ".ko.xz", ".ko.zst" };
	_cleanup_free_ char *slashed = strdup_printf("/%s", path);

	if (!slashed || strstr(slashed, "/build/") || strstr(slashed, "/source/"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (ends_with(path, suffixes[i]))
			return true;
	return false;
}

/*
 * Find other modules of the same names: modprobe could load either, the kernel only one.
 * Whether an index lists them does not matter, as depmod makes new ones.
 */
static void plan_names(struct planning *p, const struct snapshot *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		const char *path = tree->entries[i].path;

		if (S_ISDIR(tree->entries[i].st.st_mode) || !is_module_file(path) ||
		    !of_name(p, path) || strlist_has(&p->plan->paths, path) ||
		    sums_find(&p->state->installed, path))
			continue;
		keep(p, path, "the kernel has this module of the same name already");
	}
}

/* A directory of modules elsewhere, by "external" of depmod.d, has absolute paths. */
static void plan_external(struct planning *p)
{
	_cleanup_buf_ struct buf dep = { 0 };
	struct reason ignored = { 0 };
	char *cursor, *path;

	/* Without modules.dep there are none; depmod will say what is wrong with it. */
	if (modules_dep_read(p->host, &dep, &ignored) < 0)
		return;
	cursor = dep.data;
	while ((path = modules_dep_next(&cursor))) {
		if (path[0] != '/' || !of_name(p, path))
			continue;
		log_failure(path,
			    "the kernel has this module of the same name already, "
			    "by 'external' in depmod's configuration (depmod.d); "
			    "move it away first, and run 'depmod %s'",
			    p->host->release);
		refuse(p);
	}
}

static int finish(struct planning *p)
{
	return p->ret == -ENOMEM ? log_no_memory() : p->ret;
}

int plan_install(struct plan *plan, const struct host *host, const struct snapshot *tree,
		 const struct payload *payload, const struct state *state,
		 const struct plan_how *how)
{
	struct planning p = { plan, host, payload, state, how, 0 };

	*plan = (struct plan){ 0 };
	for (size_t i = 0; p.ret == 0 && i < payload->count; i++)
		p.ret = add_path(&p, &payload->files[i]);
	if (p.ret < 0)
		return finish(&p);
	plan_removals(&p);
	plan_restores(&p);
	plan_names(&p, tree);
	plan_external(&p);
	for (size_t i = 0; i < payload->count; i++)
		plan_file(&p, plan->paths.items[i], &payload->files[i]);
	return finish(&p);
}

int plan_remove(struct plan *plan, const struct host *host, const struct state *state)
{
	static const struct plan_how how = { 0 };
	struct planning p = { plan, host, NULL, state, &how, 0 };

	*plan = (struct plan){ 0 };
	plan_removals(&p);
	plan_restores(&p);
	return finish(&p);
}

/* Delete the directories that held the files which are not kept any more. */
static int prune_kept(int fd, const char *kept)
{
	_cleanup_free_ char *path = strdup(kept);
	char *slash;

	if (!path)
		return -ENOMEM;
	while ((slash = strrchr(path, '/'))) {
		bool gone;
		int ret;

		*slash = '\0';
		ret = edit_prune(fd, path, &gone);
		if (ret < 0 || !gone)
			return ret;
	}
	return 0;
}

static int make_change(const struct change *change, int fd, struct strlist *made)
{
	_cleanup_free_ char *kept = state_kept_path(change->path);
	int ret;

	if (!kept)
		return -ENOMEM;
	switch (change->kind) {
	case CHANGE_REMOVE:
		return edit_remove(fd, change->path);
	case CHANGE_KEEP:
		return edit_move(fd, change->path, kept);
	case CHANGE_RESTORE:
		ret = edit_move(fd, kept, change->path);
		return ret < 0 ? ret : prune_kept(fd, kept);
	case CHANGE_WRITE:
		return edit_write(fd, change->path, change->file->data.data,
				  change->file->data.size, made);
	}
	return -EINVAL;
}

int plan_carry_out(const struct plan *plan, int fd, struct strlist *made,
		   const char **path)
{
	for (size_t i = 0; i < plan->count; i++) {
		int ret;

		*path = plan->changes[i].path;
		ret = make_change(&plan->changes[i], fd, made);
		if (ret < 0)
			return ret;
	}
	return 0;
}

void plan_print(const struct plan *plan)
{
	static const char *const words[] = {
		[CHANGE_REMOVE] = "remove",
		[CHANGE_KEEP] = "replace, and keep,",
		[CHANGE_RESTORE] = "put back",
		[CHANGE_WRITE] = "write",
	};

	for (size_t i = 0; i < plan->count; i++)
		log_info("would %s '%s'", words[plan->changes[i].kind],
			 plan->changes[i].path);
}
