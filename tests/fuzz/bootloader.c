// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of boot loaders: the input is grub.cfg, grubenv, an entry and loader.conf, with a
 * line "====" between them. Whatever is in them, a kernel has a release that can be one.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/host.h"
#include "base/log.h"
#include "kernel/bootloader.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
	"boot/grub/grub.cfg",
	"boot/grub/grubenv",
	"boot/loader/entries/one.conf",
	"boot/loader/loader.conf",
};

/* A root in memory, made once. */
static const char *root(void)
{
	static char path[] = "/dev/shm/wgkmod-fuzz-XXXXXX";
	static const char *const directories[] = { "boot", "boot/grub", "boot/loader",
						   "boot/loader/entries" };
	static int made;
	char name[256];

	if (made)
		return path;
	if (!mkdtemp(path))
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		snprintf(name, sizeof(name), "%s/%s", path, directories[i]);
		if (mkdir(name, 0755) < 0)
			abort();
	}
	made = 1;
	return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size), *cursor = text;
	struct next_kernel next = { 0 };
	struct reason reason = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[256], *end = cursor ? strstr(cursor, "====\n") : NULL;
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", root(), names[i]);
		if (!cursor) {
			unlink(path);
			continue;
		}
		file = fopen(path, "w");
		if (!file)
			abort();
		fwrite(cursor, 1, end ? (size_t)(end - cursor) : strlen(cursor), file);
		fclose(file);
		cursor = end ? end + strlen("====\n") : NULL;
	}
	if (bootloader_next(root(), false, &next, &reason) < 0) {
		if (!*reason.text)
			abort();
	} else if (!host_release_ok(next.release) || !*next.how) {
		abort();
	}
	next_kernel_free(&next);
	free(text);
	return 0;
}
