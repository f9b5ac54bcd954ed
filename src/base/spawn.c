// SPDX-License-Identifier: GPL-2.0-only
#include "base/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"

/* Longer than any depmod takes; a test compiles in another limit. */
#ifndef SPAWN_SECONDS
#define SPAWN_SECONDS 300
#endif
#define OUTPUT_MAX_BYTES (16UL << 20)

/* The usual PATH of root; the caller's PATH is not trusted. */
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
	int err = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP |
							 POSIX_SPAWN_SETSIGMASK |
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

bool spawn_finds(const char *name)
{
	_cleanup_free_ char *path = find(name);

	return path != NULL;
}

static int start(pid_t *pid, char *const argv[], const posix_spawn_file_actions_t *files)
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
	/* By -ENOEXEC the verbs know modules of another kernel. */
	return err == ENOEXEC ? -EACCES : -err;
}

static int wait_end(pid_t pid, const char *name, struct reason *reason)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return reason_errno_at(reason, -errno, "cannot wait for %s",
					       name);
	if (WIFSIGNALED(status))
		return reason_set(reason, -EIO, "%s was killed by signal %d", name,
				  WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return reason_set(reason, -EIO, "%s failed with status %d", name,
				  WEXITSTATUS(status));
	return 0;
}

void spawn_ending_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGTERM);
}

/* Start @argv with its output going to @output_fd. */
static int start_collected(pid_t *pid, char *const argv[], int keep_fd, int output_fd)
{
	/*
	 * Another descriptor of the same file: dup2() of it to its number keeps that open
	 * in the child.
	 */
	_cleanup_close_ int keep = keep_fd < 0 ? -1 : fcntl(keep_fd, F_DUPFD_CLOEXEC, 0);
	posix_spawn_file_actions_t files;
	int ret;

	if (keep < 0 && keep_fd >= 0)
		return -errno;
	if (posix_spawn_file_actions_init(&files) != 0)
		return -ENOMEM;
	ret = -posix_spawn_file_actions_adddup2(&files, output_fd, STDOUT_FILENO);
	if (ret == 0)
		ret = -posix_spawn_file_actions_adddup2(&files, output_fd, STDERR_FILENO);
	if (ret == 0 && keep >= 0)
		ret = -posix_spawn_file_actions_adddup2(&files, keep, keep_fd);
	if (ret == 0)
		ret = start(pid, argv, &files);
	posix_spawn_file_actions_destroy(&files);
	return ret;
}

/* Append what is there to read. Returns 1, 0 at the end of the output, or -errno. */
static int read_more(int fd, struct buf *out)
{
	char data[4096], *grown;
	ssize_t size = read(fd, data, sizeof(data));

	if (size < 0)
		return errno == EINTR ? 1 : -errno;
	if (size == 0 || out->size >= OUTPUT_MAX_BYTES)
		return size > 0;
	grown = realloc(out->data, out->size + (size_t)size + 1);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + out->size, data, (size_t)size);
	out->data = grown;
	out->size += (size_t)size;
	out->data[out->size] = '\0';
	return 1;
}

static time_t now(void)
{
	struct timespec time = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

/* Read all output of the program @name, until a signal arrives or the time is up. */
static int read_output(int fd, const char *name, struct buf *out, struct reason *reason)
{
	time_t end = now() + SPAWN_SECONDS;
	_cleanup_close_ int signals = -1;
	struct pollfd wait[] = { { fd, POLLIN, 0 }, { -1, POLLIN, 0 } };
	sigset_t ending;
	int ret = 1;

	spawn_ending_signals(&ending);
	signals = signalfd(-1, &ending, SFD_CLOEXEC);
	if (signals < 0)
		return reason_errno(reason, -errno);
	wait[1].fd = signals;
	while (ret > 0) {
		if (poll(wait, ARRAY_SIZE(wait), 1000) < 0) {
			if (errno == EINTR)
				continue;
			return reason_errno(reason, -errno);
		}
		if (wait[1].revents)
			return reason_set(reason, -EINTR, "it was interrupted");
		if (wait[0].revents)
			ret = read_more(fd, out);
		if (ret > 0 && now() >= end)
			return reason_set(reason, -ETIMEDOUT,
					  "%s did not end within %d seconds", name,
					  SPAWN_SECONDS);
	}
	return reason_errno_at(reason, ret, "cannot read the output of %s", name);
}

int spawn_collect(char *const argv[], int keep_fd, struct buf *out, struct reason *reason)
{
	struct reason why = { 0 };
	int output[2], ret, ended;
	pid_t pid = -1;

	out->data = calloc(1, 1);
	if (!out->data)
		return reason_errno(reason, -ENOMEM);
	if (pipe2(output, O_CLOEXEC) < 0)
		return reason_errno(reason, -errno);
	ret = start_collected(&pid, argv, keep_fd, output[1]);
	close(output[1]);
	if (ret < 0) {
		close(output[0]);
		return reason_errno_at(reason, ret, "cannot run %s", argv[0]);
	}
	ret = read_output(output[0], argv[0], out, reason);
	close(output[0]);
	if (ret < 0)
		kill(-pid, SIGKILL);
	ended = wait_end(pid, argv[0], &why);
	if (ret == 0 && ended < 0)
		*reason = why;
	return ret < 0 ? ret : ended;
}
