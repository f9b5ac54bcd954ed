// SPDX-License-Identifier: GPL-2.0-only
#include "tree/state.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/root.h"
#include "fit/module.h"
#include "tree/edit.h"
#include "tree/snapshot.h"

#define STATE_MAX_BYTES (1UL << 20)
#define STATE_BASE "var/lib"
#define STATE_DIRECTORY "wgkmod"

void state_free(struct state *state)
{
	sums_free(&state->installed);
	strlist_free(&state->directories);
	strlist_free(&state->indexes);
	strlist_free(&state->kept);
}

bool state_is_empty(const struct state *state)
{
	return !state->installed.count && !state->kept.count;
}

char *state_name(const char *release, const char *suffix)
{
	return strdup_printf(".%s.%s", release, suffix);
}

char *state_kept_directory(const struct host *host)
{
	return strdup_printf("%s/" STATE_BASE "/" STATE_DIRECTORY "/%s/replaced",
			     strcmp(host->root, "/") ? host->root : "", host->release);
}

/*
 * Links are followed up to ROOT/var/lib, which the system owns, and not behind it. Where
 * it is not there yet, it is made below the root.
 */
int state_open_base(const struct host *host, struct strlist *made)
{
	_cleanup_free_ char *base = NULL;
	_cleanup_close_ int above = -1;
	int ret = root_resolve(host->root, STATE_BASE, &base);
	const char *below = STATE_DIRECTORY;

	if (ret == -ENOENT && made) {
		below = STATE_BASE "/" STATE_DIRECTORY;
	} else if (ret < 0) {
		return ret;
	}
	above = open(base ? base : host->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (above < 0)
		return -errno;
	if (made) {
		/* Below the root, where the caller could take it back. */
		ret = edit_make_directory(above, below, base ? NULL : made);
		if (ret < 0)
			return ret;
	}
	return open_beneath(above, below, O_RDONLY | O_DIRECTORY);
}

static int check_paths(const struct sums *state, struct reason *why)
{
	for (size_t i = 0; i < state->count; i++) {
		const char *path = state->entries[i].path;
		_cleanup_free_ char *usual = NULL;
		const char *slash = strchr(path, '/');

		/* --dir may have replaced a first component that the grammar requires. */
		if (slash && strlist_path_ok(path)) {
			usual = strdup_printf("kernel%s", slash);
			if (!usual)
				return reason_errno(why, -ENOMEM);
		}
		if (!usual || !sums_is_module_path(usual))
			return reason_set(
				why, -EBADMSG,
				"it names '%s', which is not a path of a module", path);
	}
	return 0;
}

static int load_sums(struct state *state, int directory, struct reason *why)
{
	struct buf file = { 0 };
	int ret = read_beneath(directory, "installed", STATE_MAX_BYTES, &file, why);

	if (ret < 0)
		return ret;
	ret = sums_parse(&state->installed, file.data, file.size, why);
	return ret < 0 ? ret : check_paths(&state->installed, why);
}

static int load_names(struct strlist *names, int directory, const char *name,
		      struct reason *why)
{
	_cleanup_buf_ struct buf file = { 0 };
	int ret = read_beneath(directory, name, STATE_MAX_BYTES, &file, why);

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return ret;
	if (memchr(file.data, '\0', file.size))
		return reason_set(why, -EBADMSG, "it holds a NUL byte");
	return strlist_parse(names, file.data, why);
}

static int load_kept(struct strlist *kept, int directory, struct reason *why)
{
	_cleanup_snapshot_ struct snapshot snap = { 0 };
	_cleanup_close_ int fd =
		open_beneath(directory, "replaced", O_RDONLY | O_DIRECTORY);
	int ret;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return reason_errno(why, fd);
	ret = snapshot_take(&snap, fd, why);
	for (size_t i = 0; ret == 0 && i < snap.count; i++)
		if (!S_ISDIR(snap.entries[i].st.st_mode) &&
		    strlist_add(kept, snap.entries[i].path) < 0)
			ret = reason_errno(why, -ENOMEM);
	return ret;
}

/* *@what is the file that something is wrong with. */
static int load_directory(struct state *state, int directory, const char **what,
			  struct reason *why)
{
	int ret;

	*what = "installed";
	ret = load_sums(state, directory, why);
	if (ret < 0)
		return ret;
	*what = "folders";
	ret = load_names(&state->directories, directory, *what, why);
	if (ret < 0)
		return ret;
	*what = "indexes";
	ret = load_names(&state->indexes, directory, *what, why);
	if (ret < 0)
		return ret;
	/* Nothing is installed where depmod never was; a removal drops what is not named. */
	if (!strlist_has(&state->indexes, "modules.dep"))
		return reason_set(why, -EBADMSG, "it does not name modules.dep");
	*what = "replaced";
	return load_kept(&state->kept, directory, why);
}

/* The directory that counts; -ENOENT when there is none, or an empty one to come. */
static int open_current(const struct host *host, int base, struct reason *why)
{
	_cleanup_free_ char *next = state_name(host->release, "next");
	int pending = state_is_pending(host, base, why);
	int fd;

	if (pending < 0)
		return pending;
	if (!next)
		return reason_errno(why, -ENOMEM);
	if (pending) {
		fd = open_beneath(base, next, O_RDONLY | O_DIRECTORY);
		if (fd >= 0 && faccessat(fd, "installed", F_OK, 0) < 0 &&
		    errno == ENOENT) {
			close(fd);
			return -ENOENT;
		}
		if (fd != -ENOENT)
			return fd < 0 ? reason_errno(why, fd) : fd;
	}
	fd = open_beneath(base, host->release, O_RDONLY | O_DIRECTORY);
	return fd < 0 ? reason_errno(why, fd) : fd;
}

int state_load(struct state *state, const struct host *host, struct reason *reason)
{
	_cleanup_close_ int base = state_open_base(host, NULL);
	_cleanup_close_ int directory = -1;
	struct reason why = { 0 };
	const char *what = "";
	int ret;

	*state = (struct state){ 0 };
	if (base == -ENOENT)
		return 0;
	directory = base < 0 ? reason_errno(&why, base) : open_current(host, base, &why);
	if (directory == -ENOENT)
		return 0;
	ret = directory < 0 ? directory : load_directory(state, directory, &what, &why);
	if (ret < 0) {
		state_free(state);
		return reason_set(reason, ret,
				  "%s/" STATE_BASE "/" STATE_DIRECTORY "/%s%s%s: %s",
				  strcmp(host->root, "/") ? host->root : "",
				  host->release, *what ? "/" : "", what, why.text);
	}
	return 0;
}

/* "5.10.1", or what a killed run left of the state of one: ".5.10.1.next". */
static char *release_of(const char *name)
{
	size_t len = strlen(name), end = strlen(".next");

	if (host_release_ok(name))
		return strdup(name);
	if (name[0] != '.' || len <= 1 + end || strcmp(name + len - end, ".next") != 0)
		return strdup("");
	return strndup(name + 1, len - 1 - end);
}

static int list_directory(DIR *dir, struct strlist *releases)
{
	const struct dirent *entry;

	while ((errno = 0, entry = readdir(dir))) {
		_cleanup_free_ char *release = release_of(entry->d_name);

		if (!release)
			return -ENOMEM;
		if (!host_release_ok(release) || strlist_has(releases, release))
			continue;
		if (strlist_add(releases, release) < 0)
			return -ENOMEM;
	}
	if (errno)
		return -errno;
	strlist_sort(releases);
	return 0;
}

int state_list(const char *root, struct strlist *releases, struct reason *reason)
{
	_cleanup_host_ struct host host = HOST_INIT;
	DIR *dir;
	int fd, ret;

	host.root = realpath(root, NULL);
	if (!host.root)
		return reason_set(reason, -errno, "%s: %s", root, strerror(errno));
	fd = state_open_base(&host, NULL);
	if (fd == -ENOENT)
		return 0;
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		ret = fd < 0 ? fd : -errno;
		close_fd(&fd);
	} else {
		ret = list_directory(dir, releases);
		closedir(dir);
	}
	if (ret < 0)
		return reason_set(reason, ret,
				  "its " STATE_BASE "/" STATE_DIRECTORY ": %s",
				  strerror(-ret));
	return 0;
}

#define JOURNAL_FORMAT "inode %" PRIu64 " born %" PRId64 ".%09" PRIu32 "\n"
#define JOURNAL_PATTERN "inode %" SCNu64 " born %" SCNd64 ".%9" SCNu32 "\n%n"

/* What tells a directory from all others, also from a later one that got its inode. Where
 * the file system does not know when it was made, that is 0. */
struct identity {
	uint64_t inode; /* 0: of none */
	int64_t seconds;
	uint32_t nanoseconds;
};

static int identify(int fd, const char *name, int flags, struct identity *out)
{
	struct statx st;

	if (statx(fd, name, flags, STATX_INO | STATX_BTIME, &st) < 0)
		return -errno;
	*out = (struct identity){ .inode = st.stx_ino };
	if (st.stx_mask & STATX_BTIME) {
		out->seconds = st.stx_btime.tv_sec;
		out->nanoseconds = st.stx_btime.tv_nsec;
	}
	return 0;
}

/* That of the journal; of none where there is no journal. */
static int read_journal(const struct host *host, int base, struct identity *named,
			struct reason *reason)
{
	_cleanup_free_ char *name = state_name(host->release, "journal");
	_cleanup_buf_ struct buf file = { 0 };
	struct reason why = { 0 };
	int ret, used = 0;

	*named = (struct identity){ 0 };
	if (!name)
		return reason_errno(reason, -ENOMEM);
	ret = read_beneath(base, name, STATE_MAX_BYTES, &file, &why);
	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return reason_set(reason, ret, "%s: %s", name, why.text);
	if (sscanf(file.data, JOURNAL_PATTERN, &named->inode, &named->seconds,
		   &named->nanoseconds, &used) != 3 ||
	    (size_t)used != file.size || !named->inode)
		return reason_set(reason, -EBADMSG, "%s: it does not name a directory",
				  name);
	return 0;
}

int state_is_pending(const struct host *host, int base_fd, struct reason *reason)
{
	struct identity named = { 0 }, now = { 0 };
	int ret = read_journal(host, base_fd, &named, reason);

	if (ret < 0 || !named.inode || host->kernels_fd < 0)
		return ret;
	ret = identify(host->kernels_fd, host->release, AT_SYMLINK_NOFOLLOW, &now);
	if (ret < 0)
		return ret == -ENOENT ? 0 : reason_errno(reason, ret);
	return now.inode == named.inode && now.seconds == named.seconds &&
	       now.nanoseconds == named.nanoseconds;
}

/* A new file, a rename, and a flush of both: there is a whole journal, or none. */
int state_write_journal(const struct host *host, int base_fd, int tree_fd)
{
	_cleanup_free_ char *name = state_name(host->release, "journal");
	_cleanup_free_ char *temp = state_name(host->release, "journal.new");
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	struct identity tree = { 0 };
	int ret = identify(tree_fd, "", AT_EMPTY_PATH, &tree);

	if (ret < 0)
		return ret;
	text = strdup_printf(JOURNAL_FORMAT, tree.inode, tree.seconds, tree.nanoseconds);
	if (!name || !temp || !text)
		return -ENOMEM;
	ret = edit_write(base_fd, temp, text, strlen(text), NULL);
	if (ret < 0)
		return ret;
	fd = open_beneath(base_fd, temp, O_RDONLY);
	if (fd < 0)
		return fd;
	if (fsync(fd) < 0 || renameat(base_fd, temp, base_fd, name) < 0 ||
	    fsync(base_fd) < 0)
		return -errno;
	return 0;
}

static int save_names(const struct strlist *names, int fd, const char *name)
{
	_cleanup_buf_ struct buf text = { 0 };
	int ret = strlist_format(names, &text);

	return ret < 0 ? ret : edit_write(fd, name, text.data, text.size, NULL);
}

static int format_sums(const struct sums *sums, struct buf *out)
{
	char hex[SHA256_DIGITS + 1];
	FILE *to = open_memstream(&out->data, &out->size);

	if (!to)
		return -errno;
	for (size_t i = 0; i < sums->count; i++) {
		sha256_hex(sums->entries[i].digest, hex);
		fprintf(to, "%s  %s\n", hex, sums->entries[i].path);
	}
	return fclose(to) == 0 ? 0 : -errno;
}

/* The state of nothing is an empty directory. */
static int clear(int fd)
{
	static const char *const lists[] = { "installed", "folders", "indexes" };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (unlinkat(fd, lists[i], 0) < 0 && errno != ENOENT)
			return -errno;
	return 0;
}

int state_save(const struct state *state, int fd)
{
	_cleanup_buf_ struct buf text = { 0 };
	int ret;

	if (state_is_empty(state))
		return clear(fd);
	ret = format_sums(&state->installed, &text);
	if (ret == 0)
		ret = edit_write(fd, "installed", text.data, text.size, NULL);
	if (ret == 0)
		ret = save_names(&state->directories, fd, "folders");
	if (ret == 0)
		ret = save_names(&state->indexes, fd, "indexes");
	return ret;
}

static int compare_fd(int fd, const unsigned char *digest, enum state_file *found,
		      struct reason *reason)
{
	unsigned char actual[SHA256_BYTES];
	_cleanup_buf_ struct buf file = { 0 };
	int ret = read_fd(fd, MODULE_MAX_BYTES, &file, reason);

	*found = STATE_CHANGED;
	if (ret == -EINVAL || ret == -EFBIG)
		return 0;
	if (ret < 0)
		return ret;
	ret = sha256(file.data, file.size, actual);
	if (ret < 0)
		return reason_set(reason, ret, "libcrypto cannot compute its digest");
	if (memcmp(actual, digest, sizeof(actual)) == 0)
		*found = STATE_INTACT;
	return 0;
}

int state_compare(const struct host *host, const char *path, const unsigned char *digest,
		  enum state_file *found, struct reason *reason)
{
	_cleanup_close_ int fd = open_beneath(host->modules_fd, path, O_RDONLY);

	switch (fd) {
	case -ENOENT:
		*found = STATE_MISSING;
		return 0;
	case -ELOOP:
	case -ENOTDIR:
	case -ENXIO:
		*found = STATE_CHANGED;
		return 0;
	default:
		if (fd < 0)
			return reason_errno(reason, fd);
		return compare_fd(fd, digest, found, reason);
	}
}

bool state_keeps_same(const struct host *host, const char *path)
{
	_cleanup_free_ char *kept = strdup_printf("%s/replaced/%s", host->release, path);
	_cleanup_close_ int base = state_open_base(host, NULL);
	_cleanup_close_ int there = open_beneath(host->modules_fd, path, O_RDONLY);
	_cleanup_close_ int other =
		kept && base >= 0 ? open_beneath(base, kept, O_RDONLY) : -1;
	_cleanup_buf_ struct buf a = { 0 }, b = { 0 };
	struct reason ignored = { 0 };

	/* What cannot be read is not known to be the same. */
	if (there < 0 || other < 0 ||
	    read_fd(there, MODULE_MAX_BYTES, &a, &ignored) < 0 ||
	    read_fd(other, MODULE_MAX_BYTES, &b, &ignored) < 0)
		return false;
	return a.size == b.size && !memcmp(a.data, b.data, a.size);
}
