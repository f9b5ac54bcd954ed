// SPDX-License-Identifier: GPL-2.0-only
#include "tree/old_state.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "tree/clone.h"
#include "tree/edit.h"
#include "tree/snapshot.h"
#include "tree/state.h"

#define STATE_MAX_BYTES (1UL << 20)
#define OLD_BASE "var/lib"
#define OLD_DIRECTORY "wgkmod"

/* Links are followed up to ROOT/var/lib, which the system owns, and not below it. */
static int open_base(const char *root)
{
	_cleanup_close_ int above =
		root_open(root, OLD_BASE, O_RDONLY | O_DIRECTORY, NULL);

	if (above < 0)
		return above == -ENOTDIR ? -ENOENT : above;
	return open_beneath(above, OLD_DIRECTORY, O_RDONLY | O_DIRECTORY);
}

static int load_sums(struct state *state, int directory, struct reason *why)
{
	struct buf file = { 0 };
	int ret = read_beneath(directory, "installed", STATE_MAX_BYTES, &file, why);

	if (ret < 0)
		return ret;
	ret = sums_parse(&state->installed, file.data, file.size, why);
	return ret < 0 ? ret : state_check_paths(state, why);
}

/* A line_fn: @arg is the list that gets the path. */
static int add_name(char *line, void *arg, struct reason *why)
{
	if (!sums_is_path(line))
		return reason_set(why, -EBADMSG, "'%s' is not a path below a directory",
				  line);
	return reason_errno(why, strlist_add(arg, line));
}

static int load_names(struct strlist *names, int directory, const char *name,
		      struct reason *why)
{
	_cleanup_buf_ struct buf file = { 0 };
	int ret = read_beneath(directory, name, STATE_MAX_BYTES, &file, why);

	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	return each_line(file.data, file.size, add_name, names, why);
}

static int load_kept(struct strlist *kept, int directory, struct reason *why)
{
	_cleanup_snapshot_ struct snapshot snap = { 0 };
	_cleanup_close_ int fd =
		open_beneath(directory, "replaced", O_RDONLY | O_DIRECTORY);
	int ret;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return reason_errno(why, fd);
	ret = snapshot_take(&snap, fd, why);
	for (size_t i = 0; ret == 0 && i < snap.count; i++)
		if (!S_ISDIR(snap.entries[i].st.st_mode) &&
		    strlist_add(kept, snap.entries[i].path) < 0)
			ret = reason_errno(why, -ENOMEM);
	return ret;
}

/* *@what is the file that something is wrong with. */
static int load_directory(struct state *state, int directory, const char **what,
			  struct reason *why)
{
	int ret = check_guarded(directory, why);

	if (ret < 0)
		return ret;
	*what = "/installed";
	ret = load_sums(state, directory, why);
	if (ret < 0)
		return ret;
	*what = "/folders";
	ret = load_names(&state->directories, directory, "folders", why);
	if (ret < 0)
		return ret;
	*what = "/indexes";
	ret = load_names(&state->indexes, directory, "indexes", why);
	if (ret < 0)
		return ret;
	if (!strlist_has(&state->indexes, "modules.dep"))
		return reason_set(why, -EBADMSG, "it does not name modules.dep");
	*what = "/replaced";
	return load_kept(&state->kept, directory, why);
}

/* A run of an earlier version that was interrupted: only that version can end it. */
static int refuse_unfinished(const struct host *host, int base, struct reason *why)
{
	_cleanup_free_ char *journal = strdup_printf(".%s.journal", host->release);

	if (!journal)
		return reason_errno(why, -ENOMEM);
	if (faccessat(base, journal, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return reason_set(why, -EBADMSG,
				  "a run of an earlier version was interrupted: let "
				  "'remove' of that version finish it");
	return errno == ENOENT ? 0 : reason_errno(why, -errno);
}

/* Open the old state of @host. Returns -ENOENT if there is none. */
static int open_old(const struct host *host, int base, struct reason *why)
{
	int ret = base < 0 ? reason_errno(why, base) : refuse_unfinished(host, base, why);

	if (ret < 0)
		return ret;
	ret = open_beneath(base, host->release, O_RDONLY | O_DIRECTORY);
	return reason_errno(why, ret);
}

/* Read the old state, and open its directory as *@directory; -ENOENT if there is none. */
static int load_old(struct state *state, const struct host *host, int base,
		    int *directory, struct reason *reason)
{
	struct reason why = { 0 };
	const char *what = "";
	int ret = open_old(host, base, &why);

	if (ret == -ENOENT)
		return ret;
	if (ret >= 0) {
		*directory = ret;
		ret = load_directory(state, *directory, &what, &why);
	}
	if (ret == 0)
		return 0;
	state_free(state);
	return reason_set(reason, is_system_error(ret) ? ret : -EBADMSG,
			  "%s/" OLD_BASE "/" OLD_DIRECTORY "/%s%s: %s",
			  strcmp(host->root, "/") ? host->root : "", host->release, what,
			  why.text);
}

int state_load_anywhere(struct state *state, const struct host *host,
			struct reason *reason)
{
	_cleanup_close_ int base = -1, directory = -1;
	int ret = state_load(state, host, reason);

	if (ret != -ENOENT)
		return ret;
	base = open_base(host->root);
	ret = load_old(state, host, base, &directory, reason);
	return ret == -ENOENT ? 0 : ret;
}

int old_state_list(const char *root, struct strlist *releases, struct reason *reason)
{
	_cleanup_free_ char *real = realpath(root, NULL);
	_cleanup_dir_ DIR *dir = list_directory(real ? open_base(real) : -errno);
	const struct dirent *entry;
	int ret;

	if (!dir && real && errno == ENOENT)
		return 0;
	while (dir && (entry = next_entry(dir)))
		if (host_release_ok(entry->d_name) &&
		    !strlist_has(releases, entry->d_name) &&
		    strlist_add(releases, entry->d_name) < 0)
			return reason_errno(reason, -ENOMEM);
	ret = -errno;
	strlist_sort(releases);
	return reason_errno_at(reason, ret, "its " OLD_BASE "/" OLD_DIRECTORY);
}

/* Make the directory of the state in the clone's place, which recovery drops. */
static int copy_state(const struct state *state, int old, int fd)
{
	int ret = state_save(state, fd);

	for (size_t i = 0; ret == 0 && i < state->kept.count; i++) {
		const char *path = state->kept.items[i];
		_cleanup_free_ char *from = strdup_printf("replaced/%s", path);
		_cleanup_free_ char *to = state_kept_path(path);

		ret = from && to ? edit_copy(old, from, fd, to) : -ENOMEM;
	}
	return ret;
}

static int move_state(const struct host *host, const struct state *state, int old)
{
	_cleanup_close_ int fd = -1;
	int ret;

	if (mkdirat(host->kernels_fd, host->clone, 0700) < 0)
		return -errno;
	fd = open_beneath(host->kernels_fd, host->clone, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	ret = copy_state(state, old, fd);
	if (ret == 0 &&
	    (syncfs(fd) < 0 || renameat2(fd, STATE_DIRECTORY, host->modules_fd,
					 STATE_DIRECTORY, RENAME_NOREPLACE) < 0))
		ret = -errno;
	if (ret == 0)
		ret = edit_sync(host->modules_fd);
	return ret < 0 ? ret : clone_drop(host->kernels_fd, host->clone);
}

/* Remove the old state in one step, and then what is left of it and of earlier runs. */
static int drop_old(const struct host *host, int base)
{
	static const char *const suffixes[] = { "next", "base", "journal.new" };
	_cleanup_free_ char *next = strdup_printf(".%s.next", host->release);
	_cleanup_close_ int above = -1;
	int ret = next ? clone_drop(base, next) : -ENOMEM;

	if (ret < 0)
		return ret;
	if (renameat(base, host->release, base, next) < 0 && errno != ENOENT)
		return -errno;
	ret = edit_sync(base);
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_free_ char *name =
			strdup_printf(".%s.%s", host->release, suffixes[i]);

		ret = name ? clone_drop(base, name) : -ENOMEM;
	}
	/* The directory of all states goes with the last one. */
	above = openat(base, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret == 0 && above >= 0)
		unlinkat(above, OLD_DIRECTORY, AT_REMOVEDIR);
	return ret;
}

int old_state_take_over(const struct host *host, struct reason *reason)
{
	_cleanup_close_ int base = open_base(host->root), directory = -1;
	_cleanup_state_ struct state state = { 0 };
	int ret = 0;

	if (base == -ENOENT)
		return 0;
	if (faccessat(host->modules_fd, STATE_DIRECTORY, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
		ret = load_old(&state, host, base, &directory, reason);
		if (ret < 0 && ret != -ENOENT)
			return ret;
		ret = ret == 0 ? move_state(host, &state, directory) : 0;
	}
	if (ret == 0)
		ret = drop_old(host, base);
	return reason_errno_at(reason, ret,
			       "its state in %s/" OLD_BASE "/" OLD_DIRECTORY
			       " cannot be moved into its directory",
			       strcmp(host->root, "/") ? host->root : "");
}
