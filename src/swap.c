// SPDX-License-Identifier: GPL-2.0-only
#include "swap.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "carry.h"
#include "clone.h"
#include "depmod.h"
#include "file.h"
#include "host.h"
#include "indexes.h"
#include "log.h"
#include "others.h"
#include "recover.h"
#include "state.h"
#include "tree.h"

/* Nobody's ^C may come between the first write and the last. */
static void hold_signals(sigset_t *before)
{
	sigset_t all;

	sigemptyset(&all);
	sigaddset(&all, SIGHUP);
	sigaddset(&all, SIGINT);
	sigaddset(&all, SIGQUIT);
	sigaddset(&all, SIGTERM);
	sigprocmask(SIG_BLOCK, &all, before);
}

static int make_private(int parent, const char *name, mode_t mode)
{
	int fd;

	if (mkdirat(parent, name, mode) < 0)
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* With two empty folders, before anything is done that would be in vain. */
static int try_exchange(int fd, struct reason *reason)
{
	int ret = 0;

	if (mkdirat(fd, "a", 0700) < 0 || mkdirat(fd, "b", 0700) < 0)
		return reason_errno(reason, -errno);
	if (renameat2(fd, "a", fd, "b", RENAME_EXCHANGE) < 0)
		ret = reason_set(reason, -errno,
				 "its file system cannot exchange two folders: %s",
				 strerror(errno));
	if (unlinkat(fd, "a", AT_REMOVEDIR) < 0 || unlinkat(fd, "b", AT_REMOVEDIR) < 0)
		return ret < 0 ? ret : reason_errno(reason, -errno);
	return ret;
}

static int clone_tree(struct swap *swap, struct reason *reason)
{
	const struct host *host = swap->host;
	_cleanup_free_ char *name = recover_clone_name(host);
	int ret;

	if (!name)
		return reason_errno(reason, -ENOMEM);
	ret = snapshot_take(&swap->live, host->modules_fd, reason);
	if (ret < 0)
		return ret;
	swap->tree_fd = make_private(host->kernels_fd, name, 0700);
	if (swap->tree_fd < 0)
		return reason_set(reason, swap->tree_fd, "cannot make '%s/%s': %s",
				  host->kernels, name, strerror(-swap->tree_fd));
	ret = try_exchange(swap->tree_fd, reason);
	if (ret < 0)
		return ret;
	ret = clone_make(&swap->live, host->modules_fd, swap->tree_fd, indexes_how,
			 reason);
	/* Gone since the snapshot. */
	return ret == -ENOENT ? -EAGAIN : ret;
}

static int clone_state(struct swap *swap, struct reason *reason)
{
	_cleanup_free_ char *name = state_name(swap->host->release, "next");
	_cleanup_snapshot_ struct snapshot snap = { 0 };
	_cleanup_close_ int old = -1;
	int ret;

	if (!name)
		return reason_errno(reason, -ENOMEM);
	swap->base_fd = state_open_base(swap->host, &swap->made_folders);
	if (swap->base_fd < 0)
		return reason_errno(reason, swap->base_fd);
	swap->state_fd = make_private(swap->base_fd, name, 0755);
	if (swap->state_fd < 0)
		return reason_errno(reason, swap->state_fd);
	old = open_beneath(swap->base_fd, swap->host->release, O_RDONLY | O_DIRECTORY);
	if (old == -ENOENT)
		return 0;
	if (old < 0)
		return reason_errno(reason, old);
	ret = snapshot_take(&snap, old, reason);
	if (ret < 0)
		return ret;
	return clone_make(&snap, old, swap->state_fd, NULL, reason);
}

int swap_begin(struct swap *swap, const struct host *host, struct reason *reason)
{
	struct reason why = { 0 };
	int ret;

	*swap = (struct swap)SWAP_INIT;
	swap->host = host;
	hold_signals(&swap->signals);
	umask(022);
	ret = clone_state(swap, &why);
	if (ret < 0)
		return reason_set(reason, ret, "its state cannot be written: %s",
				  why.text);
	return clone_tree(swap, reason);
}

/*
 * What depmod's -b wants: a folder with lib/modules/RELEASE in it, or usr/lib/modules
 * where it was built for that.
 */
static int make_base(const struct swap *swap, char **path)
{
	const struct host *host = swap->host;
	_cleanup_free_ char *base = state_name(host->release, "base");
	_cleanup_free_ char *clone = recover_clone_name(host);
	_cleanup_free_ char *target =
		text_printf("%s/%s", host->kernels, clone ? clone : "");
	_cleanup_free_ char *modules = NULL, *usr = NULL, *link = NULL, *self = NULL;
	int ret;

	modules = text_printf("%s/lib/modules", base ? base : "");
	usr = text_printf("%s/usr", base ? base : "");
	link = text_printf("%s/%s", modules ? modules : "", host->release);
	self = text_printf("/proc/self/fd/%d/%s", swap->base_fd, base ? base : "");
	if (!base || !clone || !target || !modules || !usr || !link || !self)
		return -ENOMEM;
	if (mkdirat(swap->base_fd, base, 0700) < 0)
		return -errno;
	ret = tree_make_folder(swap->base_fd, modules, NULL);
	if (ret < 0)
		return ret;
	if (symlinkat(".", swap->base_fd, usr) < 0 ||
	    symlinkat(target, swap->base_fd, link) < 0)
		return -errno;
	*path = realpath(self, NULL);
	return *path ? 0 : -errno;
}

/* What does not have to wait for depmod, which writes into the folder itself alone. */
static int look_and_flush(struct swap *swap, struct reason *reason)
{
	int ret = snapshot_take(&swap->made, swap->tree_fd, reason);

	if (ret == 0 && syncfs(swap->tree_fd) < 0)
		ret = reason_errno(reason, -errno);
	return ret;
}

static int run_depmod(struct swap *swap, const char *base, struct reason *reason)
{
	struct reason why = { 0 };
	struct depmod depmod;
	int ret = depmod_start(&depmod, swap->host, base, reason), meanwhile;

	if (ret < 0)
		return ret;
	meanwhile = look_and_flush(swap, &why);
	ret = depmod_end(&depmod, reason);
	if (ret < 0)
		return ret;
	if (meanwhile < 0) {
		*reason = why;
		return meanwhile;
	}
	return snapshot_renew(&swap->made, swap->tree_fd, reason);
}

int swap_index(struct swap *swap, struct reason *reason)
{
	_cleanup_free_ char *base = NULL;
	int ret = make_base(swap, &base);

	if (ret < 0)
		return reason_set(reason, ret, "no place for depmod: %s", strerror(-ret));
	ret = run_depmod(swap, base, reason);
	if (ret == 0)
		ret = indexes_check(&swap->live, &swap->made, swap->host->modules_fd,
				    swap->tree_fd, reason);
	return ret < 0 ? ret : depmod_read_at(swap->tree_fd, &swap->dep, reason);
}

/* Everything the exchange makes visible is on disk before it. */
static int flush(struct swap *swap)
{
	struct stat tree, state;

	if (fstat(swap->tree_fd, &tree) < 0 || fstat(swap->state_fd, &state) < 0)
		return -errno;
	if (syncfs(swap->tree_fd) < 0)
		return -errno;
	if (tree.st_dev != state.st_dev && syncfs(swap->state_fd) < 0)
		return -errno;
	return state_write_journal(swap->host, swap->base_fd, swap->tree_fd);
}

static int rename_both(const struct host *host)
{
	_cleanup_free_ char *clone = recover_clone_name(host);

	if (!clone)
		return -ENOMEM;
	return renameat2(host->kernels_fd, clone, host->kernels_fd, host->release,
			 RENAME_EXCHANGE) < 0
		       ? -errno
		       : 0;
}

static int say_changed(const char *path, struct reason *reason)
{
	return path ? reason_set(reason, -EAGAIN, "somebody else is changing it: %s",
				 path)
		    : 0;
}

/* Whether the folder @fd still is as in @before, but for what depmod makes. */
static int look_again(const struct snapshot *before, int fd, struct reason *reason)
{
	_cleanup_snapshot_ struct snapshot now = { 0 };
	int ret = snapshot_take(&now, fd, reason);

	return ret < 0 ? ret
		       : say_changed(snapshot_difference(before, &now, indexes_is_output),
				     reason);
}

/* What has this name must be the kernel's folder that was opened, and not another one. */
static int still_opened(const struct host *host, const char *name, struct reason *reason)
{
	struct stat opened, named;

	if (fstat(host->modules_fd, &opened) < 0 ||
	    fstatat(host->kernels_fd, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return reason_errno(reason, -errno);
	if (opened.st_ino == named.st_ino && opened.st_dev == named.st_dev)
		return 0;
	return reason_set(reason, -EAGAIN, "somebody else put another folder there");
}

static bool dep_is_ours(const struct swap *swap)
{
	_cleanup_buf_ struct buf dep = { 0 };
	struct reason ignored = { 0 };

	return depmod_read_at(swap->tree_fd, &dep, &ignored) == 0 &&
	       dep.size == swap->dep.size && !memcmp(dep.data, swap->dep.data, dep.size);
}

/*
 * A depmod that began before the exchange and ends after it writes what was. Once more,
 * as the next one may have made that good. *@others is how many there were.
 */
static int let_others_end(const struct swap *swap, size_t *others, struct reason *reason)
{
	*others = 0;
	for (int i = 0; i < 2; i++) {
		*others += others_wait(swap->host);
		if (dep_is_ours(swap))
			return 0;
	}
	return reason_set(reason, -EAGAIN, "another depmod wrote what was there before");
}

/* What has the clone's name now must be the old folder. */
static int old_is_opened(const struct swap *swap, struct reason *reason)
{
	_cleanup_free_ char *clone = recover_clone_name(swap->host);

	return clone ? still_opened(swap->host, clone, reason)
		     : reason_errno(reason, -ENOMEM);
}

/* What came between the last look and the exchange is in the old folder now. */
static int look_at_old(const struct swap *swap, struct reason *reason)
{
	int ret = old_is_opened(swap, reason);

	return ret < 0 ? ret : look_again(&swap->live, swap->host->modules_fd, reason);
}

/* The old folder and the new one are as they have to be, and nobody is at work in them. */
static int settle_down(const struct swap *swap, struct reason *reason)
{
	size_t others;
	int ret = look_at_old(swap, reason);

	if (ret == 0)
		ret = let_others_end(swap, &others, reason);
	/* That may have taken a minute. */
	if (ret == 0 && others)
		ret = look_at_old(swap, reason);
	if (ret < 0)
		return ret;
	ret = tree_flush(swap->host->kernels_fd);
	return ret < 0 ? reason_errno(reason, ret) : 0;
}

int swap_exchange(struct swap *swap, struct reason *reason)
{
	struct reason back = { 0 };
	int ret = flush(swap), taken;

	if (ret < 0)
		return reason_errno(reason, ret);
	/* A quick look, as what it misses is found when the folders are exchanged. */
	ret = say_changed(snapshot_changed(&swap->live, swap->host->modules_fd), reason);
	if (ret == 0)
		ret = still_opened(swap->host, swap->host->release, reason);
	if (ret < 0)
		return ret;
	ret = rename_both(swap->host);
	if (ret < 0)
		return reason_set(reason, ret, "it cannot be exchanged: %s",
				  strerror(-ret));
	swap->exchanged = true;
	ret = settle_down(swap, reason);
	if (ret == 0)
		return 0;
	taken = swap_back(swap, &back);
	if (taken == 0)
		return ret;
	*reason = back;
	/* Where the new folder stays, all is looked at anew, from there. */
	return swap->exchanged ? -EAGAIN : -EIO;
}

/* The folder under the kernel's name has to be the old one again. */
static int take_back(struct swap *swap, struct reason *reason)
{
	struct reason ignored = { 0 };
	int ret = look_again(&swap->made, swap->tree_fd, reason);

	if (ret < 0)
		return ret;
	ret = rename_both(swap->host);
	if (ret < 0)
		return reason_set(reason, ret, "it cannot be taken back: %s",
				  strerror(-ret));
	/* What came after that look is in the folder that would be dropped now. */
	if (look_again(&swap->made, swap->tree_fd, &ignored) < 0 &&
	    rename_both(swap->host) == 0) {
		*reason = ignored;
		return -EAGAIN;
	}
	swap->exchanged = false;
	ret = tree_flush(swap->host->kernels_fd);
	return ret < 0 ? reason_errno(reason, ret) : 0;
}

/* A name that no run cleans up, for a folder that has what nothing else has. */
static int put_aside(const struct swap *swap, struct reason *reason)
{
	const struct host *host = swap->host;
	_cleanup_free_ char *clone = recover_clone_name(host);
	_cleanup_free_ char *aside =
		text_printf(".wgkmod-%s.before-%ld", host->release, (long)getpid());

	if (!clone || !aside)
		return reason_errno(reason, -ENOMEM);
	if (renameat2(host->kernels_fd, clone, host->kernels_fd, aside,
		      RENAME_NOREPLACE) < 0)
		return reason_errno(reason, -errno);
	log_error("what somebody else changed meanwhile is in '%s/%s'", host->kernels,
		  aside);
	return 0;
}

static int carry(const struct swap *swap, struct reason *reason)
{
	int ret = old_is_opened(swap, reason);

	return ret < 0 ? ret
		       : carry_changes(&swap->live, swap->host->modules_fd, &swap->made,
				       swap->tree_fd, indexes_is_output, reason);
}

/*
 * The new folder stays, and the old one would be dropped: what somebody else did there
 * between the last look and the exchange is done in the new one as well.
 */
static void keep_changes(struct swap *swap)
{
	const struct host *host = swap->host;
	struct reason why = { 0 };
	int ret = carry(swap, &why);

	if (ret > 0)
		log_error("%s: what somebody else changed is in the new folder, and in "
			  "no index: run depmod",
			  host->modules);
	if (ret >= 0)
		return;
	log_cannot(host->modules, "%s", why.text);
	if (put_aside(swap, &why) < 0)
		log_cannot(host->modules, "%s", why.text);
}

int swap_back(struct swap *swap, struct reason *reason)
{
	int ret = take_back(swap, reason);

	if (ret < 0 && swap->exchanged)
		keep_changes(swap);
	return ret;
}

void swap_keep(struct swap *swap)
{
	struct reason why = { 0 };

	if (look_at_old(swap, &why) < 0 && put_aside(swap, &why) < 0)
		log_cannot(swap->host->modules, "%s", why.text);
}

static void prune_made(struct swap *swap)
{
	_cleanup_close_ int root =
		open(swap->host->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool gone;

	if (swap->exchanged || root < 0)
		return;
	while (swap->made_folders.count > 0) {
		const char *path = swap->made_folders.items[swap->made_folders.count - 1];

		if (tree_prune(root, path, &gone) < 0)
			return;
		names_drop(&swap->made_folders, swap->made_folders.count - 1);
	}
}

void swap_end(struct swap *swap)
{
	recover_or_leave(swap->host);
	prune_made(swap);
	close_fd(&swap->base_fd);
	close_fd(&swap->tree_fd);
	close_fd(&swap->state_fd);
	snapshot_free(&swap->live);
	snapshot_free(&swap->made);
	names_free(&swap->made_folders);
	buf_free(&swap->dep);
	sigprocmask(SIG_SETMASK, &swap->signals, NULL);
}
