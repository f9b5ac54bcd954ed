// SPDX-License-Identifier: GPL-2.0-only
#include "base/file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "base/strlist.h"

bool is_system_error(int err)
{
	switch (-err) {
	case 0:
	case EAGAIN: /* read_fd(): it changed while it was read */
	case EBADMSG:
	case EFBIG:
	case EINVAL:
	case EISDIR:
	case ELOOP:
	case ENAMETOOLONG:
	case ENODATA:
	case ENOENT:
	case ENOEXEC:
	case ENOTDIR:
	case EXDEV:
		return false;
	default:
		return true;
	}
}

int file_error(int err)
{
	return err == 0 || is_system_error(err) ? err : -EBADMSG;
}

int graver_error(int a, int b)
{
	if (a == 0 || b == -EBADMSG)
		return b;
	return b == -ENOEXEC && a != -EBADMSG ? b : a;
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	buf->data = NULL;
	buf->size = 0;
}

void close_directory(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

DIR *list_directory(int fd)
{
	DIR *dir;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	dir = fdopendir(fd);
	if (!dir)
		close_fd(&fd);
	return dir;
}

const struct dirent *next_entry(DIR *dir)
{
	const struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")));
	return entry;
}

int read_names(DIR *dir, struct strlist *names)
{
	const struct dirent *entry;

	while ((entry = next_entry(dir)))
		if (strlist_add(names, entry->d_name) < 0)
			return -ENOMEM;
	if (errno)
		return -errno;
	strlist_sort(names);
	return 0;
}

int open_resolved(int dirfd, const char *path, int flags, unsigned long long resolve)
{
	const struct open_how how = { .flags = (unsigned int)flags | O_CLOEXEC,
				      .resolve = resolve };
	int fd, tries = 100;

	/* EAGAIN: a rename somewhere may have led ".." out of @dirfd. */
	do
		fd = (int)syscall(__NR_openat2, dirfd, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && --tries);
	return fd < 0 ? -errno : fd;
}

/* Return true if no component of @path is empty, "." or "..". */
static bool is_plain(const char *path)
{
	for (;; path++) {
		size_t len = strcspn(path, "/");

		if (!len || (*path == '.' && (len == 1 || (len == 2 && path[1] == '.'))))
			return false;
		path += len;
		if (!*path)
			return true;
	}
}

int open_parent(int dirfd, const char *path, const char **base)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *parent = NULL;

	if (!is_plain(path))
		return -EINVAL;
	*base = slash ? slash + 1 : path;
	parent = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	if (!parent)
		return -ENOMEM;
	return open_resolved(dirfd, parent, O_RDONLY | O_DIRECTORY,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

int open_beneath(int dirfd, const char *path, int flags)
{
	if (!is_plain(path))
		return -EINVAL;
	/* Opening a FIFO, which will be refused, must not block. */
	if (!(flags & O_PATH))
		flags |= O_NONBLOCK;
	return open_resolved(dirfd, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

static int read_loop(int fd, char *data, size_t size, size_t *got)
{
	*got = 0;
	while (*got < size) {
		ssize_t n = read(fd, data + *got, size - *got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		*got += (size_t)n;
	}
	return 0;
}

int read_fd(int fd, size_t max, struct buf *out, struct reason *reason)
{
	_cleanup_free_ char *data = NULL;
	struct stat st;
	size_t size, got;
	int ret;

	if (fstat(fd, &st) < 0)
		return reason_errno(reason, -errno);
	if (!S_ISREG(st.st_mode))
		return reason_set(reason, -EINVAL, "not a regular file");
	if (st.st_size < 0 || (unsigned long long)st.st_size > max)
		return reason_set(reason, -EFBIG, "larger than %zu bytes", max);

	size = (size_t)st.st_size;
	data = malloc(size + 1);
	if (!data)
		return reason_errno(reason, -ENOMEM);
	/* Ask for one byte more, to notice a file that grows. */
	ret = read_loop(fd, data, size + 1, &got);
	if (ret < 0)
		return reason_errno(reason, ret);
	if (got != size)
		return reason_set(reason, -EAGAIN, "changed while it was read");
	data[size] = '\0';
	out->data = data;
	out->size = size;
	data = NULL;
	return 0;
}

int read_beneath(int dirfd, const char *path, size_t max, struct buf *out,
		 struct reason *reason)
{
	_cleanup_close_ int fd = open_beneath(dirfd, path, O_RDONLY);

	return fd < 0 ? reason_errno(reason, fd) : read_fd(fd, max, out, reason);
}

int read_path(const char *path, size_t max, struct buf *out, struct reason *reason)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return reason_errno(reason, -errno);
	return read_fd(fd, max, out, reason);
}

int open_guarded(int dirfd, const char *path, struct reason *reason)
{
	int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == ELOOP)
		return reason_set(reason, -EBADMSG, "it is a link: name the file itself");
	return reason_errno(reason, fd < 0 ? -errno : fd);
}

/* Return true for root, for the real user, and for the user that sudo names. */
static bool is_caller(uid_t uid)
{
	const char *sudo = getenv("SUDO_UID");
	char *end;
	unsigned long value;

	if (uid == 0 || uid == getuid())
		return true;
	if (!sudo || *sudo < '0' || *sudo > '9')
		return false;
	value = strtoul(sudo, &end, 10);
	return !*end && value == uid;
}

/*
 * Return true if owner and mode of @fd are not the file's, but those of its mount: chmod
 * and chown change nothing there.
 */
static bool has_no_owners(int fd)
{
	/* msdos and vfat, exfat, ntfs3, fuse, smbfs, cifs, smb2: their *_MAGIC. */
	static const unsigned int types[] = { 0x4d44, 0x2011bab0, 0x7366746e, 0x65735546,
					      0x517b, 0xff534d42, 0xfe534d42 };
	struct statfs fs;

	for (size_t i = 0; i < ARRAY_SIZE(types) && fstatfs(fd, &fs) == 0; i++)
		if ((unsigned int)fs.f_type == types[i])
			return true;
	return false;
}

int check_guarded(int fd, struct reason *reason)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return reason_errno(reason, -errno);
	if (geteuid() != 0)
		return 0;
	if (!is_caller(st.st_uid))
		return reason_set(reason, -EBADMSG,
				  "it belongs to user %u, neither root nor the caller%s",
				  (unsigned int)st.st_uid,
				  has_no_owners(fd) ? ": copy it to a directory of root's"
						    : "");
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return reason_set(reason, -EBADMSG,
				  "others than its owner may write to it: %s",
				  has_no_owners(fd) ? "copy it to a directory of root's"
						    : "chmod go-w");
	return 0;
}

int read_guarded(int fd, size_t max, struct buf *out, struct reason *reason)
{
	int ret = check_guarded(fd, reason);

	if (ret == 0)
		ret = read_fd(fd, max, out, reason);
	return ret == -EINVAL || ret == -EFBIG || ret == -EAGAIN ? -EBADMSG : ret;
}

int each_line(char *text, size_t size, line_fn use, void *arg, struct reason *reason)
{
	struct reason why = { 0 };
	char *line = text, *end;

	if (memchr(text, '\0', size))
		return reason_set(reason, -EBADMSG, "it holds a NUL byte");
	for (size_t number = 1; *line; number++, line = end + 1) {
		int ret;

		end = strchr(line, '\n');
		if (!end)
			return reason_set(reason, -EBADMSG,
					  "line %zu: no newline, the file was cut short",
					  number);
		*end = '\0';
		ret = use(line, arg, &why);
		if (ret)
			return reason_set(reason, ret, "line %zu: %s", number, why.text);
	}
	return 0;
}

size_t count_lines(const char *text, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += text[i] == '\n';
	return count;
}

int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

ssize_t read_small(const char *path, char *out, size_t room)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : read(fd, out, room);
}

char *read_first_line(const char *path)
{
	char text[SMALL_MAX_BYTES];
	ssize_t len = read_small(path, text, sizeof(text) - 1);

	if (len < 0)
		return NULL;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return strdup(text);
}
