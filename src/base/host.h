/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The system that modules are for: a root directory and a kernel release in it. Whatever is
 * asked of it stays below the root, also where a link on the way is absolute.
 */
#pragma once

#include "base/util.h"

struct reason;

struct host {
	const char *release; /* owned by the caller */
	char *root;	     /* canonical, owned; "/" for the running system */
	char *kernels;	     /* ROOT/lib/modules, canonical, owned */
	char *modules;	     /* ROOT/lib/modules/RELEASE, canonical, owned */
	int kernels_fd;	     /* both opened */
	int modules_fd;
};

/* clang-format off */
#define HOST_INIT { .kernels_fd = -1, .modules_fd = -1 }
/* clang-format on */

/* Whether @release can be a kernel's: one path component of [A-Za-z0-9._+~-]. */
bool host_release_ok(const char *release) _nonnull_all_;

/*
 * Open the directory of @release's modules below @root. Returns 0, or -errno with @reason
 * filled in; -EXDEV when a link leads out of @root, where depmod would follow it.
 * host_close() either way.
 */
int host_open(struct host *host, const char *root, const char *release,
	      struct reason *reason) _must_check_ _nonnull_all_;

/*
 * The same for who will change the directory: only one does at a time, below one root, and
 * the others wait here (lock.h). The directory @kernels_fd is what is locked. -ELOOP when the kernel's directory itself is a link.
 * In case of failure @host still has what was found until then.
 */
int host_open_locked(struct host *host, const char *root, const char *release,
		     struct reason *reason) _must_check_ _nonnull_all_;

void host_close(struct host *host);
#define _cleanup_host_ _cleanup_(host_close)
