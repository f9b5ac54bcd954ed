// SPDX-License-Identifier: GPL-2.0-only
#include "base/root.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"

#define STEP_MS 50
#define MAX_WAIT_MS (5 * 60 * 1000)

bool root_works(void)
{
	_cleanup_close_ int fd =
		open_resolved(AT_FDCWD, "/", O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT);

	return fd >= 0;
}

/* Return the path of the descriptor @fd, which the caller owns, or NULL with errno set. */
static char *path_of(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path));
	return len < 0 ? NULL : strndup(path, (size_t)len);
}

int root_open(const char *root, const char *path, int flags, char **out)
{
	_cleanup_close_ int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;

	if (top < 0)
		return -errno;
	fd = open_resolved(top, path, flags, RESOLVE_IN_ROOT);
	if (fd < 0 || !out)
		return TAKE_FD(fd);
	*out = path_of(fd);
	return *out ? TAKE_FD(fd) : -errno;
}

int root_resolve(const char *root, const char *path, char **out)
{
	_cleanup_close_ int fd = root_open(root, path, O_PATH, out);

	return fd < 0 ? fd : 0;
}

static int wait_for(int fd, const char *path, struct reason *reason)
{
	static const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };

	log_error("waiting for another process, which has '%s' locked", path);
	for (int waited = 0; waited < MAX_WAIT_MS; waited += STEP_MS) {
		nanosleep(&step, NULL);
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return reason_errno(reason, -errno);
	}
	return reason_set(reason, -EWOULDBLOCK, "another process still has it locked");
}

int lock_take(int fd, const char *path, struct reason *reason)
{
	struct reason why = { 0 };
	int ret;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		ret = errno == EWOULDBLOCK ? wait_for(fd, path, &why)
					   : reason_errno(&why, -errno);
		return ret < 0 ? reason_set(reason, ret, "%s: cannot lock it: %s", path,
					    why.text)
			       : 0;
	}
	return 0;
}

bool lock_is_taken(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK;
	flock(fd, LOCK_UN);
	return false;
}
