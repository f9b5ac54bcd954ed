/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an install or a removal has to change: what is wanted, against what is there and
 * whose it is.
 */
#pragma once

#include "base/util.h"
#include "tree/state.h"

struct host;
struct payload;
struct payload_file;

enum change_kind {
	CHANGE_REMOVE,	/* a file of ours */
	CHANGE_KEEP,	/* one that is not ours: into the state, for later */
	CHANGE_RESTORE, /* and back again */
	CHANGE_WRITE,
};

struct change {
	enum change_kind kind;
	const char *path;		 /* owned by the plan or the state */
	const struct payload_file *file; /* of CHANGE_WRITE */
};

struct plan {
	struct change *changes; /* in the order in which they are to be made */
	size_t count;
	size_t room;
	size_t removed, kept, restored; /* how many of them are of those kinds */
	struct strlist paths;		/* where each file of the payload belongs */
	struct strlist others;		/* of the same names, elsewhere */
	bool indexed;			/* modules.dep lists every one of them already */
};

struct plan_how {
	const char *dir; /* the directory that stands for kernel/; NULL: that */
	bool replace;	 /* what is in the way is kept and replaced, not refused */
};

/*
 * For an install: compare @payload with the host. Without @how->replace, prints each file
 * in the way that is not ours: one that the @state does not have with its digest, or
 * another module of the same name that the kernel has at another place. Returns EXIT_DONE
 * or EXIT_FAILED. plan_free() either way; @payload and @state must live as long.
 */
enum exit_code plan_install(struct plan *plan, const struct host *host,
			    const struct payload *payload, const struct state *state,
			    const struct plan_how *how) _must_check_ _nonnull_all_;

/*
 * For a removal: all of @state that is as we left it goes, and what it keeps comes back.
 * Prints what was changed since, which stays; what it had replaced is kept on.
 */
enum exit_code plan_remove(struct plan *plan, const struct host *host,
			   const struct state *state) _must_check_ _nonnull_all_;

/* Make the changes in the directories of @tree_fd and @state_fd; @made as edit_write(). 0 or
 * -errno, with *@path, borrowed, what it is of. */
int plan_carry_out(const struct plan *plan, int tree_fd, int state_fd,
		   struct strlist *made, const char **path) _must_check_ _nonnull_all_;

/* Print what plan_carry_out() would do. */
void plan_print(const struct plan *plan) _nonnull_all_;

/* Whether the modules.dep of the directory @fd lists every module of the payload. */
bool plan_is_indexed(const struct plan *plan, int fd) _must_check_ _nonnull_all_;

void plan_free(struct plan *plan);
#define _cleanup_plan_ _cleanup_(plan_free)
