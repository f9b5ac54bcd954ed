/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What wgkmod installed for a kernel: ROOT/var/lib/wgkmod/RELEASE/installed, a list of
 * digests and paths below the modules' folder in the format of sha256sum. It is written
 * last, when all it says is true, and it is not trusted when read.
 */
#pragma once

#include "sums.h"
#include "tree.h"
#include "util.h"

struct host;
struct payload;
struct reason;

/* How a file that the state names is found on the system. */
enum state_file {
	STATE_INTACT,
	STATE_CHANGED, /* another digest, or not a regular file */
	STATE_MISSING,
};

/*
 * Read the state of @host's kernel; nothing installed is a list of none. Returns 0, or
 * -errno with @reason, which names the file, filled in: -EBADMSG when it is malformed or
 * names what is no path of a module.
 */
int state_load(struct sums *state, const struct host *host,
	       struct reason *reason) _must_check_ _nonnull_(1, 2, 3);

/*
 * The releases that there is a state of below @root, sorted. On success *@out is an
 * array that the caller frees, as its strings, with *@count of them. 0, or -errno with
 * @reason filled in.
 */
int state_list(const char *root, char ***out, size_t *count,
	       struct reason *reason) _must_check_ _nonnull_(1, 2, 3, 4);

/* A state being written: @tree for its tree_commit() or tree_undo(). */
struct state_record {
	struct tree tree;
	int fd;	    /* the folder that @tree is of; owned */
	char *path; /* of the file in it; owned */
};

#define STATE_RECORD_INIT \
	{                 \
		.fd = -1  \
	}

/* Write the state of @payload. Returns 0 or -errno; state_record_free() either way. */
int state_write(struct state_record *record, const struct host *host,
		const struct payload *payload) _must_check_ _nonnull_(1, 2, 3);

void state_record_free(struct state_record *record);

/*
 * Compare the file @path of @host's modules with @digest. On success *@found is set.
 * Returns 0, or -errno when it cannot be read, with @reason filled in.
 */
int state_compare(const struct host *host, const char *path, const unsigned char *digest,
		  enum state_file *found, struct reason *reason) _must_check_
	_nonnull_(1, 2, 3, 4, 5);
