/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plan what an install or a removal has to change: compare what is wanted with what is
 * there, and with what wgkmod installed before.
 */
#pragma once

#include "base/util.h"
#include "tree/state.h"

struct payload;
struct payload_file;
struct snapshot;

enum change_kind {
	CHANGE_REMOVE,	/* delete a file that wgkmod installed */
	CHANGE_KEEP,	/* move a foreign file into the state, to restore it later */
	CHANGE_RESTORE, /* move it back */
	CHANGE_WRITE,	/* write a file of the payload */
};

struct change {
	enum change_kind kind;
	const char *path;		 /* owned by the plan or the state */
	const struct payload_file *file; /* for CHANGE_WRITE */
};

struct plan {
	struct change *changes; /* in the order to make them in */
	size_t count;
	size_t removed, kept, restored; /* changes of each kind */
	struct strlist paths;		/* where each file of the payload goes */
};

struct plan_how {
	const char *dir; /* the directory to use instead of kernel/, or NULL */
	bool replace;	 /* keep and replace files in the way, not refuse them */
};

/*
 * Plan an install: compare @payload with the host, of which @tree is a snapshot. Unless
 * @how->replace is set, print each file in the way that wgkmod did not install: one that
 * @state does not list with its digest, or a module of the same name at another place.
 * @tree, @payload and @state must outlive @plan. Prints what is wrong. Returns 0 or
 * -errno: -EEXIST for a file in the way; call plan_free() in either case.
 */
int plan_install(struct plan *plan, const struct host *host, const struct snapshot *tree,
		 const struct payload *payload, const struct state *state,
		 const struct plan_how *how) _checked_;

/*
 * Plan a removal: delete each file of @state that is unchanged since the install, and
 * restore the files that it keeps. Prints each file that was changed since: it stays, and
 * what it had replaced is still kept. Returns as plan_install().
 */
int plan_remove(struct plan *plan, const struct host *host,
		const struct state *state) _checked_;

/*
 * Make the changes in the clone @fd; @made is that of edit_write(). Returns 0, or -errno
 * with *@path set to the path at fault, borrowed.
 */
int plan_carry_out(const struct plan *plan, int fd, struct strlist *made,
		   const char **path) _checked_;

/* Print what plan_carry_out() would do. */
void plan_print(const struct plan *plan) _nonnull_all_;

void plan_free(struct plan *plan);
