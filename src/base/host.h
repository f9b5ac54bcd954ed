/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The system that the modules are for: a root directory and a kernel release in it. Every
 * path stays below the root, even where a link on the way is absolute. A lock keeps two
 * runs from changing one root at the same time.
 */
#pragma once

#include "base/util.h"

/* The longest release of a kernel: uname() has 64 bytes for it and a NUL. */
#define RELEASE_MAX 64

struct host {
	const char *release; /* owned by the caller */
	char *root;	     /* canonical, owned; "/" for the running system */
	char *kernels;	     /* ROOT/lib/modules, canonical, owned */
	char *modules;	     /* ROOT/lib/modules/RELEASE, canonical, owned */
	int kernels_fd;	     /* open descriptors of the two */
	int modules_fd;
	/*
	 * The name of the clone (tree/clone.h), beside the kernel's directory. What has
	 * it belongs to a run in progress, or to one that was interrupted.
	 */
	char clone[sizeof(".wgkmod-") + RELEASE_MAX];
};

/* clang-format off */
#define HOST_INIT { .kernels_fd = -1, .modules_fd = -1 }
/* clang-format on */

/* Return true if @release can be a release: one component of [A-Za-z0-9._+~-]. */
bool host_release_ok(const char *release) _nonnull_all_;

/*
 * Open the directory of @release's modules below @root. Returns 0, or -errno with @reason
 * filled in: -EXDEV when a link leads out of @root, as depmod would follow it. Call
 * host_close() in either case.
 */
int host_open(struct host *host, const char *root, const char *release,
	      struct reason *reason) _checked_;

/*
 * Open the host to change it: as host_open(), and with @kernels_fd locked, so that one
 * process at a time makes changes below a root. If another process has the lock, say so
 * and wait for up to five minutes: then return -EBUSY. Returns -ELOOP also when the
 * kernel's directory itself is a link. After a failure @host still holds what was found
 * until then.
 */
int host_open_locked(struct host *host, const char *root, const char *release,
		     struct reason *reason) _checked_;

/* Return true if @host is the running system, whose kernel is the release @running. */
bool host_is_running(const struct host *host, const char *running) _nonnull_all_;

void host_close(struct host *host);
#define _cleanup_host_ _cleanup_(host_close)

/*
 * Return true if the kernel has openat2(), of Linux 5.6, which everything here and
 * open_beneath() needs.
 */
bool root_works(void) _must_check_;

/*
 * Open @path below the canonical @root as if @root were "/": an absolute link starts at
 * @root, and ".." stops there. If @out is not NULL, *@out is set to the canonical path,
 * which the caller owns. Returns a descriptor that the caller owns, or -errno.
 */
int root_open(const char *root, const char *path, int flags, char **out) _must_check_
	_nonnull_(1, 2);

/*
 * Resolve @path below @root as root_open() does. On success *@out is the canonical path,
 * which the caller owns. Returns 0 or -errno.
 */
int root_resolve(const char *root, const char *path, char **out) _checked_;

/*
 * List the names in the directory @path below @root, sorted. Returns 0 or -errno; call
 * strlist_free() in either case.
 */
int root_list(const char *root, const char *path, struct strlist *names) _checked_;

/*
 * Check that depmod and modprobe, which resolve absolute links from /, would open the
 * same file as root_open() at @path below @root. Returns 0, -EXDEV if it is another one,
 * or -errno if there is none either way.
 */
int root_holds(const char *root, const char *path) _checked_;

/* Return true if a process has locked the directory @fd. */
bool lock_is_taken(int fd);
