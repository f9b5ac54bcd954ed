/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What wgkmod installed for a kernel, in the directory ROOT/var/lib/wgkmod/RELEASE:
 *
 *	installed	digests and paths below the modules' directory, as of sha256sum
 *	folders		the directories that were made for them, one a line
 *	indexes		the indexes of depmod that were there before, one a line
 *	replaced/PATH	what was at PATH before, and was replaced
 *
 * Nothing of it is trusted when read. While it changes there are, beside that directory:
 *
 *	.RELEASE.next		the state to come
 *	.RELEASE.journal	which directory of modules it is the state of, by its inode
 *				and, as numbers of inodes are used again, its birth
 *	.RELEASE.base		where depmod finds that directory
 *
 * Once the kernel's directory is the one that the journal names, .RELEASE.next counts.
 */
#pragma once

#include "base/sha256sums.h"
#include "base/strlist.h"
#include "base/util.h"

struct host;
struct reason;

struct state {
	struct sums installed;
	struct strlist directories;
	struct strlist indexes;
	struct strlist kept; /* paths below "replaced" */
};

/* Return true if nothing is installed, and nothing is kept of an earlier install. */
bool state_is_empty(const struct state *state) _must_check_ _nonnull_all_;

void state_free(struct state *state);
#define _cleanup_state_ _cleanup_(state_free)

/* What became of a file that the state lists. */
enum state_file {
	STATE_INTACT,
	STATE_CHANGED, /* another digest, or not a regular file */
	STATE_MISSING,
};

/*
 * Return the path of the directory "replaced", owned by the caller, or NULL without
 * memory.
 */
char *state_kept_directory(const struct host *host) _must_check_ _nonnull_all_;

/*
 * Read the state of the kernel of @host; if nothing is installed, it is empty. Returns 0,
 * or -errno with @reason, which names the file, filled in: -EBADMSG if it is malformed or
 * names something that is not a path of a module.
 */
int state_load(struct state *state, const struct host *host,
	       struct reason *reason) _must_check_ _nonnull_all_;

/*
 * List the releases that have a state below @root, sorted. Returns 0, or -errno with
 * @reason filled in; call strlist_free() in either case.
 */
int state_list(const char *root, struct strlist *releases,
	       struct reason *reason) _must_check_ _nonnull_all_;

/*
 * Open ROOT/var/lib/wgkmod. With @made it is made where it is not there, and @made gets
 * the paths of the directories made where the root has no var/lib. Returns a descriptor the
 * caller owns, or -errno.
 */
int state_open_base(const struct host *host, struct strlist *made) _must_check_
	_nonnull_(1);

/*
 * Whether the journal in @base_fd is of the directory that the kernel has now: 1 or 0, or
 * -errno with @reason filled in, -EBADMSG when it is malformed.
 */
int state_is_pending(const struct host *host, int base_fd,
		     struct reason *reason) _must_check_ _nonnull_all_;

/* Write the journal: @tree_fd is the directory to come. On disk when done. 0 or -errno. */
int state_write_journal(const struct host *host, int base_fd,
			int tree_fd) _must_check_ _nonnull_all_;

/* Whether the file at @path of @host's modules is what its state keeps for that place. */
bool state_keeps_same(const struct host *host,
		      const char *path) _must_check_ _nonnull_all_;

/* Write the lists of @state to the directory @fd. Returns 0 or -errno. */
int state_save(const struct state *state, int fd) _must_check_ _nonnull_all_;

/* ".RELEASE.SUFFIX", or NULL without memory. */
char *state_name(const char *release, const char *suffix) _must_check_ _nonnull_all_;

/*
 * Compare the file @path of the modules of @host with @digest, and set *@found. Returns
 * 0, or -errno with @reason filled in if the file cannot be read.
 */
int state_compare(const struct host *host, const char *path, const unsigned char *digest,
		  enum state_file *found,
		  struct reason *reason) _must_check_ _nonnull_all_;
