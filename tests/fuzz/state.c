// SPDX-License-Identifier: GPL-2.0-only
/* Lists of digests, SHA256SUMS and the state: what is read is sorted, no path twice. */
#include "base/log.h"
#include "base/sha256sums.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_sums_ struct sums sums = { 0 };
	struct reason reason = { 0 };
	char *text = text_of(data, size);

	if (sums_parse(&sums, text, size, &reason) < 0) {
		if (!*reason.text)
			abort();
		return 0;
	}
	for (size_t i = 0; i < sums.count; i++) {
		const char *path = sums.entries[i].path;

		if (sums_find(&sums, path) != &sums.entries[i])
			abort();
		if (sums_is_module_path(path) &&
		    (!sums_is_path(path) || strstr(path, "..") == path || *path == '/'))
			abort();
	}
	return 0;
}
