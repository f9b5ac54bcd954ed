// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bundles: what ustar_parse() lets through has plain names, each once, and data that end
 * in a NUL. Headers are given their right checksums first, or no change would get past
 * the first check; but for some, by their first byte, which keep their own.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/sha256sums.h"
#include "bundle/ustar.h"

#define BLOCK 512
#define CHECKSUM 148
#define CHECKSUM_BYTES 8
#define MAGIC 257

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fix_checksum(char *header)
{
	unsigned int sum = 0;

	if (memcmp(header + MAGIC, "ustar", strlen("ustar")) != 0)
		return;
	memset(header + CHECKSUM, ' ', CHECKSUM_BYTES);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)header[i];
	snprintf(header + CHECKSUM, CHECKSUM_BYTES, "%06o", sum);
	header[CHECKSUM + CHECKSUM_BYTES - 1] = ' ';
}

static void check(const char *data, size_t size)
{
	_cleanup_ustar_ struct ustar bundle;
	struct reason reason = { 0 };

	if (ustar_parse(&bundle, data, size, &reason) < 0) {
		if (!*reason.text)
			abort();
		return;
	}
	for (size_t i = 0; i < bundle.count; i++)
		if (!sums_is_path(bundle.files[i].path) ||
		    ustar_find(&bundle, bundle.files[i].path) != &bundle.files[i] ||
		    bundle.files[i].data.data < data ||
		    bundle.files[i].data.size > size ||
		    bundle.files[i].data.data + bundle.files[i].data.size > data + size)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	if (!size || data[0] % 8)
		for (size_t at = 0; at + BLOCK <= size; at += BLOCK)
			fix_checksum(copy + at);
	check(copy, size);
	free(copy);
	return 0;
}
