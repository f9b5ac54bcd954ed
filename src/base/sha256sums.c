// SPDX-License-Identifier: GPL-2.0-only
#include "base/sha256sums.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"

int sha256(const void *data, size_t size, unsigned char digest[static SHA256_BYTES])
{
	unsigned int len = 0;

	if (EVP_Digest(data, size, digest, &len, EVP_sha256(), NULL) != 1)
		return -EIO;
	return len == SHA256_BYTES ? 0 : -EIO;
}

void hex_text(const unsigned char *bytes, size_t size, char *hex)
{
	*hex = '\0';
	for (size_t i = 0; i < size; i++)
		sprintf(hex + 2 * i, "%02x", bytes[i]);
}

int sha256_parse(const char *hex, unsigned char digest[static SHA256_BYTES])
{
	if (strspn(hex, "0123456789abcdef") < SHA256_DIGITS)
		return -EINVAL;
	for (size_t i = 0; i < SHA256_BYTES; i++)
		sscanf(hex + 2 * i, "%2hhx", &digest[i]);
	return 0;
}

#define MAX_COMPONENT 200
#define MAX_PATH 1000

void sums_free(struct sums *sums)
{
	free(sums->entries);
	free(sums->text);
	*sums = (struct sums){ 0 };
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct sum *)a)->path, ((const struct sum *)b)->path);
}

bool sums_is_path(const char *path)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";

	if (strlen(path) > MAX_PATH)
		return false;
	for (;; path++) {
		size_t len = strcspn(path, "/");

		if (len == 0 || len > MAX_COMPONENT || path[0] == '.' ||
		    strspn(path, allowed) < len)
			return false;
		path += len;
		if (!*path)
			return true;
	}
}

bool sums_is_module_path(const char *path)
{
	return sums_is_path(path) && !strncmp(path, "kernel/", strlen("kernel/")) &&
	       ends_with(strrchr(path, '/') + 1, ".ko");
}

/* A line_fn: @arg is the struct sums. */
static int parse_line(char *line, void *arg, struct reason *reason)
{
	struct sums *sums = arg;
	struct sum *sum = &sums->entries[sums->count];

	if (sha256_parse(line, sum->digest) < 0)
		return reason_set(reason, -EBADMSG, "not a digest of 64 digits");
	line += SHA256_DIGITS;
	if (line[0] != ' ' || (line[1] != ' ' && line[1] != '*'))
		return reason_set(reason, -EBADMSG, "no two spaces after the digest");
	sum->path = line + 2;
	if (!*sum->path)
		return reason_set(reason, -EBADMSG, "no path");
	for (const char *c = sum->path; *c; c++)
		if (*c < ' ' || *c > '~')
			return reason_set(reason, -EBADMSG,
					  "a path that is not printable ASCII");
	sums->count++;
	return 0;
}

static int sort(struct sums *sums, struct reason *reason)
{
	if (!sums->count)
		return 0;
	qsort(sums->entries, sums->count, sizeof(*sums->entries), compare);
	for (size_t i = 1; i < sums->count; i++)
		if (!compare(&sums->entries[i - 1], &sums->entries[i]))
			return reason_set(reason, -EBADMSG, "it lists '%s' twice",
					  sums->entries[i].path);
	return 0;
}

int sums_parse(struct sums *sums, char *text, size_t size, struct reason *reason)
{
	int ret;

	*sums = (struct sums){ .text = text };
	sums->entries = calloc(count_lines(text, size) + 1, sizeof(*sums->entries));
	ret = sums->entries ? each_line(text, size, parse_line, sums, reason)
			    : reason_errno(reason, -ENOMEM);
	if (ret == 0)
		ret = sort(sums, reason);
	if (ret < 0)
		sums_free(sums);
	return ret;
}

const struct sum *sums_find(const struct sums *sums, const char *path)
{
	const struct sum key = { .path = path };

	if (!sums->count)
		return NULL;
	return bsearch(&key, sums->entries, sums->count, sizeof(key), compare);
}
