// SPDX-License-Identifier: GPL-2.0-only
#include "depmod.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "file.h"
#include "host.h"
#include "log.h"

#define DEP_MAX_BYTES (64UL << 20)

int depmod_read_at(int folder, struct buf *out, struct reason *reason)
{
	_cleanup_close_ int fd = open_beneath(folder, "modules.dep", O_RDONLY);

	return fd < 0 ? reason_errno(reason, fd)
		      : read_fd(fd, DEP_MAX_BYTES, out, reason);
}

int depmod_read(const struct host *host, struct buf *out, struct reason *reason)
{
	struct reason why = { 0 };
	int ret = depmod_read_at(host->modules_fd, out, &why);

	if (ret < 0)
		return reason_set(reason, ret, "%s/modules.dep: %s", host->modules,
				  why.text);
	return 0;
}

char *depmod_next(char **cursor)
{
	while (**cursor) {
		char *line = *cursor;
		size_t len = strcspn(line, "\n");
		char *colon = memchr(line, ':', len);

		*cursor = line + len + (line[len] == '\n');
		if (!colon || colon == line)
			continue;
		*colon = '\0';
		return line;
	}
	return NULL;
}

/* Where it is looked for when PATH, for example that of su, leaves out sbin. */
static int spawn(pid_t *pid, char *const argv[], const posix_spawn_file_actions_t *files,
		 const posix_spawnattr_t *attr)
{
	int err = posix_spawnp(pid, "depmod", files, attr, argv, environ);

	if (err == ENOENT)
		err = posix_spawn(pid, "/usr/sbin/depmod", files, attr, argv, environ);
	if (err == ENOENT)
		err = posix_spawn(pid, "/sbin/depmod", files, attr, argv, environ);
	return -err;
}

static int wait_for(pid_t pid, struct reason *reason)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return reason_errno(reason, -errno);
	if (WIFSIGNALED(status))
		return reason_set(reason, -EIO, "depmod was killed by signal %d",
				  WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return reason_set(reason, -EIO, "depmod failed with status %d",
				  WEXITSTATUS(status));
	return 0;
}

/* Ours wait until we are done. One that hangs may be ended, and we take all back. */
static int let_signals(posix_spawnattr_t *attr)
{
	sigset_t none;
	int err = posix_spawnattr_init(attr);

	sigemptyset(&none);
	if (!err)
		err = posix_spawnattr_setsigmask(attr, &none);
	if (!err)
		err = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK);
	return err;
}

int depmod_run(const char *base, const char *release, int lock_fd, struct reason *reason)
{
	char *const argv[] = { (char *)"depmod", (char *)"-b", (char *)base,
			       (char *)release, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	pid_t pid = -1;
	int ret;

	if (posix_spawn_file_actions_init(&files) != 0)
		return reason_errno(reason, -ENOMEM);
	ret = -let_signals(&attr);
	if (ret < 0) {
		posix_spawn_file_actions_destroy(&files);
		return reason_errno(reason, ret);
	}
	ret = -posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
						O_RDONLY, 0);
	/* Its words are no part of our output: they go with the messages. */
	if (ret == 0)
		ret = -posix_spawn_file_actions_adddup2(&files, STDERR_FILENO,
							STDOUT_FILENO);
	/* Onto itself: that keeps it open. */
	if (ret == 0)
		ret = -posix_spawn_file_actions_adddup2(&files, lock_fd, lock_fd);
	if (ret == 0)
		ret = spawn(&pid, argv, &files, &attr);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	if (ret < 0)
		return reason_set(reason, ret, "cannot run depmod: %s", strerror(-ret));
	return wait_for(pid, reason);
}
