// SPDX-License-Identifier: GPL-2.0-only
#include "payload.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "module.h"

#define SUMS_MAX_BYTES (1UL << 20)
#define MODULES_PREFIX "modules/"

void payload_free(struct payload *payload)
{
	for (size_t i = 0; i < payload->n_modules; i++)
		module_free(&payload->modules[i]);
	for (size_t i = 0; i < payload->count; i++)
		buf_free(&payload->files[i].data);
	free(payload->modules);
	free(payload->files);
	sums_free(&payload->sums);
	*payload = (struct payload){ 0 };
}

static int read_at(int dirfd, const char *path, size_t max, struct buf *out,
		   struct reason *reason)
{
	_cleanup_close_ int fd = open_beneath(dirfd, path, O_RDONLY);

	if (fd == -ELOOP || fd == -ENOTDIR)
		return reason_set(reason, -EBADMSG, "it is, or lies behind, a link");
	if (fd < 0)
		return reason_errno(reason, fd);
	return read_fd(fd, max, out, reason);
}

static enum exit_code read_sums(struct payload *payload, int dirfd, const char *dir)
{
	_cleanup_free_ char *path = NULL;
	struct buf file = { 0 };
	struct reason reason = { 0 };
	int ret;

	path = text_printf("%s/SHA256SUMS", dir);
	if (!path) {
		log_error("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	ret = read_at(dirfd, "SHA256SUMS", SUMS_MAX_BYTES, &file, &reason);
	if (ret == 0)
		ret = sums_parse(&payload->sums, file.data, file.size, &reason);
	if (ret == 0)
		return EXIT_DONE;
	log_cannot(path, "%s", reason.text);
	return ret == -ENOMEM || ret == -EIO ? EXIT_FAILED : EXIT_UNTRUSTED;
}

/* Take from the sums what is below modules/, by grammar. */
static enum exit_code list_files(struct payload *payload, const char *dir)
{
	enum exit_code code = EXIT_DONE;

	payload->files = calloc(payload->sums.count + 1, sizeof(*payload->files));
	payload->modules = calloc(payload->sums.count + 1, sizeof(*payload->modules));
	if (!payload->files || !payload->modules) {
		log_error("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < payload->sums.count; i++) {
		const struct sum *sum = &payload->sums.entries[i];
		const char *path = sum->path + strlen(MODULES_PREFIX);

		if (strncmp(sum->path, MODULES_PREFIX, strlen(MODULES_PREFIX)) != 0)
			continue;
		if (!sums_is_module_path(path)) {
			log_cannot(dir,
				   "SHA256SUMS names '%s', which is no path of a module",
				   sum->path);
			code = EXIT_UNTRUSTED;
			continue;
		}
		payload->files[payload->count++] = (struct payload_file){
			.name = sum->path,
			.path = path,
			.digest = sum->digest,
		};
	}
	if (payload->count == 0 && code == EXIT_DONE) {
		log_cannot(dir, "SHA256SUMS names no module");
		code = EXIT_UNTRUSTED;
	}
	return code;
}

/* The bytes are read once; digest and module are made of them. */
static enum exit_code read_file(struct payload *payload, int dirfd,
				struct payload_file *file, struct reason *reason)
{
	unsigned char digest[SHA256_BYTES];
	int ret = read_at(dirfd, file->name, MODULE_MAX_BYTES, &file->data, reason);

	if (ret < 0)
		return ret == -ENOMEM || ret == -EIO ? EXIT_FAILED : EXIT_UNTRUSTED;
	ret = sha256(file->data.data, file->data.size, digest);
	if (ret < 0) {
		reason_set(reason, ret, "libcrypto cannot make its digest");
		return EXIT_FAILED;
	}
	if (memcmp(digest, file->digest, sizeof(digest)) != 0) {
		reason_set(reason, -EBADMSG, "its digest is not the one in SHA256SUMS");
		return EXIT_UNTRUSTED;
	}
	ret = module_read(&payload->modules[payload->n_modules], file->name,
			  file->data.data, file->data.size, reason);
	if (ret < 0)
		return module_exit_code(ret);
	payload->n_modules++;
	return EXIT_DONE;
}

static enum exit_code read_files(struct payload *payload, int dirfd)
{
	enum exit_code worst = EXIT_DONE;

	for (size_t i = 0; i < payload->count; i++) {
		struct payload_file *file = &payload->files[i];
		struct reason reason = { 0 };
		enum exit_code code = read_file(payload, dirfd, file, &reason);

		if (code == EXIT_DONE)
			continue;
		log_cannot(file->name, "%s", reason.text);
		if (code > worst)
			worst = code;
	}
	return worst;
}

enum exit_code payload_read_folder(struct payload *payload, const char *dir)
{
	_cleanup_close_ int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum exit_code code;

	*payload = (struct payload){ 0 };
	if (dirfd < 0) {
		log_cannot(dir, "%s", strerror(errno));
		return EXIT_FAILED;
	}
	code = read_sums(payload, dirfd, dir);
	if (code == EXIT_DONE)
		code = list_files(payload, dir);
	if (code == EXIT_DONE)
		code = read_files(payload, dirfd);
	return code;
}
