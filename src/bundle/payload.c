// SPDX-License-Identifier: GPL-2.0-only
#include "bundle/payload.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/host.h"
#include "base/log.h"
#include "base/strlist.h"
#include "bundle/modsig.h"
#include "bundle/trust.h"
#include "bundle/ustar.h"
#include "fit/module.h"

#define SUMS_NAME "SHA256SUMS"
#define SUMS_MAX_BYTES (1UL << 20)
#define MODULES_PREFIX "modules/"
#define CERTIFICATE_NAME "signing_key.x509"

/* The source of the bytes: the directory @fd, or the directory @release of a bundle. */
struct source {
	const char *path; /* for messages */
	int fd;
	const char *release;
	const struct ustar *bundle; /* NULL: a directory */
};

void payload_free(struct payload *payload)
{
	for (size_t i = 0; i < payload->n_modules; i++)
		module_free(&payload->modules[i]);
	for (size_t i = 0; i < payload->count; i++)
		free(payload->files[i].own);
	free(payload->modules);
	free(payload->files);
	certificate_free(&payload->certificate);
	sums_free(&payload->sums);
	buf_free(&payload->bundle);
	*payload = (struct payload){ 0 };
}

/* Print what is wrong with the file @name of the payload. Returns file_error(@ret). */
static int refuse(const struct source *source, const char *name, int ret,
		  const struct reason *reason)
{
	if (source->bundle)
		log_failure(source->path, "entry '%s/%s': %s", source->release, name,
			    reason->text);
	else
		log_failure(name, "%s", reason->text);
	return file_error(ret);
}

/* Find the entry @name of the release's directory in the bundle. Returns 0 or -errno. */
static int find_entry(const struct source *source, const char *name, struct slice *data)
{
	_cleanup_free_ char *path = strdup_printf("%s/%s", source->release, name);
	const struct ustar_file *file = path ? ustar_find(source->bundle, path) : NULL;

	if (!path)
		return -ENOMEM;
	if (!file)
		return -ENOENT;
	*data = file->data;
	return 0;
}

/* Add the release of each directory at the top of the bundle, where all has to lie. */
static int list_releases(const struct ustar *bundle, const char *path,
			 struct strlist *releases)
{
	const char *last = "";

	/* They are sorted: the entries of a directory follow each other. */
	for (size_t i = 0; i < bundle->count; i++) {
		const char *entry = bundle->files[i].path;
		size_t len = strcspn(entry, "/");
		_cleanup_free_ char *release = strndup(entry, len);

		if (release && (!entry[len] || !host_release_ok(release))) {
			log_failure(path,
				    "entry '%s': it lies in no directory of a kernel",
				    entry);
			return -EBADMSG;
		}
		if (!release ||
		    (strcmp(release, last) != 0 && strlist_add(releases, release) < 0))
			return log_no_memory();
		last = releases->items[releases->count - 1];
	}
	return 0;
}

/*
 * Check that every entry of the bundle lies in the directory of a kernel release, and
 * that one does in that of @source->release. The other directories are not looked at.
 */
static int check_releases(const struct source *source)
{
	_cleanup_strlist_ struct strlist releases = { 0 };
	char has[REASON_MAX] = "";
	size_t used = 0;
	int ret = list_releases(source->bundle, source->path, &releases);

	if (ret < 0 || strlist_has(&releases, source->release))
		return ret;
	for (size_t i = 0; i < releases.count && used < sizeof(has); i++)
		used += (size_t)snprintf(has + used, sizeof(has) - used, "%s%s",
					 used ? ", " : "", releases.items[i]);
	log_failure(source->path, "it has no modules for %s, but for %s", source->release,
		    has);
	return -ENOEXEC;
}

static int check_digest(struct slice data, const unsigned char *want,
			struct reason *reason)
{
	unsigned char digest[SHA256_BYTES];

	if (sha256(data.data, data.size, digest) < 0)
		return reason_set(reason, -EIO, "libcrypto cannot compute its digest");
	if (!memcmp(digest, want, sizeof(digest)))
		return 0;
	return reason_set(reason, -EBADMSG, "its digest is not the one in " SUMS_NAME);
}

/* Check that SHA256SUMS names every file of the release's directory in the bundle. */
static int check_entries(const struct payload *payload, const struct source *source)
{
	size_t len = strlen(source->release);
	int ret = 0;

	for (size_t i = 0; i < source->bundle->count; i++) {
		const char *path = source->bundle->files[i].path;
		const char *name = path + len + 1;

		if (strncmp(path, source->release, len) != 0 || path[len] != '/' ||
		    !strcmp(name, SUMS_NAME) || sums_find(&payload->sums, name))
			continue;
		log_failure(source->path, "entry '%s': SHA256SUMS does not name it",
			    path);
		ret = -EBADMSG;
	}
	return ret;
}

/* Parse a copy of @data, which sums_parse() takes. */
static int parse_sums(struct sums *sums, struct slice data, struct reason *reason)
{
	char *text = malloc(data.size + 1);

	if (!text)
		return reason_errno(reason, -ENOMEM);
	memcpy(text, data.data, data.size);
	text[data.size] = '\0';
	return sums_parse(sums, text, data.size, reason);
}

/* Read the release's SHA256SUMS of the bundle, which has to name all that is there. */
static int read_sums_entry(struct payload *payload, const struct source *source)
{
	int ret = check_releases(source);
	struct reason reason = { 0 };
	struct slice data;

	if (ret < 0)
		return ret;
	ret = find_entry(source, SUMS_NAME, &data);
	if (ret < 0)
		reason_set(&reason, ret, "it is missing");
	else
		ret = parse_sums(&payload->sums, data, &reason);
	if (ret < 0)
		return refuse(source, SUMS_NAME, ret, &reason);
	return check_entries(payload, source);
}

/*
 * Read SHA256SUMS of a directory, guarded: whoever can write the list or its directory
 * decides what is installed.
 */
static int read_sums_file(struct payload *payload, const struct source *source)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct buf file = { 0 };
	struct reason reason = { 0 };
	int ret;

	path = strdup_printf("%s/" SUMS_NAME, source->path);
	if (!path)
		return log_no_memory();
	fd = open_guarded(source->fd, SUMS_NAME, &reason);
	ret = fd < 0 ? fd : read_guarded(fd, SUMS_MAX_BYTES, &file, &reason);
	if (ret == 0)
		ret = sums_parse(&payload->sums, file.data, file.size, &reason);
	return file_error(log_reason(path, ret, &reason));
}

/* Get the bytes of the file @sum, and check its digest. Each file is read once. */
static int get_bytes(const struct source *source, const struct sum *sum,
		     struct slice *data, char **own, struct reason *reason)
{
	struct buf file = { 0 };
	int ret;

	if (source->bundle) {
		ret = find_entry(source, sum->path, data);
		if (ret < 0)
			return reason_set(reason, ret,
					  "SHA256SUMS names it, but it is missing");
	} else {
		ret = read_beneath(source->fd, sum->path, MODULE_MAX_BYTES, &file,
				   reason);
		if (ret < 0)
			return ret;
		*own = file.data;
		*data = (struct slice){ file.data, file.size };
	}
	return check_digest(*data, sum->digest, reason);
}

/* Add the module @sum; digest and module are made of the same bytes. */
static int add_module(struct payload *payload, const struct source *source,
		      const struct sum *sum)
{
	struct payload_file *file = &payload->files[payload->count];
	struct reason reason = { 0 };
	int ret;

	*file = (struct payload_file){
		.name = sum->path,
		.path = sum->path + strlen(MODULES_PREFIX),
		.digest = sum->digest,
	};
	if (!sums_is_module_path(file->path)) {
		log_failure(source->path,
			    "SHA256SUMS names '%s', which is not a path of a module",
			    sum->path);
		return -EBADMSG;
	}
	payload->count++;
	ret = get_bytes(source, sum, &file->data, &file->own, &reason);
	if (ret < 0)
		return refuse(source, sum->path, ret, &reason);
	file->is_signed = modsig_present(file->data);
	ret = module_read(&payload->modules[payload->n_modules], file->name,
			  file->data.data, file->data.size, &reason);
	payload->n_modules += ret == 0;
	return log_reason(file->name, ret, &reason);
}

/* Check another file, and read it if it is the certificate. */
static int add_other(struct payload *payload, const struct source *source,
		     const struct sum *sum)
{
	_cleanup_free_ char *own = NULL;
	struct reason reason = { 0 };
	struct slice data = { 0 };
	int ret;

	ret = get_bytes(source, sum, &data, &own, &reason);
	if (ret < 0)
		return refuse(source, sum->path, ret, &reason);
	if (strcmp(sum->path, CERTIFICATE_NAME) != 0)
		return 0;
	ret = certificate_read(&payload->certificate, data, &reason);
	return file_error(log_reason(CERTIFICATE_NAME, ret, &reason));
}

static int check_signed(const struct payload *payload)
{
	for (size_t i = 0; payload->certificate && i < payload->count; i++) {
		if (payload->files[i].is_signed)
			continue;
		log_failure(payload->files[i].name,
			    "it is not signed, but " CERTIFICATE_NAME " is there");
		return -EBADMSG;
	}
	return 0;
}

/* Read and check the files that payload->sums lists. Prints all that is wrong. */
static int read_files(struct payload *payload, const struct source *source)
{
	int worst = 0;

	payload->files = calloc(payload->sums.count + 1, sizeof(*payload->files));
	payload->modules = calloc(payload->sums.count + 1, sizeof(*payload->modules));
	if (!payload->files || !payload->modules)
		return log_no_memory();
	for (size_t i = 0; i < payload->sums.count; i++) {
		const struct sum *sum = &payload->sums.entries[i];
		int ret = 0;

		if (strncmp(sum->path, MODULES_PREFIX, strlen(MODULES_PREFIX)) == 0)
			ret = add_module(payload, source, sum);
		else if (source->bundle || !strcmp(sum->path, CERTIFICATE_NAME))
			ret = add_other(payload, source, sum);
		worst = graver_error(worst, ret);
	}
	if (worst == 0 && !payload->count) {
		log_failure(source->path, "SHA256SUMS names no module");
		return -EBADMSG;
	}
	return worst == 0 ? check_signed(payload) : worst;
}

/* Print whose signatures the modules carry, as the certificate says. */
static void say_signatures(const struct payload *payload)
{
	_cleanup_free_ char *subject = NULL, *key = NULL;

	if (payload->certificate) {
		subject = certificate_subject(payload->certificate);
		key = certificate_key_name(payload->certificate);
		log_info("its modules are signed for the kernel by '%s', key %s, which "
			 "the kernel verifies",
			 subject ? subject : "", key ? key : "");
	} else if (payload->files[0].is_signed) {
		log_info("its modules are signed for the kernel; there is "
			 "no " CERTIFICATE_NAME " that says by whom");
	}
}

static int read_directory(struct payload *payload, const struct trust_policy *policy,
			  const struct source *source)
{
	struct reason reason = { 0 };
	int ret = trust_unsigned(policy, source->path);

	if (ret == 0)
		ret = file_error(log_reason(source->path,
					    check_guarded(source->fd, &reason), &reason));
	if (ret == 0)
		ret = read_sums_file(payload, source);
	return ret == 0 ? read_files(payload, source) : ret;
}

/*
 * Read the bundle @fd, called @path, into @file. Nothing else is done with it before its
 * signature is verified. Prints what is wrong.
 */
static int open_bundle(struct ustar *bundle, const struct trust_policy *policy,
		       const char *path, int fd, struct buf *file, struct signer *signer)
{
	struct reason reason = { 0 };
	int ret = trust_read(policy, path, fd, file, signer);

	if (ret < 0)
		return ret;
	ret = ustar_parse(bundle, file->data, file->size, &reason);
	return file_error(log_reason(path, ret, &reason));
}

static int read_bundle(struct payload *payload, const struct trust_policy *policy,
		       struct source *source)
{
	_cleanup_signer_ struct signer signer = { 0 };
	_cleanup_ustar_ struct ustar bundle = { 0 };
	int ret = open_bundle(&bundle, policy, source->path, source->fd, &payload->bundle,
			      &signer);

	if (ret < 0)
		return ret;
	source->bundle = &bundle;
	ret = read_sums_entry(payload, source);
	if (ret == 0)
		ret = read_files(payload, source);
	if (ret == 0)
		signer_say(&signer, source->path);
	payload->timestamp = signer.comment ? comment_timestamp(signer.comment) : 0;
	source->bundle = NULL;
	return ret;
}

int payload_read(struct payload *payload, const struct trust_policy *policy,
		 const char *path, const char *release)
{
	struct source source = { .path = path, .release = release };
	struct reason reason = { 0 };
	_cleanup_close_ int fd = -1;
	struct stat st = { 0 };
	int ret;

	*payload = (struct payload){ 0 };
	source.fd = fd = open_guarded(AT_FDCWD, path, &reason);
	ret = fd < 0 ? fd : reason_errno(&reason, fstat(fd, &st) < 0 ? -errno : 0);
	if (ret < 0)
		return log_reason(path, ret, &reason);
	ret = S_ISDIR(st.st_mode) ? read_directory(payload, policy, &source)
				  : read_bundle(payload, policy, &source);
	if (ret == 0)
		say_signatures(payload);
	return ret;
}

int payload_releases(const struct trust_policy *policy, const char *path,
		     struct strlist *releases)
{
	_cleanup_signer_ struct signer signer = { 0 };
	_cleanup_ustar_ struct ustar bundle = { 0 };
	_cleanup_buf_ struct buf file = { 0 };
	struct reason reason = { 0 };
	_cleanup_close_ int fd = open_guarded(AT_FDCWD, path, &reason);
	int ret;

	if (fd < 0)
		return log_reason(path, fd, &reason);
	ret = open_bundle(&bundle, policy, path, fd, &file, &signer);
	if (ret == 0)
		ret = list_releases(&bundle, path, releases);
	strlist_sort(releases);
	return ret;
}
