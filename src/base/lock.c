// SPDX-License-Identifier: GPL-2.0-only
#include "base/lock.h"

#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"

#define STEP_MS 50
#define MAX_WAIT_MS (5 * 60 * 1000)

/*
 * Return the process that has locked the inode of @st, or 0 if unknown. A line of
 * /proc/locks is "1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF", or READ
 * (lock_get_status() in the kernel's fs/locks.c).
 */
static int holder(const struct stat *st)
{
	FILE *locks = fopen("/proc/locks", "re");
	_cleanup_free_ char *line = NULL;
	unsigned int major_nr, minor_nr;
	unsigned long long inode;
	size_t room = 0;
	int pid, found = 0;

	while (locks && !found && getline(&line, &room, locks) > 0)
		if (sscanf(line, "%*s FLOCK %*s %*s %d %x:%x:%llu", &pid, &major_nr,
			   &minor_nr, &inode) == 4 &&
		    inode == st->st_ino && major_nr == major(st->st_dev) &&
		    minor_nr == minor(st->st_dev))
			found = pid;
	if (locks)
		fclose(locks);
	return found;
}

/* Describe the holder as "process 12 (dnf)", as far as it is known. */
static char *describe(int fd)
{
	_cleanup_free_ char *path = NULL, *name = NULL;
	struct stat st;
	int pid = fstat(fd, &st) < 0 ? 0 : holder(&st);

	if (pid <= 0)
		return strdup("another process");
	path = strdup_printf("/proc/%d/comm", pid);
	name = path ? read_first_line(path) : NULL;
	return strdup_printf("process %d%s%s%s", pid, name ? " (" : "", name ? name : "",
			     name ? ")" : "");
}

static int wait_for(int fd, const char *path, struct reason *reason)
{
	static const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	_cleanup_free_ char *who = describe(fd);

	if (!who)
		return reason_errno(reason, -ENOMEM);
	log_error("waiting for %s, which has '%s' locked", who, path);
	for (int waited = 0; waited < MAX_WAIT_MS; waited += STEP_MS) {
		nanosleep(&step, NULL);
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return reason_errno(reason, -errno);
	}
	return reason_set(reason, -EWOULDBLOCK, "%s still has it locked", who);
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
