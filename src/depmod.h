/* SPDX-License-Identifier: GPL-2.0-only */
/* modules.dep and its kin: making them with depmod, and reading what it made. */
#pragma once

#include <sys/types.h>

#include "util.h"

struct buf;
struct host;
struct reason;

/*
 * Read the host's modules.dep. @out is the caller's, for depmod_next() to cut up.
 * Returns 0, or -errno with @reason filled in.
 */
int depmod_read(const struct host *host, struct buf *out,
		struct reason *reason) _must_check_ _nonnull_(1, 2, 3);

/* The same of the folder @fd. */
int depmod_read_at(int fd, struct buf *out, struct reason *reason) _must_check_
	_nonnull_(2, 3);

/*
 * The next module that modules.dep lists, relative to the modules' folder, and NULL
 * after the last. *@cursor starts at the text, which is changed. Nothing is promised of
 * the path but that it is not empty.
 */
char *depmod_next(char **cursor) _nonnull_(1);

/* One that runs. */
struct depmod {
	pid_t pid;
	int words_fd; /* what it prints */
};

/*
 * Start "depmod -b BASE" for @host's kernel, with the configuration of its root. It
 * inherits the host's lock: should we be killed, nobody gets that before depmod is gone.
 * Returns 0, and then depmod_end() has to follow, or -errno with @reason filled in.
 */
int depmod_start(struct depmod *depmod, const struct host *host, const char *base,
		 struct reason *reason) _must_check_ _nonnull_(1, 2, 3, 4);

/*
 * Pass on what it prints, and wait for its end, once. Returns 0, or -errno with @reason filled
 * in: it failed, or reported an error. What it wrote is another question: it exits with 0
 * having written nothing, for example when it may not.
 */
int depmod_end(const struct depmod *depmod, struct reason *reason) _must_check_
	_nonnull_(1, 2);
