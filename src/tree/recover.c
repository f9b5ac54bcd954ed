// SPDX-License-Identifier: GPL-2.0-only
#include "tree/recover.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/host.h"
#include "base/log.h"
#include "tree/clone.h"
#include "tree/edit.h"
#include "tree/state.h"

char *recover_clone_name(const struct host *host)
{
	return strdup_printf(".wgkmod-%s", host->release);
}

/* 1 or 0, or -errno. */
static int is_there(int fd, const char *name)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

/*
 * Put the next state into the place of the last. Each step may have been done already;
 * until the last is, the next one counts where it is.
 */
static int settle_state(int base, const char *release)
{
	_cleanup_free_ char *next = state_name(release, "next");
	_cleanup_free_ char *list = strdup_printf("%s/installed", next ? next : "");
	int ret, any;

	if (!next || !list)
		return -ENOMEM;
	ret = is_there(base, next);
	if (ret <= 0)
		return ret;
	/* Nothing installed is no directory at all. */
	any = is_there(base, list);
	if (any < 0)
		return any;
	ret = clone_drop(base, release);
	if (ret < 0)
		return ret;
	if (!any)
		ret = clone_drop(base, next);
	else if (renameat(base, next, base, release) < 0)
		ret = -errno;
	return ret < 0 ? ret : edit_sync(base);
}

/* Who was killed may not have flushed the exchange, and the state rests on that. */
static int settle_exchange(const struct host *host, int base)
{
	int ret = edit_sync(host->kernels_fd);

	return ret < 0 ? ret : settle_state(base, host->release);
}

static int drop_names(int base, const char *release)
{
	static const char *const suffixes[] = { "next", "base", "journal.new",
						"journal" };
	int first = 0;

	/* The journal last, and only when nothing is left that it tells about. */
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_free_ char *name = state_name(release, suffixes[i]);
		int ret = name ? 0 : -ENOMEM;

		if (ret == 0 && (first == 0 || i + 1 < ARRAY_SIZE(suffixes)))
			ret = clone_drop(base, name);
		if (ret < 0 && first == 0)
			first = ret;
	}
	return first;
}

static int drop_clone(const struct host *host)
{
	_cleanup_free_ char *clone = recover_clone_name(host);

	if (!clone)
		return -ENOMEM;
	return host->kernels_fd < 0 ? 0 : clone_drop(host->kernels_fd, clone);
}

int recover_settle(const struct host *host, struct reason *reason)
{
	_cleanup_close_ int base = state_open_base(host, NULL);
	_cleanup_close_ int above = -1;
	int ret;

	if (base < 0 && base != -ENOENT)
		return reason_set(reason, base, "its state: %s", strerror(-base));
	if (base >= 0) {
		ret = state_is_pending(host, base, reason);
		if (ret < 0)
			return ret;
		if (ret > 0)
			ret = settle_exchange(host, base);
		if (ret < 0)
			return reason_set(reason, ret,
					  "its state could not be put in its "
					  "place: %s",
					  strerror(-ret));
	}
	ret = drop_clone(host);
	if (ret == 0 && base >= 0)
		ret = drop_names(base, host->release);
	if (ret < 0)
		return reason_set(reason, ret,
				  "what an earlier run left could not be "
				  "removed: %s",
				  strerror(-ret));
	/* The directory of all states goes with the last one. */
	above = base < 0 ? -1 : openat(base, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (above >= 0)
		unlinkat(above, "wgkmod", AT_REMOVEDIR);
	return 0;
}

void recover_or_leave(const struct host *host)
{
	struct reason reason = { 0 };

	if (recover_settle(host, &reason) < 0)
		log_error("%s: %s; the next run will do it", host->release, reason.text);
}

/* Its state goes in one step, and what is left of it as that of a killed run does. */
static int forget_state(int base, const char *release)
{
	_cleanup_free_ char *next = state_name(release, "next");
	int ret = next ? clone_drop(base, next) : -ENOMEM;

	if (ret < 0)
		return ret;
	if (renameat(base, release, base, next) < 0)
		return -errno;
	ret = edit_sync(base);
	if (ret < 0 && renameat(base, next, base, release) < 0)
		return -errno;
	return ret;
}

int recover_forget(const struct host *host, struct reason *reason)
{
	_cleanup_close_ int base = state_open_base(host, NULL);
	int ret = base < 0 ? base : forget_state(base, host->release);

	if (ret < 0)
		return reason_set(reason, ret, "its state could not be removed: %s",
				  strerror(-ret));
	recover_or_leave(host);
	return 0;
}

bool recover_is_needed(const struct host *host)
{
	_cleanup_close_ int base = state_open_base(host, NULL);
	_cleanup_free_ char *clone = recover_clone_name(host);
	_cleanup_free_ char *next = state_name(host->release, "next");
	_cleanup_free_ char *journal = state_name(host->release, "journal");

	if (clone && host->kernels_fd >= 0 && is_there(host->kernels_fd, clone) > 0)
		return true;
	return base >= 0 && next && journal &&
	       (is_there(base, next) > 0 || is_there(base, journal) > 0);
}
