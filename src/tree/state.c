// SPDX-License-Identifier: GPL-2.0-only
#include "tree/state.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "fit/module.h"
#include "tree/edit.h"

#define STATE_MAX_BYTES (1UL << 20)
#define STATE_LIST STATE_DIRECTORY "/installed"

void state_free(struct state *state)
{
	sums_free(&state->installed);
	strlist_free(&state->directories);
	strlist_free(&state->indexes);
	strlist_free(&state->kept);
	*state = (struct state){ 0 };
}

bool state_is_empty(const struct state *state)
{
	return !state->installed.count && !state->kept.count;
}

char *state_kept_path(const char *path)
{
	return strdup_printf(STATE_KEPT "/%s.kept", path);
}

/* --dir may have replaced the first component, which the grammar wants to be "kernel". */
static bool is_module_path(const char *path)
{
	const char *slash = strchr(path, '/');
	_cleanup_free_ char *usual = NULL;

	if (!slash || !sums_is_path(path))
		return false;
	usual = strdup_printf("kernel%s", slash);
	return usual && sums_is_module_path(usual);
}

int state_check_paths(const struct state *state, struct reason *reason)
{
	for (size_t i = 0; i < state->installed.count; i++) {
		const char *path = state->installed.entries[i].path;

		if (!is_module_path(path))
			return reason_set(
				reason, -EBADMSG,
				"it names '%s', which is not a path of a module", path);
	}
	return 0;
}

/* A kept file may have any name that modules.dep can list. */
static bool is_kept_path(const char *path)
{
	for (const char *name = path;; name += strcspn(name, "/") + 1) {
		size_t len = strcspn(name, "/");

		if (len == 0 || name[0] == '.')
			return false;
		if (!name[len])
			return true;
	}
}

static int parse_file(struct sums *sums, const char *value, struct reason *why)
{
	struct sum *sum = &sums->entries[sums->count];

	if (sha256_parse(value, sum->digest) < 0 || value[SHA256_DIGITS] != ' ')
		return reason_set(why, -EBADMSG, "no digest of 64 digits and a path");
	sum->path = value + SHA256_DIGITS + 1;
	/* sums_find() searches by halves. */
	if (sums->count && strcmp(sum[-1].path, sum->path) >= 0)
		return reason_set(why, -EBADMSG, "'%s' is not in order", sum->path);
	sums->count++;
	return 0;
}

static int parse_timestamp(struct state *state, const char *value, struct reason *why)
{
	if (!*value || value[strspn(value, "0123456789")])
		return reason_set(why, -EBADMSG, "'%s' is no timestamp", value);
	state->timestamp = strtoull(value, NULL, 10);
	return 0;
}

/* A line_fn: parse "TYPE VALUE", which belongs to the text of the struct state @arg. */
static int parse_line(char *line, void *arg, struct reason *why)
{
	struct state *state = arg;
	char *value = line + strcspn(line, " ");
	struct strlist *list;
	bool ok;

	if (*value)
		*value++ = '\0';
	if (!strcmp(line, "file"))
		return parse_file(&state->installed, value, why);
	if (!strcmp(line, "timestamp"))
		return parse_timestamp(state, value, why);
	if (!strcmp(line, "built-for")) {
		state->built_for = value;
		return host_release_ok(value)
			       ? 0
			       : reason_set(why, -EBADMSG, "'%s' is no release", value);
	}
	list = !strcmp(line, "dir")	? &state->directories
	       : !strcmp(line, "index") ? &state->indexes
	       : !strcmp(line, "kept")	? &state->kept
					: NULL;
	if (!list)
		return reason_set(why, -EBADMSG, "'%s' is no type of an entry", line);
	ok = list == &state->kept ? is_kept_path(value) : sums_is_path(value);
	if (!ok)
		return reason_set(why, -EBADMSG, "'%s' is not a path below a directory",
				  value);
	if (strlist_has(list, value))
		return reason_set(why, -EBADMSG, "it lists '%s' twice", value);
	return reason_errno(why, strlist_add(list, value));
}

/* Take ownership of @text. */
static int parse(struct state *state, char *text, size_t size, struct reason *why)
{
	struct sums *sums = &state->installed;
	int ret;

	sums->text = text;
	sums->entries = calloc(count_lines(text, size) + 1, sizeof(*sums->entries));
	if (!sums->entries)
		return reason_errno(why, -ENOMEM);
	ret = each_line(text, size, parse_line, state, why);
	return ret < 0 ? ret : state_check_paths(state, why);
}

/*
 * install requires modules.dep; remove deletes every index that the state does not list.
 */
static int check_lists(const struct state *state, int modules_fd, struct reason *why)
{
	if (!strlist_has(&state->indexes, "modules.dep"))
		return reason_set(why, -EBADMSG, "it does not name modules.dep");
	for (size_t i = 0; i < state->kept.count; i++) {
		_cleanup_free_ char *path = state_kept_path(state->kept.items[i]);
		struct stat st;

		if (!path)
			return reason_errno(why, -ENOMEM);
		if (fstatat(modules_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return reason_set(why, -errno, "it names '%s': %s", path,
					  strerror(errno));
	}
	return 0;
}

static int load(struct state *state, int modules_fd, int directory, struct reason *why)
{
	_cleanup_close_ int fd = -1;
	struct buf file = { 0 };
	int ret = check_guarded(directory, why);

	if (ret < 0)
		return ret;
	fd = open_guarded(directory, "installed", why);
	if (fd < 0)
		return fd;
	ret = read_guarded(fd, STATE_MAX_BYTES, &file, why);
	if (ret == 0)
		ret = parse(state, file.data, file.size, why);
	return ret < 0 ? ret : check_lists(state, modules_fd, why);
}

int state_load(struct state *state, const struct host *host, struct reason *reason)
{
	_cleanup_close_ int directory = -1;
	struct reason why = { 0 };
	int ret;

	*state = (struct state){ 0 };
	directory =
		open_beneath(host->modules_fd, STATE_DIRECTORY, O_RDONLY | O_DIRECTORY);
	if (directory == -ENOENT)
		return -ENOENT;
	ret = directory < 0 ? reason_errno(&why, directory)
			    : load(state, host->modules_fd, directory, &why);
	if (ret == 0)
		return 0;
	state_free(state);
	return reason_set(reason, is_system_error(ret) ? ret : -EBADMSG,
			  "%s/" STATE_LIST ": %s", host->modules, why.text);
}

int state_list(const char *root, struct strlist *releases, struct reason *reason)
{
	_cleanup_free_ char *real = realpath(root, NULL);
	_cleanup_strlist_ struct strlist names = { 0 };
	_cleanup_dir_ DIR *dir = NULL;
	int ret = real ? root_open(real, "lib/modules", O_RDONLY | O_DIRECTORY, NULL)
		       : -errno;

	if (ret == -ENOENT && real)
		return 0;
	dir = list_directory(ret);
	ret = dir ? read_names(dir, &names) : -errno;
	for (size_t i = 0; ret == 0 && i < names.count; i++) {
		const char *name = names.items[i];
		_cleanup_free_ char *path = strdup_printf("%s/" STATE_DIRECTORY, name);

		if (!path)
			ret = -ENOMEM;
		else if (!host_release_ok(name))
			continue;
		else if (faccessat(dirfd(dir), path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			ret = strlist_add(releases, name);
		else if (errno != ENOENT && errno != ENOTDIR)
			return reason_set(reason, -errno, "its lib/modules/%s: %s", name,
					  strerror(errno));
	}
	return reason_errno_at(reason, ret, "its lib/modules");
}

static void print_list(FILE *to, const char *type, const struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		fprintf(to, "%s %s\n", type, list->items[i]);
}

static int format(const struct state *state, struct buf *out)
{
	char hex[SHA256_DIGITS + 1];
	FILE *to = open_memstream(&out->data, &out->size);

	if (!to)
		return -errno;
	for (size_t i = 0; i < state->installed.count; i++) {
		hex_text(state->installed.entries[i].digest, SHA256_BYTES, hex);
		fprintf(to, "file %s %s\n", hex, state->installed.entries[i].path);
	}
	print_list(to, "dir", &state->directories);
	print_list(to, "index", &state->indexes);
	print_list(to, "kept", &state->kept);
	if (state->timestamp)
		fprintf(to, "timestamp %llu\n", state->timestamp);
	if (state->built_for)
		fprintf(to, "built-for %s\n", state->built_for);
	return fclose(to) == 0 ? 0 : -errno;
}

/* Remove the list and the directories, which are empty but for it. */
static int clear(int fd)
{
	bool gone;
	int ret = edit_remove(fd, STATE_LIST);

	if (ret == 0 || ret == -ENOENT)
		ret = edit_prune(fd, STATE_KEPT, &gone);
	return ret < 0 ? ret : edit_prune(fd, STATE_DIRECTORY, &gone);
}

int state_save(const struct state *state, int fd)
{
	_cleanup_buf_ struct buf text = { 0 };
	int ret;

	if (state_is_empty(state))
		return clear(fd);
	ret = format(state, &text);
	return ret < 0 ? ret : edit_write(fd, STATE_LIST, text.data, text.size, NULL);
}

int state_compare(const struct host *host, const char *path, const unsigned char *digest,
		  struct reason *reason)
{
	_cleanup_close_ int fd = open_beneath(host->modules_fd, path, O_RDONLY);
	unsigned char actual[SHA256_BYTES];
	_cleanup_buf_ struct buf file = { 0 };
	int ret;

	if (fd == -ENOENT)
		return STATE_MISSING;
	if (fd == -ELOOP || fd == -ENOTDIR || fd == -ENXIO)
		return STATE_CHANGED;
	if (fd < 0)
		return reason_errno(reason, fd);
	ret = read_fd(fd, MODULE_MAX_BYTES, &file, reason);
	if (ret == -EINVAL || ret == -EFBIG)
		return STATE_CHANGED;
	if (ret < 0)
		return ret;
	ret = sha256(file.data, file.size, actual);
	if (ret < 0)
		return reason_set(reason, ret, "libcrypto cannot compute its digest");
	return memcmp(actual, digest, sizeof(actual)) ? STATE_CHANGED : STATE_INTACT;
}

bool state_keeps_same(const struct host *host, const char *path)
{
	_cleanup_free_ char *kept = state_kept_path(path);
	_cleanup_close_ int there = open_beneath(host->modules_fd, path, O_RDONLY);
	_cleanup_close_ int other =
		kept ? open_beneath(host->modules_fd, kept, O_RDONLY) : -1;
	_cleanup_buf_ struct buf a = { 0 }, b = { 0 };
	struct reason ignored = { 0 };

	/* What cannot be read is not known to be the same. */
	if (there < 0 || other < 0 ||
	    read_fd(there, MODULE_MAX_BYTES, &a, &ignored) < 0 ||
	    read_fd(other, MODULE_MAX_BYTES, &b, &ignored) < 0)
		return false;
	return a.size == b.size && !memcmp(a.data, b.data, a.size);
}
