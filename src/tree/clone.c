// SPDX-License-Identifier: GPL-2.0-only
#include "tree/clone.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strlist.h"
#include "tree/snapshot.h"

#define COPY_BYTES ((size_t)128 * 1024)

static int copy_xattr(int from, int to, const char *name)
{
	_cleanup_free_ char *value = malloc(2 * (size_t)XATTR_SIZE_MAX);
	char *there;
	ssize_t size;

	if (!value)
		return -ENOMEM;
	there = value + XATTR_SIZE_MAX;
	size = fgetxattr(from, name, value, XATTR_SIZE_MAX);
	if (size < 0)
		return -errno;
	/* The label may be right already, and setting it may be forbidden. */
	if (fgetxattr(to, name, there, XATTR_SIZE_MAX) == size &&
	    !memcmp(value, there, (size_t)size))
		return 0;
	return fsetxattr(to, name, value, (size_t)size, 0) < 0 ? -errno : 0;
}

/* List the extended attributes of @fd; none on a file system without them. */
static int list_xattrs(int fd, struct strlist *names)
{
	_cleanup_free_ char *list = malloc(XATTR_LIST_MAX);
	ssize_t size;

	if (!list)
		return -ENOMEM;
	size = flistxattr(fd, list, XATTR_LIST_MAX);
	if (size < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *name = list; name < list + size; name += strlen(name) + 1)
		if (strlist_add(names, name) < 0)
			return -ENOMEM;
	return 0;
}

/* Copy them, and remove others: a new directory may have inherited access lists. */
static int copy_xattrs(int from, int to)
{
	_cleanup_strlist_ struct strlist wanted = { 0 }, there = { 0 };
	int ret = list_xattrs(from, &wanted);

	if (ret == 0)
		ret = list_xattrs(to, &there);
	for (size_t i = 0; ret == 0 && i < there.count; i++) {
		const char *name = there.items[i];

		if (strlist_has(&wanted, name) || !strncmp(name, "security.", 9))
			continue;
		if (fremovexattr(to, name) < 0)
			ret = -errno;
	}
	for (size_t i = 0; ret == 0 && i < wanted.count; i++)
		ret = copy_xattr(from, to, wanted.items[i]);
	return ret;
}

/* Set the owner before the mode, parts of which a change of owner may clear. */
static int copy_rights(int from, int to)
{
	struct stat want, have;
	bool other_owner;

	if (fstat(from, &want) < 0 || fstat(to, &have) < 0)
		return -errno;
	other_owner = want.st_uid != have.st_uid || want.st_gid != have.st_gid;
	if (other_owner && fchown(to, want.st_uid, want.st_gid) < 0)
		return -errno;
	if ((other_owner || want.st_mode != have.st_mode) &&
	    fchmod(to, want.st_mode & 07777) < 0)
		return -errno;
	return copy_xattrs(from, to);
}

/* Set the times last: the other changes would change them. */
static int copy_metadata(int from, const struct stat *want, int to)
{
	const struct timespec times[2] = { want->st_atim, want->st_mtim };
	int ret = copy_rights(from, to);

	if (ret < 0)
		return ret;
	return futimens(to, times) < 0 ? -errno : 0;
}

static int copy_bytes(int from, int to)
{
	ssize_t size;

	do
		size = sendfile(to, from, NULL, COPY_BYTES);
	while (size > 0);
	return size < 0 ? -errno : 0;
}

static int copy_regular(int from, const char *name, int to, const char *to_name,
			const struct stat *st)
{
	_cleanup_close_ int in = open_beneath(from, name, O_RDONLY);
	int out, ret;

	if (in < 0)
		return in;
	out = openat(to, to_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     0600);
	if (out < 0)
		return -errno;
	ret = copy_bytes(in, out);
	if (ret == 0)
		ret = copy_metadata(in, st, out);
	if (close(out) < 0 && ret == 0)
		ret = -errno;
	if (ret < 0)
		unlinkat(to, to_name, 0);
	return ret;
}

static int copy_link(int from, const char *name, int to, const char *to_name,
		     const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	char target[PATH_MAX];
	ssize_t len = readlinkat(from, name, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	if (symlinkat(target, to, to_name) < 0)
		return -errno;
	if (fchownat(to, to_name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(to, to_name, times, AT_SYMLINK_NOFOLLOW) < 0) {
		int ret = -errno;

		unlinkat(to, to_name, 0);
		return ret;
	}
	return 0;
}

int clone_copy(int from, const char *name, int to, const char *to_name)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return copy_link(from, name, to, to_name, &st);
	if (S_ISREG(st.st_mode))
		return copy_regular(from, name, to, to_name, &st);
	return -EOPNOTSUPP;
}

/* Return true for an error of link() after which a copy may still work. */
static bool wants_copy(int err)
{
	return err == EXDEV || err == EMLINK || err == EOPNOTSUPP || err == ENOSYS;
}

int clone_file(int from, const char *name, int to, const char *to_name)
{
	int err;

	if (linkat(from, name, to, to_name, 0) == 0)
		return 0;
	err = errno;
	/*
	 * Some file systems cannot make a hard link to a symbolic link, and return EPERM.
	 */
	if (err == EPERM) {
		struct stat st;

		if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISLNK(st.st_mode))
			return copy_link(from, name, to, to_name, &st);
	}
	return wants_copy(err) ? clone_copy(from, name, to, to_name) : -err;
}

/*
 * Clone one entry. The owner of a directory of the tree may put a link in its place at
 * any time: open_parent() follows none on the way.
 */
static int clone_entry(const struct snapshot_entry *entry, int from, int to,
		       clone_how_fn how)
{
	_cleanup_close_ int fd = -1;
	const char *base;

	if (S_ISDIR(entry->st.st_mode))
		return mkdirat(to, entry->path, 0700 | (entry->st.st_mode & 0777)) < 0
			       ? -errno
			       : 0;
	fd = open_parent(from, entry->path, &base);
	if (fd < 0)
		return fd;
	switch (S_ISREG(entry->st.st_mode) ? how(entry->path) : CLONE_LINK) {
	case CLONE_SKIP:
		return 0;
	case CLONE_COPY:
		return clone_copy(fd, base, to, entry->path);
	case CLONE_LINK:
	default:
		return clone_file(fd, base, to, entry->path);
	}
}

int copy_ownership(int from, int to, const char *name)
{
	_cleanup_close_ int in = open_beneath(from, name, O_RDONLY), out = -1;

	if (in < 0)
		return in == -ELOOP ? 0 : in; /* a link has no owner or mode to give */
	out = open_beneath(to, name, O_RDONLY);
	return out < 0 ? out : copy_rights(in, out);
}

/* Open the directory @path of a snapshot, in which "." is the tree itself. */
static int open_entry(int tree, const char *path)
{
	return open_resolved(tree, path, O_RDONLY | O_DIRECTORY,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

static int finish_directory(const struct snapshot_entry *entry, int from, int to)
{
	_cleanup_close_ int in = open_entry(from, entry->path);
	_cleanup_close_ int out = in < 0 ? in : open_entry(to, entry->path);

	return out < 0 ? out : copy_metadata(in, &entry->st, out);
}

int clone_make(const struct snapshot *snap, int from, int to, clone_how_fn how,
	       struct reason *reason)
{
	int ret = 0;

	for (size_t i = 1; i < snap->count; i++) {
		ret = clone_entry(&snap->entries[i], from, to, how);
		if (ret < 0)
			return reason_errno_at(reason, ret, "%s: cannot be linked",
					       snap->entries[i].path);
	}
	/* Do this last, as making entries in a directory changes its times. */
	for (size_t i = snap->count; i-- > 0;) {
		const struct snapshot_entry *entry = &snap->entries[i];

		if (S_ISDIR(entry->st.st_mode))
			ret = finish_directory(entry, from, to);
		if (ret < 0)
			return reason_errno_at(reason, ret, "%s: cannot be copied",
					       entry->path);
	}
	return 0;
}

static int drop_directory(int parent, const char *name)
{
	_cleanup_dir_ DIR *dir =
		list_directory(open_beneath(parent, name, O_RDONLY | O_DIRECTORY));
	const struct dirent *entry;
	int first = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = next_entry(dir))) {
		int ret = entry->d_type == DT_DIR
				  ? drop_directory(dirfd(dir), entry->d_name)
				  : clone_drop(dirfd(dir), entry->d_name);

		if (first == 0)
			first = ret;
	}
	if (first == 0)
		first = -errno;
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && first == 0)
		first = -errno;
	return first;
}

int clone_drop(int parent, const char *name)
{
	struct stat st;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* A read-only file system returns this first. */
	if (errno == EROFS)
		return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
				       errno == ENOENT
			       ? 0
			       : -EROFS;
	return errno == EISDIR ? drop_directory(parent, name) : -errno;
}
