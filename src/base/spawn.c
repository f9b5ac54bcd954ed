// SPDX-License-Identifier: GPL-2.0-only
#include "base/spawn.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"

static int usual_signals(posix_spawnattr_t *attr)
{
	sigset_t none, pipe;
	int err = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
							 POSIX_SPAWN_SETSIGDEF);

	sigemptyset(&none);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	if (!err)
		err = posix_spawnattr_setsigmask(attr, &none);
	return err ? err : posix_spawnattr_setsigdefault(attr, &pipe);
}

static int spawn(pid_t *pid, char *const argv[], const posix_spawn_file_actions_t *files,
		 const posix_spawnattr_t *attr)
{
	static const char *const directories[] = { "/usr/sbin", "/sbin" };
	int err = posix_spawnp(pid, argv[0], files, attr, argv, environ);

	for (size_t i = 0; err == ENOENT && i < ARRAY_SIZE(directories); i++) {
		_cleanup_free_ char *path =
			strdup_printf("%s/%s", directories[i], argv[0]);

		err = path ? posix_spawn(pid, path, files, attr, argv, environ) : ENOMEM;
	}
	return err;
}

int spawn_start(pid_t *pid, char *const argv[], const posix_spawn_file_actions_t *files)
{
	posix_spawnattr_t attr;
	int err = posix_spawnattr_init(&attr);

	if (err)
		return -err;
	err = usual_signals(&attr);
	if (!err)
		err = spawn(pid, argv, files, &attr);
	posix_spawnattr_destroy(&attr);
	return -err;
}

int spawn_wait(pid_t pid, const char *name, struct reason *reason)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return reason_set(reason, -errno, "cannot wait for %s: %s", name,
					  strerror(errno));
	if (WIFSIGNALED(status))
		return reason_set(reason, -EIO, "%s was killed by signal %d", name,
				  WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return reason_set(reason, -EIO, "%s failed with status %d", name,
				  WEXITSTATUS(status));
	return 0;
}
