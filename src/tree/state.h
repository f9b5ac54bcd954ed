/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What wgkmod installed for a kernel, in that kernel's directory of modules, so that the
 * modules and their state change in the same rename:
 *
 *	.wgkmod/installed		a list, one entry a line:
 *		file DIGEST PATH	a file that wgkmod installed; sorted by path
 *		dir PATH		a directory that was made for them
 *		index NAME		an index of depmod that was there before
 *		kept PATH		a file that was replaced
 *		timestamp N		what the signature of the bundle says
 *					(comment_timestamp()), if it says one
 *		built-for RELEASE	the other kernel that the modules were built for
 *	.wgkmod/kept/PATH.kept		that file: depmod also looks into this directory,
 *					and would list a module that ends with .ko
 *
 * All paths are relative to the kernel's directory. Nothing in the state is trusted when
 * it is read.
 */
#pragma once

#include "base/sha256sums.h"
#include "base/strlist.h"
#include "base/util.h"

#define STATE_DIRECTORY ".wgkmod"
#define STATE_KEPT STATE_DIRECTORY "/kept"

struct state {
	struct sums installed;
	struct strlist directories;
	struct strlist indexes;
	struct strlist kept;
	unsigned long long timestamp; /* 0: not known */
	const char *built_for;	      /* another release, borrowed, or NULL */
};

/* Return true if nothing is installed, and nothing is kept of an earlier install. */
bool state_is_empty(const struct state *state) _checked_;

void state_free(struct state *state);
#define _cleanup_state_ _cleanup_(state_free)

/* What became of a file that the state lists. */
enum state_file {
	STATE_INTACT,
	STATE_CHANGED, /* another digest, or not a regular file */
	STATE_MISSING,
};

/*
 * Read the state in the kernel's directory of @host. Returns 0, or -errno: -ENOENT if
 * there is none, else with @reason, which names the file, filled in: -EBADMSG if it is
 * malformed, if somebody else than root could have written it, or if it names something
 * that is not a path of a module. After a failure @state is empty.
 */
int state_load(struct state *state, const struct host *host,
	       struct reason *reason) _checked_;

/*
 * List the releases below @root whose directory has a state, sorted. Returns 0, or -errno
 * with @reason filled in; call strlist_free() in either case.
 */
int state_list(const char *root, struct strlist *releases,
	       struct reason *reason) _checked_;

/*
 * Write @state into the kernel's directory @fd, which must be a clone. Of an empty state
 * nothing is left. Returns 0 or -errno.
 */
int state_save(const struct state *state, int fd) _checked_;

/* Return the path of the kept file of @path, owned by the caller, or NULL. */
char *state_kept_path(const char *path) _checked_;

/* Return true if the file @path of @host's modules equals the kept file of that path. */
bool state_keeps_same(const struct host *host, const char *path) _checked_;

/*
 * Check the paths of the files that @state lists. Returns 0, or -EBADMSG with @reason
 * filled in.
 */
int state_check_paths(const struct state *state, struct reason *reason) _checked_;

/*
 * Compare the file @path of the modules of @host with @digest. Returns an enum
 * state_file, or -errno with @reason filled in if the file cannot be read.
 */
int state_compare(const struct host *host, const char *path, const unsigned char *digest,
		  struct reason *reason) _checked_;
