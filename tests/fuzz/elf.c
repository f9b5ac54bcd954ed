// SPDX-License-Identifier: GPL-2.0-only
/* Modules, as far as they are read here and not by libkmod: whatever passes has symbols
 * and namespaces inside of it. */
#include "base/log.h"
#include "fit/elf_rules.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_exports(const struct elf *elf, const struct layout *layout,
			 struct reason *reason)
{
	struct symbol exported = { .name = "exported" };
	struct symtab exports = { .symbols = &exported, .count = 1 };
	_cleanup_free_ char *strings = NULL;

	if (elf_rules_exports(elf, layout, &exports, &strings, reason) < 0 &&
	    !*reason->text)
		abort();
	if (exported.ns && !*exported.ns)
		abort();
}

static int check(const char *data, size_t size, struct reason *reason)
{
	struct layout layout = { 0 };
	struct elf elf;
	int ret = elf_open(&elf, data, size, reason);

	if (ret == 0)
		ret = elf_rules_check(&elf, &layout, reason);
	if (ret == 0)
		read_exports(&elf, &layout, reason);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reason reason = { 0 };
	/* Of exactly this size, so that the sanitizer sees a read behind it. */
	char *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	if (check(copy, size, &reason) < 0 && !*reason.text)
		abort();
	free(copy);
	return 0;
}
