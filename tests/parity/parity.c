// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: parity NAME OURS.ko VENDORS.ko
 *
 * Whether two modules are the same code: the contents of every loaded section, every
 * relocation by its symbol's name, every symbol, every CRC, every entry of .modinfo.
 * These alone may differ, and a line says which of them do:
 *
 *	intree		the entry of .modinfo that says who built it
 *	build-id	the linker's digest of the file, debug data included
 *	BTF		type information made with the whole kernel at hand
 *	signature	what is appended behind the ELF file
 *	symbol-order	the order of the symbols, and so of their CRCs
 *
 * Any other difference is printed with section, offset and symbol. Status 0 if there is
 * none, 1 if there are, 2 if a file cannot be compared.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "facts.h"
#include "ko.h"
#include "rows.h"

static struct {
	size_t sections, relocations, symbols, crcs, modinfo;
	uint64_t bytes;
} equal;

static char allowed[256];

static void allow(const char *what)
{
	size_t len = strlen(allowed);

	snprintf(allowed + len, sizeof(allowed) - len, "%s%s", len ? "," : "", what);
}

/* Compares what @add makes of both, and returns the number of rows of ours. */
static size_t compare_rows(void (*add)(struct rows *, const struct ko *),
			   const struct ko *ours, const struct ko *vendors)
{
	struct rows one = { 0 }, other = { 0 };

	add(&one, ours);
	add(&other, vendors);
	rows_compare(&one, &other, ours);
	return one.n;
}

/* What the reader sees of strings: the one that holds @offset. */
static const char *string_around(const struct section *section, uint64_t offset)
{
	uint64_t start = offset;

	if (!(section->header.sh_flags & SHF_STRINGS) ||
	    section->data[section->header.sh_size - 1])
		return NULL;
	while (start > 0 && section->data[start - 1])
		start--;
	return (const char *)section->data + start;
}

/* Names each run of bytes that differ. */
static void compare_bytes(const struct ko *ko, const struct section *ours,
			  const struct section *vendors)
{
	const unsigned char *one = ours->data, *other = vendors->data;
	const uint64_t size = ours->header.sh_size;
	uint64_t end;
	const char *string, *other_string;
	char where[512];

	equal.bytes += size;
	for (uint64_t at = 0; at < size; at = end) {
		for (end = at + 1;
		     end < size && one[at] != other[at] && one[end] != other[end];)
			end++;
		if (one[at] == other[at])
			continue;
		place(ko, ours, at, where, sizeof(where));
		string = string_around(ours, at);
		other_string = string_around(vendors, at);
		if (string && other_string)
			difference("%s: is \"%s\", the vendor's \"%s\"", where, string,
				   other_string);
		else
			difference("%s: is 0x%02x, the vendor's 0x%02x; bytes that "
				   "differ in a row: %" PRIu64,
				   where, one[at], other[at], end - at);
	}
}

/* Whether the descriptors of two build-id notes differ; the rest of them must not. */
static void compare_build_id(const struct ko *ko, const struct section *ours,
			     const struct section *vendors)
{
	const size_t head = sizeof(GElf_Nhdr) + sizeof(ELF_NOTE_GNU);
	char where[512];

	if (memcmp(ours->data, vendors->data, ours->header.sh_size) == 0)
		return;
	if (ours->header.sh_size < head || memcmp(ours->data, vendors->data, head) != 0)
		difference("%s: the head of the note differs",
			   place(ko, ours, 0, where, sizeof(where)));
	allow("build-id");
}

static void compare_contents(const struct ko *ours, const struct ko *vendors)
{
	for (size_t i = 0; i < ours->n_sections; i++) {
		const struct section *one = &ours->sections[i];
		const struct section *other = ko_section(vendors, one->name, one->nth);

		if (is_btf(one))
			continue;
		equal.sections++;
		/* that one of them lacks it, or the sizes differ, was said of the
		 * sections */
		if (!other || !one->data || !other->data || is_versions(one) ||
		    is_modinfo(one) || one->header.sh_size != other->header.sh_size)
			continue;
		if (is_build_id(one))
			compare_build_id(ours, one, other);
		else
			compare_bytes(ours, one, other);
	}
}

/* What may differ, besides the build-id. */
static void compare_allowed(const struct ko *ours, const struct ko *vendors)
{
	bool same_order = ours->n_symbols == vendors->n_symbols;

	if (has_intree(ours) != has_intree(vendors))
		allow("intree");
	if (ours->btf || vendors->btf)
		allow("BTF");
	if (ours->signature || vendors->signature)
		allow("signature");
	for (size_t i = 0; same_order && i < ours->n_symbols; i++)
		same_order = !strcmp(ours->symbols[i].name, vendors->symbols[i].name);
	if (!same_order)
		allow("symbol-order");
}

int main(int argc, char **argv)
{
	struct ko ours, vendors;

	if (argc != 4)
		errx(2, "usage: parity NAME OURS.ko VENDORS.ko");
	module_name = argv[1];
	ko_read(&ours, argv[2]);
	ko_read(&vendors, argv[3]);
	compare_rows(add_sections, &ours, &vendors);
	compare_contents(&ours, &vendors);
	equal.relocations = compare_rows(add_relocations, &ours, &vendors);
	equal.symbols = compare_rows(add_symbols, &ours, &vendors);
	equal.crcs = compare_rows(add_versions, &ours, &vendors);
	equal.modinfo = compare_rows(add_modinfo, &ours, &vendors);
	compare_allowed(&ours, &vendors);
	if (differences) {
		printf("parity: %s: differs from the vendor's in %u places\n",
		       module_name, differences);
		return 1;
	}
	printf("parity: %s: equal sections=%zu bytes=%" PRIu64
	       " relocations=%zu symbols=%zu crcs=%zu modinfo=%zu differing=%s\n",
	       module_name, equal.sections, equal.bytes, equal.relocations, equal.symbols,
	       equal.crcs, equal.modinfo, *allowed ? allowed : "nothing");
	return fflush(stdout) == 0 ? 0 : 2;
}
