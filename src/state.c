// SPDX-License-Identifier: GPL-2.0-only
#include "state.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "host.h"
#include "log.h"
#include "module.h"
#include "payload.h"

#define STATE_MAX_BYTES (1UL << 20)
#define STATE_BASE "var/lib"
#define STATE_FOLDER "wgkmod"

static int state_path(const struct host *host, char **out)
{
	_cleanup_free_ char *below = NULL;

	below = text_printf(STATE_BASE "/" STATE_FOLDER "/%s/installed", host->release);
	if (!below)
		return -ENOMEM;
	return host_resolve(host->root, below, out);
}

static int check_paths(const struct sums *state, struct reason *why)
{
	for (size_t i = 0; i < state->count; i++)
		if (!sums_is_module_path(state->entries[i].path))
			return reason_set(why, -EBADMSG,
					  "it names '%s', which is no path of a module",
					  state->entries[i].path);
	return 0;
}

int state_load(struct sums *state, const struct host *host, struct reason *reason)
{
	_cleanup_free_ char *path = NULL;
	struct buf file = { 0 };
	struct reason why = { 0 };
	int ret = state_path(host, &path);

	*state = (struct sums){ 0 };
	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return reason_set(reason, ret, "state of %s: %s", host->release,
				  strerror(-ret));
	ret = read_path(path, STATE_MAX_BYTES, &file, &why);
	if (ret == 0)
		ret = sums_parse(state, file.data, file.size, &why);
	if (ret == 0)
		ret = check_paths(state, &why);
	if (ret < 0) {
		sums_free(state);
		return reason_set(reason, ret, "%s: %s", path, why.text);
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(char ***names, size_t *count, const char *name)
{
	char **grown = reallocarray(*names, *count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*names = grown;
	grown[*count] = text_printf("%s", name);
	if (!grown[*count])
		return -ENOMEM;
	(*count)++;
	return 0;
}

static int list_folder(DIR *dir, char ***names, size_t *count)
{
	const struct dirent *entry;

	while ((errno = 0, entry = readdir(dir))) {
		if (!host_release_ok(entry->d_name))
			continue;
		if (add_name(names, count, entry->d_name) < 0)
			return -ENOMEM;
	}
	return -errno;
}

int state_list(const char *root, char ***out, size_t *count, struct reason *reason)
{
	_cleanup_free_ char *real = realpath(root, NULL), *path = NULL;
	DIR *dir;
	int ret;

	*out = NULL;
	*count = 0;
	if (!real)
		return reason_set(reason, -errno, "%s: %s", root, strerror(errno));
	ret = host_resolve(real, STATE_BASE "/" STATE_FOLDER, &path);
	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return reason_errno(reason, ret);
	dir = opendir(path);
	if (!dir)
		return reason_set(reason, -errno, "%s: %s", path, strerror(errno));
	ret = list_folder(dir, out, count);
	closedir(dir);
	if (ret < 0)
		return reason_set(reason, ret, "%s: %s", path, strerror(-ret));
	if (*count)
		qsort(*out, *count, sizeof(**out), compare_names);
	return 0;
}

static int format(const struct payload *payload, struct buf *out)
{
	char hex[SHA256_DIGITS + 1];
	FILE *to = open_memstream(&out->data, &out->size);

	if (!to)
		return -errno;
	for (size_t i = 0; i < payload->count; i++) {
		sha256_hex(payload->files[i].digest, hex);
		fprintf(to, "%s  %s\n", hex, payload->files[i].path);
	}
	return fclose(to) == 0 ? 0 : -errno;
}

/*
 * Links are followed up to ROOT/var/lib, which the system owns, and not behind it. Where
 * it is not there yet, it is made below the root.
 */
static int open_base(const struct host *host, bool *is_root)
{
	_cleanup_free_ char *base = NULL;
	int ret = host_resolve(host->root, STATE_BASE, &base);
	int fd;

	*is_root = ret == -ENOENT;
	if (ret < 0 && !*is_root)
		return ret;
	fd = open(*is_root ? host->root : base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void state_record_free(struct state_record *record)
{
	tree_free(&record->tree);
	close_fd(&record->fd);
	free(record->path);
}

int state_write(struct state_record *record, const struct host *host,
		const struct payload *payload)
{
	_cleanup_buf_ struct buf text = { 0 };
	bool is_root;
	int ret;

	record->fd = open_base(host, &is_root);
	if (record->fd < 0)
		return record->fd;
	record->tree.fd = record->fd;
	record->path = text_printf("%s" STATE_FOLDER "/%s/installed",
				   is_root ? STATE_BASE "/" : "", host->release);
	if (!record->path)
		return -ENOMEM;
	ret = format(payload, &text);
	if (ret < 0)
		return ret;
	return tree_write(&record->tree, record->path, text.data, text.size);
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
		return reason_set(reason, ret, "libcrypto cannot make its digest");
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
