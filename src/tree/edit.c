// SPDX-License-Identifier: GPL-2.0-only
#include "tree/edit.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/file.h"
#include "base/strlist.h"
#include "tree/clone.h"

#define SELINUX "security.selinux"

/*
 * Give @fd the label of the directory @parent, where a host without SELinux changes the
 * root of one with it; with SELinux the kernel gives it one.
 */
static int copy_label(int parent, int fd)
{
	char label[1024];
	ssize_t size = fgetxattr(parent, SELINUX, label, sizeof(label));

	if (size <= 0 || fgetxattr(fd, SELINUX, NULL, 0) >= 0)
		return 0;
	return fsetxattr(fd, SELINUX, label, (size_t)size, 0) < 0 ? -errno : 0;
}

static int make_directory(int fd, const char *path, struct strlist *made)
{
	_cleanup_close_ int parent = -1, directory = -1;
	const char *base;
	int ret;

	parent = open_parent(fd, path, &base);
	if (parent < 0)
		return parent;
	if (mkdirat(parent, base, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	directory = open_beneath(parent, base, O_RDONLY | O_DIRECTORY);
	if (directory < 0)
		return directory;
	/* Ignore the umask: depmod and modprobe of every user read this directory. */
	if (fchmod(directory, 0755) < 0)
		return -errno;
	ret = copy_label(parent, directory);
	/* An earlier run may have made it too, and somebody removed it since. */
	if (ret < 0 || !made || strlist_has(made, path))
		return ret;
	return strlist_add(made, path);
}

/* Make the parent directories of @path. */
static int make_directories(int fd, const char *path, struct strlist *made)
{
	char above[PATH_MAX];

	for (const char *slash = strchr(path, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - path);
		int ret;

		if (len >= sizeof(above))
			return -ENAMETOOLONG;
		memcpy(above, path, len);
		above[len] = '\0';
		ret = make_directory(fd, above, made);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int edit_make_directory(int fd, const char *path)
{
	int ret = make_directories(fd, path, NULL);

	return ret < 0 ? ret : make_directory(fd, path, NULL);
}

/* Open the directory for @path, and remove what is at *@base in it. */
static int open_place(int fd, const char *path, const char **base, struct strlist *made)
{
	_cleanup_close_ int parent = -1;
	int ret = make_directories(fd, path, made);

	if (ret < 0)
		return ret;
	parent = open_parent(fd, path, base);
	if (parent < 0)
		return parent;
	if (unlinkat(parent, *base, 0) < 0 && errno != ENOENT)
		return -errno;
	return TAKE_FD(parent);
}

int edit_write(int fd, const char *path, const char *data, size_t size,
	       struct strlist *made)
{
	_cleanup_close_ int parent = -1;
	const char *base;
	int out, ret;

	parent = open_place(fd, path, &base, made);
	if (parent < 0)
		return parent;
	out = openat(parent, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     0600);
	if (out < 0)
		return -errno;
	ret = write_all(out, data, size);
	if (ret == 0 && fchmod(out, 0644) < 0)
		ret = -errno;
	if (ret == 0)
		ret = copy_label(parent, out);
	if (close(out) < 0 && ret == 0)
		ret = -errno;
	return ret;
}

int edit_remove(int fd, const char *path)
{
	_cleanup_close_ int parent = -1;
	const char *base;

	parent = open_parent(fd, path, &base);
	if (parent < 0)
		return parent;
	return unlinkat(parent, base, 0) < 0 ? -errno : 0;
}

int edit_move(int fd, const char *path, const char *to_path)
{
	_cleanup_close_ int parent = -1, to_parent = -1;
	const char *base, *to_base;

	parent = open_parent(fd, path, &base);
	if (parent < 0)
		return parent;
	to_parent = open_place(fd, to_path, &to_base, NULL);
	if (to_parent < 0)
		return to_parent;
	return renameat(parent, base, to_parent, to_base) < 0 ? -errno : 0;
}

int edit_copy(int from, const char *path, int to, const char *to_path)
{
	_cleanup_close_ int parent = -1, to_parent = -1;
	const char *base, *to_base;

	parent = open_parent(from, path, &base);
	if (parent < 0)
		return parent;
	to_parent = open_place(to, to_path, &to_base, NULL);
	if (to_parent < 0)
		return to_parent;
	return clone_file(parent, base, to_parent, to_base);
}

int edit_prune(int fd, const char *path, bool *gone)
{
	_cleanup_close_ int parent = -1;
	const char *base;

	*gone = false;
	parent = open_parent(fd, path, &base);
	if (parent == -ENOENT || parent == -ENOTDIR)
		return *gone = true, 0;
	if (parent < 0)
		return parent;
	if (unlinkat(parent, base, AT_REMOVEDIR) == 0 || errno == ENOENT)
		*gone = true;
	else if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
		return -errno;
	return 0;
}

int edit_sync(int fd)
{
	return fsync(fd) < 0 ? -errno : 0;
}
