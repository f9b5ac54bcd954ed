/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The store of bundles below a root: usr/lib/wgkmod/bundles has those of packages, and
 * var/lib/wgkmod/bundles those of 'wgkmod store add'. A bundle for the kernel RELEASE is
 * wireguard-RELEASE.tar there, and its signature wireguard-RELEASE.tar.minisig. Nothing
 * in the store is trusted: who installs a bundle verifies it again.
 */
#pragma once

#include "base/util.h"

#define STORE_PACKAGES "/usr/lib/wgkmod/bundles"
#define STORE_OWN "/var/lib/wgkmod/bundles"

/*
 * Find the bundle for the kernel @release below @root; that of 'store add' comes first.
 * Returns its path, below the canonical @root, which the caller owns, or NULL.
 */
char *store_find(const char *root, const char *release) _checked_;

/*
 * Add the releases of the bundles in the directory @place, one of the two above, to
 * @releases, sorted. Returns 0, also without that directory, or -errno with @reason
 * filled in; call strlist_free() in either case.
 */
int store_list(const char *root, const char *place, struct strlist *releases,
	       struct reason *reason) _checked_;
