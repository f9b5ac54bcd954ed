// SPDX-License-Identifier: GPL-2.0-only
#include "tree/carry.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "tree/clone.h"
#include "tree/snapshot.h"

/* Whether @path in the directory @fd is as in @made: not there, or the same file. */
static bool is_as_made(const struct snapshot *made, int fd, const char *path)
{
	const struct snapshot_entry *entry = snapshot_find(made, path);
	struct stat st;

	if (fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return !entry && errno == ENOENT;
	return entry && entry->st.st_ino == st.st_ino &&
	       (entry->st.st_mode & S_IFMT) == (st.st_mode & S_IFMT);
}

static bool is_directory(int fd, const char *path)
{
	struct stat st;

	return fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int carry_directory(int from, int to, const char *path)
{
	if (mkdirat(to, path, 0700) == 0)
		return copy_metadata(from, path, to, path);
	return errno == EEXIST && is_directory(to, path) ? 0 : -errno;
}

static int carry_in(const struct snapshot_entry *entry, int from,
		    const struct snapshot *made, int to)
{
	if (S_ISDIR(entry->st.st_mode))
		return carry_directory(from, to, entry->path);
	/* What came later stays, as if it had been written over the earlier. */
	if (!is_as_made(made, to, entry->path))
		return is_directory(to, entry->path) ? -EISDIR : 0;
	if (unlinkat(to, entry->path, 0) < 0 && errno != ENOENT)
		return -errno;
	return clone_file(from, entry->path, to, entry->path);
}

/* A directory in which something is left stays. */
static int carry_out(const struct snapshot_entry *entry, const struct snapshot *made,
		     int to)
{
	bool directory = S_ISDIR(entry->st.st_mode);

	if (!directory && !is_as_made(made, to, entry->path))
		return 0;
	if (unlinkat(to, entry->path, directory ? AT_REMOVEDIR : 0) == 0)
		return 0;
	return errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST ? 0 : -errno;
}

static int say(const char *path, int ret, struct reason *reason)
{
	return ret < 0 ? reason_set(reason, ret, "%s: %s", path, strerror(-ret)) : 0;
}

int carry_changes(const struct snapshot *before, int from, const struct snapshot *made,
		  int to, bool (*ignored)(const char *path), struct reason *reason)
{
	_cleanup_snapshot_ struct snapshot now = { 0 };
	int ret = snapshot_take(&now, from, reason);
	bool any = false;

	for (size_t i = 1; ret == 0 && i < now.count; i++) {
		const struct snapshot_entry *entry = &now.entries[i];
		const struct snapshot_entry *old = snapshot_find(before, entry->path);

		if (ignored(entry->path) || (old && snapshot_same(old, entry)))
			continue;
		any = true;
		ret = say(entry->path, carry_in(entry, from, made, to), reason);
	}
	/* What is in a directory before the directory. */
	for (size_t i = before->count; ret == 0 && i-- > 1;) {
		const struct snapshot_entry *entry = &before->entries[i];

		if (ignored(entry->path) || snapshot_find(&now, entry->path))
			continue;
		any = true;
		ret = say(entry->path, carry_out(entry, made, to), reason);
	}
	return ret < 0 ? ret : any;
}
