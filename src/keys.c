// SPDX-License-Identifier: GPL-2.0-only
#include "keys.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "cli.h"
#include "file.h"
#include "host.h"
#include "log.h"

#define KEYS_FOLDER "etc/wgkmod/keys.d"
#define KEY_SUFFIX ".pub"

void keys_free(struct keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		free(keys->list[i].path);
	free(keys->list);
	*keys = (struct keys){ 0 };
}

static enum exit_code refuse(const char *path, int ret, const struct reason *reason)
{
	log_cannot(path, "%s", reason->text);
	return ret == -EBADMSG ? EXIT_UNTRUSTED : EXIT_FAILED;
}

/* @path, relative to @dirfd, is the key that messages call @shown. */
static enum exit_code add_key(struct keys *keys, int dirfd, const char *path,
			      const char *shown)
{
	_cleanup_close_ int fd = -1;
	_cleanup_buf_ struct buf text = { 0 };
	struct reason reason = { 0 };
	struct key key = { 0 };
	struct key *list;
	int ret;

	fd = open_guarded(dirfd, path, &reason);
	if (fd < 0)
		return refuse(shown, fd, &reason);
	ret = read_guarded(fd, PUBLIC_KEY_MAX_BYTES, &text, &reason);
	if (ret == 0)
		ret = public_key_parse(&key.public, text.data, text.size, &reason);
	if (ret < 0)
		return refuse(shown, ret, &reason);

	list = reallocarray(keys->list, keys->count + 1, sizeof(*list));
	if (list) {
		keys->list = list;
		key.path = strdup(shown);
	}
	if (!key.path) {
		log_error("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	keys->list[keys->count++] = key;
	return EXIT_DONE;
}

static bool is_key(const char *name)
{
	size_t len = strlen(name), suffix = strlen(KEY_SUFFIX);

	return name[0] != '.' && len > suffix && !strcmp(name + len - suffix, KEY_SUFFIX);
}

static enum exit_code add_named(struct keys *keys, int dirfd, const char *folder,
				const char *name)
{
	_cleanup_free_ char *shown = text_printf("%s/%s", folder, name);

	if (!shown) {
		log_error("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	return add_key(keys, dirfd, name, shown);
}

static void close_folder(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int open_folder(const char *folder, DIR **dir, struct reason *reason)
{
	*dir = opendir(folder);
	if (!*dir)
		return reason_errno(reason, -errno);
	return check_guarded(dirfd(*dir), reason);
}

static enum exit_code add_folder(struct keys *keys, const char *folder)
{
	_cleanup_(close_folder) DIR *dir = NULL;
	enum exit_code worst = EXIT_DONE;
	struct reason reason = { 0 };
	const struct dirent *entry;
	int ret = open_folder(folder, &dir, &reason);

	while (ret == 0 && (errno = 0, entry = readdir(dir))) {
		enum exit_code code;

		if (!is_key(entry->d_name))
			continue;
		code = add_named(keys, dirfd(dir), folder, entry->d_name);
		if (code > worst)
			worst = code;
	}
	if (ret == 0 && errno)
		ret = reason_errno(&reason, -errno);
	return ret < 0 ? refuse(folder, ret, &reason) : worst;
}

/* Where the keys are, below the root. Returns 0, -ENOENT when nowhere, or -errno. */
static int find_folder(const char *root_name, char **folder)
{
	_cleanup_free_ char *root = realpath(root_name, NULL);

	if (!root)
		return errno == ENOENT ? -ENOTDIR : -errno;
	return host_resolve(root, KEYS_FOLDER, folder);
}

enum exit_code keys_load(struct keys *keys, const struct params *params)
{
	_cleanup_free_ char *folder = NULL;
	enum exit_code code = EXIT_DONE;
	int ret = find_folder(params->root, &folder);

	*keys = (struct keys){ 0 };
	if (ret < 0 && ret != -ENOENT) {
		log_cannot(params->root, "its " KEYS_FOLDER ": %s", strerror(-ret));
		return EXIT_FAILED;
	}
	if (folder)
		code = add_folder(keys, folder);
	if (code == EXIT_DONE && params->key)
		code = add_key(keys, AT_FDCWD, params->key, params->key);
	return code;
}
