// SPDX-License-Identifier: GPL-2.0-only
#include "base/host.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/root.h"

bool host_release_ok(const char *release)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+~-";
	size_t len = strlen(release);

	return len > 0 && len < 65 && release[0] != '.' && release[0] != '-' &&
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
	_cleanup_free_ char *plain = NULL, *real = NULL;

	plain = strdup_printf("%s/%s", strcmp(host->root, "/") ? host->root : "", below);
	if (!plain)
		return reason_errno(reason, -ENOMEM);
	*fd = root_open(host->root, below, O_RDONLY | O_DIRECTORY, path);
	if (*fd < 0)
		return reason_set(reason, *fd, "%s: %s", plain, strerror(-*fd));
	real = realpath(plain, NULL);
	if (!real)
		return reason_set(reason, -errno, "%s: %s", plain, strerror(errno));
	if (strcmp(real, *path) != 0)
		return reason_set(reason, -EXDEV, "%s: a link leads out of %s", plain,
				  host->root);
	return 0;
}

static int open_kernels(struct host *host, const char *root, const char *release,
			struct reason *reason)
{
	*host = (struct host)HOST_INIT;
	host->release = release;
	host->root = realpath(root, NULL);
	if (!host->root)
		return reason_set(reason, -errno, "%s: %s", root, strerror(errno));
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
