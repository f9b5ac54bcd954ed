// SPDX-License-Identifier: GPL-2.0-only
#include "base/spawn.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"

/* As root's PATH is: what the caller's names could be anything. */
static const char *const directories[] = { "/usr/local/sbin", "/usr/local/bin",
					   "/usr/sbin",	      "/usr/bin",
					   "/sbin",	      "/bin" };
static char *const environment[] = {
	(char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	(char *)"LC_ALL=C",
	NULL,
};

static int usual_signals(posix_spawnattr_t *attr)
{
	sigset_t none, ignored;
	int err = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
							 POSIX_SPAWN_SETSIGDEF);

	sigemptyset(&none);
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGPIPE);
	sigaddset(&ignored, SIGXFSZ);
	if (!err)
		err = posix_spawnattr_setsigmask(attr, &none);
	return err ? err : posix_spawnattr_setsigdefault(attr, &ignored);
}

/* Return the path of the program @name, which the caller owns, or NULL with errno set. */
static char *find(const char *name)
{
	errno = ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		char *path = strdup_printf("%s/%s", directories[i], name);

		if (!path || access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

int spawn_start(pid_t *pid, char *const argv[], const posix_spawn_file_actions_t *files)
{
	_cleanup_free_ char *path = find(argv[0]);
	posix_spawnattr_t attr;
	int err = path ? posix_spawnattr_init(&attr) : errno;

	if (err)
		return -err;
	err = usual_signals(&attr);
	if (!err)
		err = posix_spawn(pid, path, files, &attr, argv, environment);
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
