// SPDX-License-Identifier: GPL-2.0-only
/* Symbol tables: what is read is sorted, and its strings end. */
#include "fit/symvers.h"
#include "base/log.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_symvers_ struct symvers symvers = { 0 };
	struct reason reason = { 0 };
	char *text = text_of(data, size);

	if (symvers_parse(&symvers, text, size, &reason) < 0) {
		if (!*reason.text)
			abort();
		return 0;
	}
	for (size_t i = 1; i < symvers.table.count; i++)
		if (strcmp(symvers.table.symbols[i - 1].name,
			   symvers.table.symbols[i].name) > 0)
			abort();
	return 0;
}
