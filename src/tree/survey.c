// SPDX-License-Identifier: GPL-2.0-only
#include "tree/survey.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "base/host.h"
#include "base/log.h"
#include "tree/clone.h"
#include "tree/snapshot.h"

/* Room for directories, the state, and what the file system needs for itself. */
#define ROOM_BYTES (16UL << 20)
#define ROOM_INODES 64

#define MOUNTS_FILE "/proc/self/mountinfo"

/*
 * Decode the name of a mount in /proc/self/mountinfo, where blanks are octal, in place.
 */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				       (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* Print what is mounted on @point. Returns true if that is not in the way. */
static bool check_mount(const struct host *host, const char *point)
{
	size_t len = strlen(host->modules);

	if (strncmp(point, host->modules, len) != 0 || (point[len] && point[len] != '/'))
		return true;
	if (point[len])
		log_failure(host->modules,
			    "something is mounted on '%s'; unmount it first", point);
	else
		log_failure(host->modules,
			    "it is a mount itself, which cannot be exchanged: copy what "
			    "is in it to a directory (cp -a), unmount it, and move that "
			    "directory to its place");
	return false;
}

static bool check_mounts(const struct host *host)
{
	FILE *mounts = fopen(MOUNTS_FILE, "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	bool ok = true;

	while (mounts && getline(&line, &room, mounts) > 0) {
		char *cursor = line, *point = NULL;

		for (int column = 0; column < 5; column++)
			point = strsep(&cursor, " ");
		if (!point)
			continue;
		unescape(point);
		ok &= check_mount(host, point);
	}
	if (!mounts || !feof(mounts)) {
		log_failure(host->modules,
			    "cannot find out what is mounted there: %s: %s", MOUNTS_FILE,
			    strerror(errno));
		ok = false;
	}
	if (mounts)
		fclose(mounts);
	return ok;
}

/*
 * Try to rename the kernel's directory to a directory that is not empty, which always
 * fails. On an overlay file system it fails with EXDEV if a lower layer has it
 * (ovl_can_move() in the kernel's fs/overlayfs/dir.c); nothing else tells.
 */
static bool check_overlay(const struct host *host)
{
	_cleanup_free_ char *inside = strdup_printf("%s/a", host->clone);
	int err, ret;

	if (!inside || mkdirat(host->kernels_fd, host->clone, 0700) < 0 ||
	    mkdirat(host->kernels_fd, inside, 0700) < 0) {
		log_failure(host->kernels, "%s", strerror(errno));
		return false;
	}
	ret = renameat(host->kernels_fd, host->release, host->kernels_fd, host->clone);
	err = errno;
	if (clone_drop(host->kernels_fd, host->clone) < 0 || ret == 0 || err != EXDEV)
		return true;
	log_failure(host->modules,
		    "it lies in a lower layer of an overlay file system, which cannot "
		    "exchange it: give this layer a copy of its own first (in '%s': cp "
		    "-a %s new && rm -r %s && mv new %s)",
		    host->kernels, host->release, host->release, host->release);
	return false;
}

/*
 * Count the inodes that the clone needs: one for each directory, and on tmpfs also one
 * for each hard link (shmem_link() in the kernel's mm/shmem.c).
 */
static bool check_inodes(const struct host *host, const struct snapshot *tree, bool tmpfs,
			 unsigned long long free_ones)
{
	unsigned long long need = ROOM_INODES;

	for (size_t i = 0; i < tree->count; i++)
		need += tmpfs || S_ISDIR(tree->entries[i].st.st_mode);
	if (free_ones >= need)
		return true;
	log_failure(host->kernels,
		    "its file system has too few inodes left: %llu are free, %llu needed",
		    free_ones, need);
	return false;
}

static bool check_room(const struct host *host, const struct snapshot *tree,
		       unsigned long long need)
{
	struct statvfs st;
	struct statfs fs;

	need += ROOM_BYTES;
	if (fstatvfs(host->kernels_fd, &st) < 0 || fstatfs(host->modules_fd, &fs) < 0) {
		log_failure(host->kernels, "%s", strerror(errno));
		return false;
	}
	if (st.f_flag & ST_RDONLY) {
		log_failure(host->kernels, "its file system is read-only");
		return false;
	}
	if ((unsigned long long)st.f_bavail * st.f_frsize < need) {
		log_failure(host->kernels,
			    "its file system is full: %llu KiB are free, %llu needed",
			    (unsigned long long)st.f_bavail * st.f_frsize / 1024,
			    need / 1024);
		return false;
	}
	/* Some file systems do not count inodes, and report 0 of 0. */
	if (st.f_files &&
	    !check_inodes(host, tree, fs.f_type == TMPFS_MAGIC, st.f_favail))
		return false;
	return fs.f_type != OVERLAYFS_SUPER_MAGIC || check_overlay(host);
}

/* Return the option of chattr(1) that lifts what forbids a hard link, or NULL. */
static const char *attribute_of(int fd, const char *path)
{
	struct statx st;

	if (statx(fd, path, AT_SYMLINK_NOFOLLOW, 0, &st) < 0)
		return NULL;
	if (st.stx_attributes & STATX_ATTR_IMMUTABLE)
		return "-i";
	return st.stx_attributes & STATX_ATTR_APPEND ? "-a" : NULL;
}

/* Check the kernel's directory and all in it; print the first, and how many more. */
static bool check_attributes(const struct host *host, const struct snapshot *tree)
{
	size_t count = 0;

	for (size_t i = 0; i < tree->count; i++) {
		const char *path = tree->entries[i].path;
		const char *attribute = attribute_of(host->modules_fd, path);

		if (!attribute || count++)
			continue;
		log_failure(path, "it is %s: run 'chattr %s %s/%s' first",
			    attribute[1] == 'i' ? "immutable" : "append-only", attribute,
			    host->modules, path);
	}
	if (count > 1)
		log_error("%zu more files there are immutable or append-only", count - 1);
	return !count;
}

int survey_take(struct snapshot *tree, const struct host *host, unsigned long long need)
{
	struct reason reason = { 0 };
	bool ok;
	int ret;

	*tree = (struct snapshot){ 0 };
	if (!check_mounts(host))
		return -EBUSY;
	ret = snapshot_take(tree, host->modules_fd, &reason);
	if (ret < 0)
		return log_reason(host->modules, ret, &reason);
	ok = check_room(host, tree, need);
	ok &= check_attributes(host, tree);
	return ok ? 0 : -EPERM;
}
