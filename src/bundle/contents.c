// SPDX-License-Identifier: GPL-2.0-only
#include "bundle/contents.h"

#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "base/log.h"
#include "base/sha256sums.h"
#include "bundle/ustar.h"

#define SUMS_NAME "SHA256SUMS"

/* A kernel's directory: files [first, end) of the bundle, which is sorted. */
struct directory {
	const struct ustar *bundle;
	const char *path; /* the bundle's, for messages */
	char release[USTAR_PATH_BYTES];
	size_t first, end;
};

static enum exit_code out_of_memory(void)
{
	log_error("%s", strerror(ENOMEM));
	return EXIT_FAILED;
}

/* The directory that starts at file @first. Returns 0 or -EBADMSG; its end is set. */
static int directory_at(struct directory *directory, const struct ustar *bundle,
			const char *path, size_t first)
{
	const char *name = bundle->files[first].path;
	const char *slash = strchr(name, '/');
	size_t len = slash ? (size_t)(slash - name) : 0;

	*directory = (struct directory){ .bundle = bundle, .path = path, .first = first };
	directory->end = first + 1;
	snprintf(directory->release, sizeof(directory->release), "%.*s", (int)len, name);
	if (!slash || !host_release_ok(directory->release))
		return -EBADMSG;
	while (directory->end < bundle->count &&
	       !strncmp(bundle->files[directory->end].path, name, len + 1))
		directory->end++;
	return 0;
}

static enum exit_code directory_sums(const struct directory *directory, struct sums *sums)
{
	_cleanup_free_ char *path = strdup_printf("%s/" SUMS_NAME, directory->release);
	struct ustar_file *file = path ? ustar_find(directory->bundle, path) : NULL;
	struct reason reason = { 0 };
	char *text;
	int ret;

	if (!path)
		return out_of_memory();
	if (!file) {
		log_failure(directory->path, "entry '%s': it is missing", path);
		return EXIT_UNTRUSTED;
	}
	text = malloc(file->data.size + 1);
	if (!text)
		return out_of_memory();
	memcpy(text, file->data.data, file->data.size + 1);
	ret = sums_parse(sums, text, file->data.size, &reason);
	if (ret == 0)
		return EXIT_DONE;
	log_failure(directory->path, "entry '%s': %s", path, reason.text);
	return ret == -ENOMEM ? EXIT_FAILED : EXIT_UNTRUSTED;
}

/* What @sums say of @file, which they call @name. */
static int check_file(const struct ustar_file *file, const char *name,
		      const struct sums *sums, struct reason *reason)
{
	const struct sum *sum = sums_find(sums, name);
	unsigned char digest[SHA256_BYTES];

	if (!sum)
		return reason_set(reason, -EBADMSG, "SHA256SUMS does not name it");
	if (sha256(file->data.data, file->data.size, digest) < 0)
		return reason_set(reason, -EIO, "libcrypto cannot compute its digest");
	if (memcmp(digest, sum->digest, sizeof(digest)) != 0)
		return reason_set(reason, -EBADMSG,
				  "its digest is not the one in SHA256SUMS");
	return 0;
}

static enum exit_code check_files(const struct directory *directory,
				  const struct sums *sums)
{
	size_t skip = strlen(directory->release) + 1;
	enum exit_code code = EXIT_DONE;

	for (size_t i = directory->first; i < directory->end; i++) {
		const struct ustar_file *file = &directory->bundle->files[i];
		const char *name = file->path + skip;
		struct reason reason = { 0 };
		int ret;

		if (!strcmp(name, SUMS_NAME))
			continue;
		ret = check_file(file, name, sums, &reason);
		if (ret == 0)
			continue;
		log_failure(directory->path, "entry '%s': %s", file->path, reason.text);
		if (ret == -EIO)
			return EXIT_FAILED;
		code = EXIT_UNTRUSTED;
	}
	return code;
}

static enum exit_code check_missing(const struct directory *directory,
				    const struct sums *sums)
{
	enum exit_code code = EXIT_DONE;

	for (size_t i = 0; i < sums->count; i++) {
		_cleanup_free_ char *path =
			strdup_printf("%s/%s", directory->release, sums->entries[i].path);

		if (!path)
			return out_of_memory();
		if (ustar_find(directory->bundle, path))
			continue;
		log_failure(directory->path,
			    "entry '%s': SHA256SUMS names it, but it is missing", path);
		code = EXIT_UNTRUSTED;
	}
	return code;
}

static enum exit_code check_directory(const struct directory *directory)
{
	_cleanup_sums_ struct sums sums = { 0 };
	enum exit_code code = directory_sums(directory, &sums), missing;

	if (code != EXIT_DONE)
		return code;
	code = check_files(directory, &sums);
	missing = check_missing(directory, &sums);
	return missing == EXIT_DONE ? code : missing;
}

enum exit_code contents_check(const struct ustar *bundle, const char *path)
{
	enum exit_code worst = EXIT_DONE;
	struct directory directory;

	for (size_t i = 0; i < bundle->count; i = directory.end) {
		enum exit_code code = EXIT_UNTRUSTED;

		if (directory_at(&directory, bundle, path, i) == 0)
			code = check_directory(&directory);
		else
			log_failure(path,
				    "entry '%s': it lies in no directory of a kernel",
				    bundle->files[i].path);
		if (code == EXIT_FAILED)
			return code;
		if (code > worst)
			worst = code;
	}
	return worst;
}

static void refuse_release(const struct ustar *bundle, const char *path,
			   const char *release)
{
	char has[REASON_MAX] = "";
	struct directory directory;
	size_t used = 0;

	for (size_t i = 0; i < bundle->count && used < sizeof(has); i = directory.end)
		if (directory_at(&directory, bundle, path, i) == 0)
			used += (size_t)snprintf(has + used, sizeof(has) - used, "%s%s",
						 used ? ", " : "", directory.release);
	log_failure(path, "it has no modules for %s, but for %s", release, has);
}

enum exit_code contents_sums(const struct ustar *bundle, const char *path,
			     const char *release, struct sums *sums)
{
	struct directory directory;

	for (size_t i = 0; i < bundle->count; i = directory.end)
		if (directory_at(&directory, bundle, path, i) == 0 &&
		    !strcmp(directory.release, release))
			return directory_sums(&directory, sums);
	refuse_release(bundle, path, release);
	return EXIT_WRONG_KERNEL;
}
