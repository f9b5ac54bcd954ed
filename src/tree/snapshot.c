// SPDX-License-Identifier: GPL-2.0-only
#include "tree/snapshot.h"

#include <fcntl.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strlist.h"

void snapshot_free(struct snapshot *snap)
{
	for (size_t i = 0; i < snap->count; i++)
		free(snap->entries[i].path);
	free(snap->entries);
	*snap = (struct snapshot){ 0 };
}

/* Append an entry, and take ownership of @path, on failure too. */
static int add(struct snapshot *snap, char *path, const struct stat *st)
{
	struct snapshot_entry *grown = grow(snap->entries, snap->count, sizeof(*grown));

	if (grown)
		snap->entries = grown;
	if (!grown || !path) {
		free(path);
		return -ENOMEM;
	}
	grown[snap->count++] = (struct snapshot_entry){ .path = path, .st = *st };
	return 0;
}

static int walk(struct snapshot *snap, int directory_fd, const char *directory,
		struct reason *reason);

static int look_at(struct snapshot *snap, int fd, const char *directory, const char *name,
		   struct reason *reason)
{
	const char *path;
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		/* It may have been deleted after its name was read. */
		return errno == ENOENT ? 0
				       : reason_errno_at(reason, -errno, "%s/%s",
							 directory, name);
	if (add(snap, strdup_printf("%s%s%s", directory, *directory ? "/" : "", name),
		&st) < 0)
		return reason_errno(reason, -ENOMEM);
	path = snap->entries[snap->count - 1].path;
	if (!S_ISDIR(st.st_mode))
		return 0;
	/* Files of an overlay have the device of their layer. */
	if (st.st_dev != snap->entries[0].st.st_dev)
		return reason_set(reason, -EXDEV,
				  "%s: it is a subvolume or a snapshot, to which no hard "
				  "links can be made: put a directory in its place first",
				  path);
	return walk(snap, open_beneath(fd, name, O_RDONLY | O_DIRECTORY), path, reason);
}

/* Take ownership of @fd, which may be -errno. */
static int walk(struct snapshot *snap, int fd, const char *directory,
		struct reason *reason)
{
	_cleanup_dir_ DIR *dir = list_directory(fd);
	_cleanup_strlist_ struct strlist names = { 0 };
	int ret = dir ? read_names(dir, &names) : -errno;

	if (ret < 0)
		return reason_errno_at(reason, ret, "%s", *directory ? directory : ".");
	for (size_t i = 0; ret == 0 && i < names.count; i++)
		ret = look_at(snap, dirfd(dir), directory, names.items[i], reason);
	return ret;
}

int snapshot_take(struct snapshot *snap, int fd, struct reason *reason)
{
	struct stat st;
	int ret;

	*snap = (struct snapshot){ 0 };
	if (fstat(fd, &st) < 0)
		return reason_errno(reason, -errno);
	if (add(snap, strdup("."), &st) < 0)
		return reason_errno(reason, -ENOMEM);
	ret = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = walk(snap, ret < 0 ? -errno : ret, "", reason);
	if (ret < 0)
		snapshot_free(snap);
	return ret;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/*
 * Return true if neither file nor metadata changed between the two entries of one path
 * (see the top of the header).
 */
static bool is_same(const struct snapshot_entry *a, const struct snapshot_entry *b)
{
	const struct stat *x = &a->st, *y = &b->st;

	if (strcmp(a->path, b->path) != 0 || x->st_ino != y->st_ino ||
	    x->st_mode != y->st_mode || x->st_uid != y->st_uid || x->st_gid != y->st_gid)
		return false;
	/*
	 * Its entries are compared one by one; its times may be due to ignored entries.
	 */
	if (!strcmp(a->path, "."))
		return true;
	if (!same_time(&x->st_mtim, &y->st_mtim))
		return false;
	if (S_ISDIR(x->st_mode))
		return same_time(&x->st_ctim, &y->st_ctim);
	return x->st_size == y->st_size && x->st_rdev == y->st_rdev;
}

/* Return the next entry from *@i on that counts, or NULL. */
static const struct snapshot_entry *next(const struct snapshot *snap, size_t *i,
					 bool (*ignored)(const char *path))
{
	while (*i < snap->count && ignored(snap->entries[*i].path))
		(*i)++;
	return *i < snap->count ? &snap->entries[(*i)++] : NULL;
}

const char *snapshot_difference(const struct snapshot *a, const struct snapshot *b,
				bool (*ignored)(const char *path))
{
	size_t i = 0, j = 0;

	for (;;) {
		const struct snapshot_entry *x = next(a, &i, ignored);
		const struct snapshot_entry *y = next(b, &j, ignored);

		if (!x && !y)
			return NULL;
		if (!x || !y || !is_same(x, y))
			return x ? x->path : y->path;
	}
}
