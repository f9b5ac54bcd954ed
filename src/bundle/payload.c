// SPDX-License-Identifier: GPL-2.0-only
#include "bundle/payload.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "bundle/contents.h"
#include "bundle/trust.h"
#include "bundle/ustar.h"
#include "fit/module.h"

#define SUMS_MAX_BYTES (1UL << 20)
#define MODULES_PREFIX "modules/"
#define CERTIFICATE_NAME "signing_key.x509"
#define CERTIFICATE_MAX_BYTES (1UL << 16)
#define UNSIGNED_NAME "SHA256SUMS.unsigned"

/* The source of the bytes: the directory @fd, or the directory @release of a bundle. */
struct source {
	const char *path; /* for messages */
	int fd;
	const struct ustar *bundle; /* or NULL */
	const char *release;
};

void payload_free(struct payload *payload)
{
	for (size_t i = 0; i < payload->n_modules; i++)
		module_free(&payload->modules[i]);
	for (size_t i = 0; i < payload->count; i++) {
		buf_free(&payload->files[i].data);
		modsig_free(&payload->files[i].sig);
	}
	free(payload->modules);
	free(payload->files);
	certificate_free(&payload->certificate);
	sums_free(&payload->sums);
	*payload = (struct payload){ 0 };
}

static int read_at(int dirfd, const char *path, size_t max, struct buf *out,
		   struct reason *reason)
{
	_cleanup_close_ int fd = open_beneath(dirfd, path, O_RDONLY);

	if (fd == -ELOOP || fd == -ENOTDIR)
		return reason_set(reason, -EBADMSG,
				  "it is a link, or its path leads through one");
	if (fd < 0)
		return reason_errno(reason, fd);
	return read_fd(fd, max, out, reason);
}

/* Take the bytes of a file out of the bundle; each is asked for once. */
static int take_from(const struct source *source, const char *name, struct buf *out,
		     struct reason *reason)
{
	_cleanup_free_ char *path = strdup_printf("%s/%s", source->release, name);
	struct ustar_file *file = path ? ustar_find(source->bundle, path) : NULL;

	if (!path)
		return reason_errno(reason, -ENOMEM);
	if (!file)
		return reason_errno(reason, -ENOENT);
	*out = file->data;
	file->data = (struct buf){ 0 };
	return 0;
}

/*
 * Read SHA256SUMS, guarded: whoever can write the list or its directory decides what is
 * installed.
 */
static enum exit_code read_sums(struct payload *payload, const struct source *source)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct buf file = { 0 };
	struct reason reason = { 0 };
	int ret;

	path = strdup_printf("%s/SHA256SUMS", source->path);
	if (!path) {
		log_error("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	fd = open_guarded(source->fd, "SHA256SUMS", &reason);
	ret = fd < 0 ? fd : read_guarded(fd, SUMS_MAX_BYTES, &file, &reason);
	if (ret == 0)
		ret = sums_parse(&payload->sums, file.data, file.size, &reason);
	if (ret == 0)
		return EXIT_DONE;
	log_failure(path, "%s", reason.text);
	return is_system_error(ret) ? EXIT_FAILED : EXIT_UNTRUSTED;
}

/* List the files below modules/ that SHA256SUMS names, and refuse other names there. */
static enum exit_code list_files(struct payload *payload, const struct source *source)
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
			log_failure(
				source->path,
				"SHA256SUMS names '%s', which is not a path of a module",
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
		log_failure(source->path, "SHA256SUMS names no module");
		code = EXIT_UNTRUSTED;
	}
	return code;
}

static enum exit_code check_digest(const char *data, size_t size,
				   const unsigned char *want, const char *list,
				   struct reason *reason)
{
	unsigned char digest[SHA256_BYTES];
	int ret = sha256(data, size, digest);

	if (ret < 0) {
		reason_set(reason, ret, "libcrypto cannot compute its digest");
		return EXIT_FAILED;
	}
	if (!memcmp(digest, want, sizeof(digest)))
		return EXIT_DONE;
	reason_set(reason, -EBADMSG, "its digest is not the one in %s", list);
	return EXIT_UNTRUSTED;
}

/* Read the file @name, once, and check its @digest. */
static enum exit_code read_listed(const struct source *source, const char *name,
				  const unsigned char *digest, size_t max,
				  struct buf *out, struct reason *reason)
{
	int ret;

	if (source->bundle)
		ret = take_from(source, name, out, reason);
	else
		ret = read_at(source->fd, name, max, out, reason);
	if (ret < 0)
		return is_system_error(ret) ? EXIT_FAILED : EXIT_UNTRUSTED;
	return check_digest(out->data, out->size, digest, "SHA256SUMS", reason);
}

/* Read a file once; digest and module are made of the same bytes. */
static enum exit_code read_file(struct payload *payload, const struct source *source,
				struct payload_file *file, struct reason *reason)
{
	enum exit_code code = read_listed(source, file->name, file->digest,
					  MODULE_MAX_BYTES, &file->data, reason);
	int ret;

	if (code != EXIT_DONE)
		return code;
	ret = module_read(&payload->modules[payload->n_modules], file->name,
			  file->data.data, file->data.size, reason);
	if (ret < 0)
		return module_exit_code(ret);
	payload->n_modules++;
	return EXIT_DONE;
}

static enum exit_code read_files(struct payload *payload, const struct source *source)
{
	enum exit_code worst = EXIT_DONE;

	for (size_t i = 0; i < payload->count; i++) {
		struct payload_file *file = &payload->files[i];
		struct reason reason = { 0 };
		enum exit_code code = read_file(payload, source, file, &reason);

		if (code == EXIT_DONE)
			continue;
		log_failure(file->name, "%s", reason.text);
		if (code > worst)
			worst = code;
	}
	return worst;
}

/* Read a further file if SHA256SUMS lists it; otherwise @file stays empty. */
static enum exit_code read_extra(const struct payload *payload,
				 const struct source *source, const char *name,
				 size_t max, struct buf *file)
{
	const struct sum *sum = sums_find(&payload->sums, name);
	struct reason reason = { 0 };
	enum exit_code code;

	if (!sum)
		return EXIT_DONE;
	code = read_listed(source, sum->path, sum->digest, max, file, &reason);
	if (code != EXIT_DONE)
		log_failure(name, "%s", reason.text);
	return code;
}

/*
 * Return the exit status for @ret, the result of parsing @name, and print @reason on
 * failure.
 */
static enum exit_code read_of(const char *name, int ret, const struct reason *reason)
{
	if (ret == 0)
		return EXIT_DONE;
	log_failure(name, "%s", reason->text);
	return is_system_error(ret) ? EXIT_FAILED : EXIT_UNTRUSTED;
}

/* Read the certificate of the key that must have signed the modules, if there is one. */
static enum exit_code read_certificate(struct payload *payload,
				       const struct source *source)
{
	_cleanup_buf_ struct buf file = { 0 };
	struct reason reason = { 0 };
	enum exit_code code = read_extra(payload, source, CERTIFICATE_NAME,
					 CERTIFICATE_MAX_BYTES, &file);

	if (code != EXIT_DONE || !file.data)
		return code;
	return read_of(CERTIFICATE_NAME,
		       certificate_read(&payload->certificate, &file, &reason), &reason);
}

/* Read the digests of the modules without their signatures, if they are listed. */
static enum exit_code read_unsigned(const struct payload *payload,
				    const struct source *source, struct sums *sums)
{
	struct reason reason = { 0 };
	struct buf file = { 0 };
	enum exit_code code =
		read_extra(payload, source, UNSIGNED_NAME, SUMS_MAX_BYTES, &file);

	if (code != EXIT_DONE)
		buf_free(&file);
	if (code == EXIT_DONE && !file.data && payload->certificate) {
		log_failure(UNSIGNED_NAME,
			    "it is missing, but " CERTIFICATE_NAME " is there");
		return EXIT_UNTRUSTED;
	}
	if (code != EXIT_DONE || !file.data)
		return code;
	/* sums_parse() owns the text now. */
	return read_of(UNSIGNED_NAME, sums_parse(sums, file.data, file.size, &reason),
		       &reason);
}

static enum exit_code read_signature(const struct payload *payload,
				     struct payload_file *file, const struct sums *bare,
				     struct reason *reason)
{
	int ret = modsig_read(&file->sig, &file->data, payload->certificate, reason);
	const struct sum *sum;

	if (ret < 0)
		return is_system_error(ret) ? EXIT_FAILED : EXIT_UNTRUSTED;
	if (payload->certificate && file->sig.state == MODSIG_NONE) {
		reason_set(reason, -EBADMSG,
			   "it is not signed, but " CERTIFICATE_NAME " is there");
		return EXIT_UNTRUSTED;
	}
	if (!bare->count && !payload->certificate)
		return EXIT_DONE;
	sum = sums_find(bare, file->name);
	if (sum)
		return check_digest(file->data.data, file->sig.body, sum->digest,
				    UNSIGNED_NAME ", without its signature", reason);
	reason_set(reason, -EBADMSG, UNSIGNED_NAME " does not name it");
	return EXIT_UNTRUSTED;
}

/*
 * Read the module signatures, which the kernel checks; trust.h is about the whole bundle.
 */
static enum exit_code read_signatures(struct payload *payload,
				      const struct source *source)
{
	_cleanup_sums_ struct sums bare = { 0 };
	enum exit_code worst = read_certificate(payload, source);

	if (worst == EXIT_DONE)
		worst = read_unsigned(payload, source, &bare);
	if (worst != EXIT_DONE)
		return worst;
	for (size_t i = 0; i < payload->count; i++) {
		struct payload_file *file = &payload->files[i];
		struct reason reason = { 0 };
		enum exit_code code = read_signature(payload, file, &bare, &reason);

		if (code == EXIT_DONE)
			continue;
		log_failure(file->name, "%s", reason.text);
		if (code > worst)
			worst = code;
	}
	return worst;
}

/* Print who signed the modules: the certificate, or else what the first module names. */
static void say_signatures(const struct payload *payload)
{
	_cleanup_free_ char *subject = NULL, *key = NULL;
	const struct modsig *first = &payload->files[0].sig;

	if (payload->certificate) {
		subject = certificate_subject(payload->certificate);
		key = certificate_key_name(payload->certificate);
		log_info("its modules are signed for the kernel by '%s', key %s",
			 subject ? subject : "", key ? key : "");
	} else if (first->state == MODSIG_UNKNOWN) {
		log_info("its modules carry signatures for the kernel by %s, which were "
			 "not verified: there is no " CERTIFICATE_NAME,
			 first->signer);
	}
}

static enum exit_code guard_directory(const struct source *source)
{
	struct reason reason = { 0 };
	int ret = check_guarded(source->fd, &reason);

	if (ret == 0)
		return EXIT_DONE;
	log_failure(source->path, "%s", reason.text);
	return is_system_error(ret) ? EXIT_FAILED : EXIT_UNTRUSTED;
}

static enum exit_code read_directory(struct payload *payload,
				     const struct trust_policy *policy,
				     const struct source *source)
{
	enum exit_code code = trust_unsigned(policy, source->path);

	if (code == EXIT_DONE)
		code = guard_directory(source);
	if (code == EXIT_DONE)
		code = read_sums(payload, source);
	if (code == EXIT_DONE)
		code = list_files(payload, source);
	if (code == EXIT_DONE)
		code = read_files(payload, source);
	if (code == EXIT_DONE)
		code = read_signatures(payload, source);
	return code;
}

static enum exit_code parse_bundle(struct ustar *bundle, const struct buf *file,
				   const char *path)
{
	struct reason reason = { 0 };
	int ret = ustar_parse(bundle, file->data, file->size, &reason);

	if (ret == 0)
		return contents_check(bundle, path);
	log_failure(path, "%s", reason.text);
	return is_system_error(ret) ? EXIT_FAILED : EXIT_UNTRUSTED;
}

/* Verify the signature first: nothing else is done with the file before. */
static enum exit_code read_bundle(struct payload *payload,
				  const struct trust_policy *policy,
				  struct source *source)
{
	_cleanup_signer_ struct signer signer = { 0 };
	_cleanup_ustar_ struct ustar bundle = { 0 };
	_cleanup_buf_ struct buf file = { 0 };
	enum exit_code code;

	code = trust_read(policy, source->path, source->fd, &file, &signer);
	if (code == EXIT_DONE)
		code = parse_bundle(&bundle, &file, source->path);
	source->bundle = &bundle;
	if (code == EXIT_DONE)
		code = contents_sums(&bundle, source->path, source->release,
				     &payload->sums);
	if (code == EXIT_DONE)
		code = list_files(payload, source);
	if (code == EXIT_DONE)
		code = read_files(payload, source);
	if (code == EXIT_DONE)
		code = read_signatures(payload, source);
	if (code == EXIT_DONE)
		signer_say(&signer, source->path);
	source->bundle = NULL;
	return code;
}

enum exit_code payload_read(struct payload *payload, const struct trust_policy *policy,
			    const char *path, const char *release)
{
	struct source source = { .path = path, .release = release };
	struct reason reason = { 0 };
	_cleanup_close_ int fd = -1;
	struct stat st = { 0 };
	enum exit_code code;

	*payload = (struct payload){ 0 };
	fd = open_guarded(AT_FDCWD, path, &reason);
	if (fd >= 0 && fstat(fd, &st) < 0)
		reason_errno(&reason, -errno);
	if (*reason.text) {
		log_failure(path, "%s", reason.text);
		return fd == -EBADMSG ? EXIT_UNTRUSTED : EXIT_FAILED;
	}
	source.fd = fd;
	code = S_ISDIR(st.st_mode) ? read_directory(payload, policy, &source)
				   : read_bundle(payload, policy, &source);
	if (code == EXIT_DONE)
		say_signatures(payload);
	return code;
}
