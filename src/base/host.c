// SPDX-License-Identifier: GPL-2.0-only
#include "base/host.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"

bool host_release_ok(const char *release)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+~-";
	size_t len = strlen(release);

	return len > 0 && len <= RELEASE_MAX && release[0] != '.' && release[0] != '-' &&
	       strspn(release, allowed) == len;
}

bool host_is_running(const struct host *host, const char *running)
{
	return !strcmp(host->root, "/") && !strcmp(host->release, running);
}

void host_close(struct host *host)
{
	close_fd(&host->modules_fd);
	close_fd(&host->kernels_fd);
	free(host->root);
	free(host->kernels);
	free(host->modules);
	*host = (struct host)HOST_INIT;
}

/* Resolve @below below the root, which no link may lead out of, and open it as *@fd. */
static int open_directory(const struct host *host, const char *below, char **path,
			  int *fd, struct reason *reason)
{
	_cleanup_free_ char *plain = NULL;
	int ret;

	plain = strdup_printf("%s/%s", strcmp(host->root, "/") ? host->root : "", below);
	if (!plain)
		return reason_errno(reason, -ENOMEM);
	*fd = root_open(host->root, below, O_RDONLY | O_DIRECTORY, path);
	if (*fd < 0)
		return reason_errno_at(reason, *fd, "%s", plain);
	ret = root_holds(host->root, below);
	if (ret == -EXDEV)
		return reason_set(reason, ret, "%s: a link leads out of %s", plain,
				  host->root);
	return ret < 0 ? reason_errno_at(reason, ret, "%s", plain) : 0;
}

static int open_kernels(struct host *host, const char *root, const char *release,
			struct reason *reason)
{
	*host = (struct host)HOST_INIT;
	host->release = release;
	snprintf(host->clone, sizeof(host->clone), ".wgkmod-%s", release);
	host->root = realpath(root, NULL);
	if (!host->root)
		return reason_errno_at(reason, -errno, "%s", root);
	return open_directory(host, "lib/modules", &host->kernels, &host->kernels_fd,
			      reason);
}

static int open_modules(struct host *host, struct reason *reason)
{
	_cleanup_free_ char *below = strdup_printf("lib/modules/%s", host->release);

	if (!below)
		return reason_errno(reason, -ENOMEM);
	return open_directory(host, below, &host->modules, &host->modules_fd, reason);
}

int host_open(struct host *host, const char *root, const char *release,
	      struct reason *reason)
{
	int ret = open_kernels(host, root, release, reason);

	return ret < 0 ? ret : open_modules(host, reason);
}

#define STEP_MS 50
#define MAX_WAIT_MS (5 * 60 * 1000)

/*
 * Lock the directory @fd, called @path, until every copy of the descriptor is closed,
 * here and in the processes that inherited it. The lock is on the directory itself, not
 * on a lock file, so a refused run has written nothing. Anybody who may read the
 * directory can hold the lock: say so, wait, and give up after five minutes.
 */
static int lock_take(int fd, const char *path, struct reason *reason)
{
	static const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	int waited = 0;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return reason_errno_at(reason, -errno, "%s: cannot lock it",
					       path);
		if (waited == MAX_WAIT_MS)
			return reason_set(reason, -EBUSY,
					  "%s: cannot lock it: another process still has "
					  "it locked",
					  path);
		if (waited == 0)
			log_error("waiting for another process, which has '%s' locked",
				  path);
		nanosleep(&step, NULL);
		waited += STEP_MS;
	}
	return 0;
}

int host_open_locked(struct host *host, const char *root, const char *release,
		     struct reason *reason)
{
	struct stat st;
	int ret = open_kernels(host, root, release, reason);

	if (ret == 0)
		ret = lock_take(host->kernels_fd, host->kernels, reason);
	if (ret < 0)
		return ret;
	if (fstatat(host->kernels_fd, release, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		return reason_set(reason, -ELOOP,
				  "%s/%s: it is a symbolic link, which cannot be "
				  "exchanged for a directory",
				  host->kernels, release);
	return open_modules(host, reason);
}

bool root_works(void)
{
	_cleanup_close_ int fd =
		open_resolved(AT_FDCWD, "/", O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT);

	return fd >= 0;
}

/*
 * Return the path of the descriptor @fd, which the caller owns, or NULL with errno set.
 */
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

int root_list(const char *root, const char *path, struct strlist *names)
{
	_cleanup_dir_ DIR *dir =
		list_directory(root_open(root, path, O_RDONLY | O_DIRECTORY, NULL));

	return dir ? read_names(dir, names) : -errno;
}

int root_holds(const char *root, const char *path)
{
	_cleanup_free_ char *plain = NULL;
	_cleanup_free_ char *inside = NULL;
	_cleanup_free_ char *real = NULL;
	int ret = root_resolve(root, path, &inside);

	plain = strdup_printf("%s/%s", root, path);
	if (!plain)
		return -ENOMEM;
	real = realpath(plain, NULL);
	if (!inside && !real)
		return ret;
	return !inside || !real || strcmp(inside, real) != 0 ? -EXDEV : 0;
}

bool lock_is_taken(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK;
	flock(fd, LOCK_UN);
	return false;
}
