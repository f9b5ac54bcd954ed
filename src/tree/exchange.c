// SPDX-License-Identifier: GPL-2.0-only
#include "tree/exchange.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/spawn.h"
#include "fit/providers.h"
#include "tree/clone.h"
#include "tree/depmod.h"
#include "tree/edit.h"
#include "tree/indexes.h"
#include "tree/lookup.h"
#include "tree/state.h"

/*
 * Block the signals that end a run, so that it cleans up after itself: depmod is ended by
 * one, and is_interrupted() finds one before the exchange.
 */
static void hold_signals(sigset_t *before)
{
	sigset_t ending;

	spawn_ending_signals(&ending);
	sigprocmask(SIG_BLOCK, &ending, before);
}

static bool is_interrupted(void)
{
	sigset_t ending, pending;

	spawn_ending_signals(&ending);
	sigpending(&pending);
	sigandset(&pending, &pending, &ending);
	return !sigisemptyset(&pending);
}

/*
 * Try an exchange on two empty directories, before any work that a failure would waste.
 */
static int try_exchange(int fd, struct reason *reason)
{
	int ret = 0;

	if (mkdirat(fd, "a", 0700) < 0 || mkdirat(fd, "b", 0700) < 0)
		return reason_errno(reason, -errno);
	if (renameat2(fd, "a", fd, "b", RENAME_EXCHANGE) < 0)
		ret = reason_errno_at(reason, -errno,
				      "its file system cannot exchange two directories");
	if (unlinkat(fd, "a", AT_REMOVEDIR) < 0 || unlinkat(fd, "b", AT_REMOVEDIR) < 0)
		return ret < 0 ? ret : reason_errno(reason, -errno);
	return ret;
}

static int clone_tree(struct exchange *exchange, struct reason *reason)
{
	const struct host *host = exchange->host;
	int ret;

	if (mkdirat(host->kernels_fd, host->clone, 0700) < 0)
		return reason_errno_at(reason, -errno, "cannot make '%s/%s'",
				       host->kernels, host->clone);
	exchange->tree_fd =
		open_beneath(host->kernels_fd, host->clone, O_RDONLY | O_DIRECTORY);
	if (exchange->tree_fd < 0)
		return reason_errno(reason, exchange->tree_fd);
	ret = try_exchange(exchange->tree_fd, reason);
	if (ret < 0)
		return ret;
	ret = clone_make(exchange->live, host->modules_fd, exchange->tree_fd, indexes_how,
			 reason);
	/* It was deleted after the snapshot. */
	return ret == -ENOENT ? -EAGAIN : ret;
}

int exchange_begin(struct exchange *exchange, const struct host *host,
		   const struct snapshot *live, struct reason *reason)
{
	*exchange = (struct exchange)EXCHANGE_INIT;
	exchange->host = host;
	exchange->live = live;
	hold_signals(&exchange->signals);
	umask(022);
	return clone_tree(exchange, reason);
}

/*
 * The directory for -b of depmod, in the clone: it has lib/modules/RELEASE in it, and
 * usr/lib/modules/RELEASE for a depmod that was built for that, both links to the clone.
 * depmod looks into no directory that is called "build" (should_exclude_dir() of kmod's
 * tools/depmod.c), so it does not go round in circles.
 */
#define BASE STATE_DIRECTORY "/build"

static int make_base(const struct exchange *exchange, char **path)
{
	const struct host *host = exchange->host;
	_cleanup_free_ char *link = strdup_printf(BASE "/lib/modules/%s", host->release);
	int ret;

	*path = strdup_printf("%s/%s/" BASE, host->kernels, host->clone);
	if (!link || !*path)
		return -ENOMEM;
	ret = edit_make_directory(exchange->tree_fd, BASE "/lib/modules");
	if (ret < 0)
		return ret;
	if (symlinkat("../../../..", exchange->tree_fd, link) < 0 ||
	    symlinkat(".", exchange->tree_fd, BASE "/usr") < 0)
		return -errno;
	return 0;
}

static int drop_base(const struct exchange *exchange)
{
	_cleanup_close_ int parent =
		open_beneath(exchange->tree_fd, STATE_DIRECTORY, O_RDONLY | O_DIRECTORY);
	bool gone;
	int ret = parent < 0 ? parent : clone_drop(parent, "build");

	/* Of an empty state nothing is left. */
	return ret < 0 ? ret : edit_prune(exchange->tree_fd, STATE_DIRECTORY, &gone);
}

/* Run depmod, and ask modprobe what it finds by that. */
static int make_indexes(struct exchange *exchange, const struct strlist *ours,
			struct reason *reason)
{
	const struct host *host = exchange->host;
	_cleanup_free_ char *base = NULL;
	int ret = make_base(exchange, &base);

	if (ret < 0)
		return reason_errno_at(reason, ret,
				       "cannot make a base directory for depmod");
	ret = depmod_run(host, base, ours, reason);
	if (ret == 0)
		ret = indexes_check(exchange->live, host->modules_fd, exchange->tree_fd,
				    reason);
	if (ret == 0)
		ret = indexes_list_all(exchange->tree_fd, ours, reason);
	if (ret == 0)
		ret = lookup_check(base, host->release, ours, reason);
	if (ret < 0)
		return ret;
	return reason_errno(reason, drop_base(exchange));
}

int exchange_index(struct exchange *exchange, const struct strlist *ours,
		   const struct strlist *keep, struct reason *reason)
{
	int ret = make_indexes(exchange, ours, reason);

	if (ret < 0)
		return ret;
	ret = keep ? indexes_drop_new(exchange->tree_fd, keep) : 0;
	if (ret < 0)
		return reason_errno(reason, ret);
	ret = snapshot_take(&exchange->made, exchange->tree_fd, reason);
	return ret < 0 ? ret
		       : modules_dep_read_at(exchange->tree_fd, &exchange->dep, reason);
}

/* @what names the step in @reason. */
static int rename_both(const struct host *host, const char *what, struct reason *reason)
{
	if (renameat2(host->kernels_fd, host->clone, host->kernels_fd, host->release,
		      RENAME_EXCHANGE) == 0)
		return 0;
	return reason_errno_at(reason, -errno, "%s", what);
}

/* Check that the directory @fd is as in @before, except for the output of depmod. */
static int look_again(const struct snapshot *before, int fd, struct reason *reason)
{
	_cleanup_snapshot_ struct snapshot now = { 0 };
	int ret = snapshot_take(&now, fd, reason);
	const char *path;

	if (ret < 0)
		return ret;
	path = snapshot_difference(before, &now, indexes_is_output);
	return path ? reason_set(reason, -EAGAIN, "another process is changing it: %s",
				 path)
		    : 0;
}

/* Check that @name is the kernel's directory that was opened. */
static int still_opened(const struct host *host, const char *name, struct reason *reason)
{
	struct stat opened, named;

	if (fstat(host->modules_fd, &opened) < 0 ||
	    fstatat(host->kernels_fd, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return reason_errno(reason, -errno);
	if (opened.st_ino == named.st_ino && opened.st_dev == named.st_dev)
		return 0;
	return reason_set(reason, -EAGAIN, "another process put another directory there");
}

static bool dep_is_ours(const struct exchange *exchange)
{
	_cleanup_buf_ struct buf dep = { 0 };
	struct reason ignored = { 0 };

	return modules_dep_read_at(exchange->tree_fd, &dep, &ignored) == 0 &&
	       dep.size == exchange->dep.size &&
	       !memcmp(dep.data, exchange->dep.data, dep.size);
}

/*
 * Check for changes between the last check and the exchange: they are in the old
 * directory, which has the name of the clone now.
 */
static int look_at_old(const struct exchange *exchange, struct reason *reason)
{
	int ret = still_opened(exchange->host, exchange->host->clone, reason);

	return ret < 0 ? ret
		       : look_again(exchange->live, exchange->host->modules_fd, reason);
}

static int sync_kernels(const struct host *host, struct reason *reason)
{
	return reason_errno(reason, edit_sync(host->kernels_fd));
}

/*
 * Check that nobody interfered with the exchange, also a depmod that began before it:
 * that opens its directory by name at its end, and writes the index of the old one.
 */
static int settle_down(const struct exchange *exchange, struct reason *reason)
{
	int ret = look_at_old(exchange, reason);

	if (ret == 0 && !dep_is_ours(exchange))
		ret = reason_set(reason, -EAGAIN,
				 "another depmod wrote the index of the old directory");
	return ret < 0 ? ret : sync_kernels(exchange->host, reason);
}

int exchange_commit(struct exchange *exchange, struct reason *reason)
{
	struct reason back = { 0 };
	int ret, taken;

	/* Everything that the exchange makes visible is on the disk before it. */
	if (syncfs(exchange->tree_fd) < 0)
		return reason_errno(reason, -errno);
	if (is_interrupted())
		return reason_set(reason, -EINTR, "it was interrupted");
	/* What changes after this look is found after the exchange. */
	ret = look_again(exchange->live, exchange->host->modules_fd, reason);
	if (ret == 0)
		ret = still_opened(exchange->host, exchange->host->release, reason);
	if (ret < 0)
		return ret;
	ret = rename_both(exchange->host, "it cannot be exchanged", reason);
	if (ret < 0)
		return ret;
	exchange->exchanged = true;
	ret = settle_down(exchange, reason);
	if (ret == 0)
		return 0;
	taken = exchange_revert(exchange, &back);
	if (taken == 0)
		return ret;
	*reason = back;
	/* Where the new directory stays, the next try begins with that. */
	return exchange->exchanged ? -EAGAIN : -EIO;
}

/*
 * Rename the old directory to a name that recovery never removes: it holds the only copy
 * of the changes.
 */
static int put_aside(const struct exchange *exchange, struct reason *reason)
{
	const struct host *host = exchange->host;
	_cleanup_free_ char *aside =
		strdup_printf("%s.before-%ld", host->clone, (long)getpid());

	if (!aside)
		return reason_errno(reason, -ENOMEM);
	if (renameat2(host->kernels_fd, host->clone, host->kernels_fd, aside,
		      RENAME_NOREPLACE) < 0)
		return reason_errno(reason, -errno);
	log_error("another process changed the former directory; it is kept as '%s/%s': "
		  "copy those changes back, then run 'depmod %s'",
		  host->kernels, aside, host->release);
	return 0;
}

/* Exchange again, so that the kernel has the old directory. */
static int take_back(struct exchange *exchange, struct reason *reason)
{
	int ret = look_again(&exchange->made, exchange->tree_fd, reason);

	if (ret < 0)
		return ret;
	ret = rename_both(exchange->host, "it cannot be exchanged back", reason);
	if (ret < 0)
		return ret;
	exchange->exchanged = false;
	/* It may have been changed after that look, and would be dropped now. */
	if (look_again(&exchange->made, exchange->tree_fd, reason) < 0)
		ret = put_aside(exchange, reason);
	return ret < 0 ? ret : sync_kernels(exchange->host, reason);
}

int exchange_revert(struct exchange *exchange, struct reason *reason)
{
	int ret = take_back(exchange, reason);

	if (ret < 0 && exchange->exchanged)
		exchange_confirm(exchange);
	return ret;
}

void exchange_confirm(const struct exchange *exchange)
{
	struct reason why = { 0 };

	if (look_at_old(exchange, &why) < 0 && put_aside(exchange, &why) < 0)
		log_failure(exchange->host->modules, "%s", why.text);
}

int exchange_recover(const struct host *host, struct reason *reason)
{
	return reason_errno_at(reason, clone_drop(host->kernels_fd, host->clone),
			       "'%s/%s' cannot be removed", host->kernels, host->clone);
}

bool exchange_is_left(const struct host *host)
{
	return faccessat(host->kernels_fd, host->clone, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void exchange_finish(struct exchange *exchange)
{
	struct reason reason = { 0 };

	if (exchange_recover(exchange->host, &reason) < 0)
		log_error("%s; the next run will do it", reason.text);
	close_fd(&exchange->tree_fd);
	snapshot_free(&exchange->made);
	buf_free(&exchange->dep);
	sigprocmask(SIG_SETMASK, &exchange->signals, NULL);
}
