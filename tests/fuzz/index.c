// SPDX-License-Identifier: GPL-2.0-only
/* Binary indexes of depmod: what is whole has no byte more or less, and walking any ends. */
#include "tree/index.h"
#include "base/file.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of exactly this size, so that the sanitizer sees a read behind it. */
	char *copy = malloc(size ? size : 1);
	struct buf file = { .data = copy, .size = size };

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	if (index_is_whole(&file)) {
		const char *value = index_find(&file, "kernel_module");

		if (value && (value < copy || value + strlen(value) >= copy + size))
			abort();
		file.size--;
		if (index_is_whole(&file))
			abort();
	}
	free(copy);
	return 0;
}
