// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/boot_menu.h"

#include <ctype.h>
#include <fcntl.h>

#include "base/file.h"
#include "base/host.h"
#include "base/log.h"
#include "base/strlist.h"

void boot_menu_free(struct boot_menu *menu)
{
	for (size_t i = 0; i < menu->count; i++) {
		struct boot_entry *entry = &menu->entries[i];

		free(entry->id);
		free(entry->title);
		free(entry->release);
		free(entry->sort_key);
		free(entry->machine_id);
		free(entry->version);
	}
	free(menu->entries);
}

struct boot_entry *boot_menu_add(struct boot_menu *menu)
{
	struct boot_entry *grown;

	if (menu->count == BOOT_MAX_ENTRIES)
		return NULL;
	grown = reallocarray(menu->entries, menu->count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	menu->entries = grown;
	grown[menu->count] = (struct boot_entry){ .parent = -1 };
	return &grown[menu->count++];
}

int boot_read_file(const char *root, const char *path, size_t max, struct buf *out,
		   struct reason *reason)
{
	_cleanup_close_ int fd =
		root_open(root, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, NULL);
	struct reason why = { 0 };
	int ret = fd < 0 ? reason_errno(&why, fd) : read_fd(fd, max, out, &why);

	return ret < 0 ? reason_set(reason, ret, "%s: %s", path, why.text) : 0;
}

char *boot_image_release(const char *path)
{
	const char *base = strrchr(path, '/');
	static const char *const names[] = { "vmlinuz-", "kernel-", "linux-" };

	base = base ? base + 1 : path;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(base, names[i], strlen(names[i])) &&
		    host_release_ok(base + strlen(names[i])))
			return strdup(base + strlen(names[i]));
	return NULL;
}

void boot_take_field(const char *line, const char *key, char **out)
{
	size_t len = strlen(key);

	if (strncmp(line, key, len) != 0 || !isblank((unsigned char)line[len]) || *out)
		return;
	line += len + strspn(line + len, " \t");
	*out = strdup(line);
	if (*out)
		for (char *end = *out + strlen(*out);
		     end > *out && isspace((unsigned char)end[-1]);)
			*--end = '\0';
}

static void parse_entry(struct boot_entry *entry, char *text)
{
	_cleanup_free_ char *image = NULL;
	char *line;

	while ((line = strsep(&text, "\n"))) {
		line += strspn(line, " \t");
		boot_take_field(line, "title", &entry->title);
		boot_take_field(line, "linux", &image);
		boot_take_field(line, "version", &entry->version);
		boot_take_field(line, "sort-key", &entry->sort_key);
		boot_take_field(line, "machine-id", &entry->machine_id);
	}
	if (!image)
		return;
	entry->release = boot_image_release(image);
	/* "/MACHINE-ID/RELEASE/linux" */
	if (!entry->release && entry->version && host_release_ok(entry->version))
		entry->release = strdup(entry->version);
}

static int read_entry(const char *root, const char *directory, const char *name,
		      struct boot_menu *menu, struct reason *reason)
{
	_cleanup_free_ char *path = strdup_printf("%s/%s", directory, name);
	_cleanup_buf_ struct buf file = { 0 };
	struct boot_entry *entry;
	int ret = path ? boot_read_file(root, path, BOOT_FILE_MAX_BYTES, &file, reason)
		       : reason_errno(reason, -ENOMEM);

	if (ret < 0)
		return ret;
	entry = boot_menu_add(menu);
	if (!entry)
		return reason_set(reason, -E2BIG, "%s: it has more than %d entries",
				  directory, BOOT_MAX_ENTRIES);
	entry->id = strndup(name, strlen(name) - strlen(".conf"));
	if (!entry->id)
		return reason_errno(reason, -ENOMEM);
	parse_entry(entry, file.data);
	return 0;
}

int boot_menu_read(const char *root, const char *directory, struct boot_menu *menu,
		   struct reason *reason)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	int ret = root_list(root, directory, &names);

	if (ret < 0)
		return reason_errno_at(reason, ret, "%s", directory);
	for (size_t i = 0; ret == 0 && i < names.count; i++)
		if (names.items[i][0] != '.' && ends_with(names.items[i], ".conf"))
			ret = read_entry(root, directory, names.items[i], menu, reason);
	return ret;
}

/*
 * Compare versions as rpmvercmp() of rpm and of GRUB's blscfg does: digits as numbers,
 * letters as text, a number above letters, '~' below everything.
 */
static int compare_rpm(const char *a, const char *b)
{
	while (*a || *b) {
		size_t la, lb;
		int order;

		while (*a && !isalnum((unsigned char)*a) && *a != '~')
			a++;
		while (*b && !isalnum((unsigned char)*b) && *b != '~')
			b++;
		if (*a == '~' || *b == '~') {
			if (*a != '~')
				return 1;
			if (*b != '~')
				return -1;
			a++, b++;
			continue;
		}
		if (!*a || !*b)
			break;
		if (isdigit((unsigned char)*a)) {
			if (!isdigit((unsigned char)*b))
				return 1;
			a += strspn(a, "0");
			b += strspn(b, "0");
			la = strspn(a, "0123456789");
			lb = strspn(b, "0123456789");
			order = la != lb ? (la > lb) - (la < lb) : strncmp(a, b, la);
		} else {
			if (!isalpha((unsigned char)*b))
				return -1;
			for (la = 0; isalpha((unsigned char)a[la]);)
				la++;
			for (lb = 0; isalpha((unsigned char)b[lb]);)
				lb++;
			order = strncmp(a, b, la < lb ? la : lb);
			if (!order)
				order = (la > lb) - (la < lb);
		}
		if (order)
			return order;
		a += la;
		b += lb;
	}
	return (*a != '\0') - (*b != '\0');
}

/* Newest first. */
static int by_file_name(const void *a, const void *b)
{
	return compare_rpm(((const struct boot_entry *)b)->id,
			   ((const struct boot_entry *)a)->id);
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* The order of systemd-boot: boot_entry_compare() in its src/boot/efi/boot.c. */
static int by_sort_key(const void *a, const void *b)
{
	const struct boot_entry *x = a, *y = b;
	int order;

	if (!x->sort_key != !y->sort_key)
		return x->sort_key ? -1 : 1;
	if (x->sort_key) {
		order = compare_text(x->sort_key, y->sort_key);
		if (!order)
			order = compare_text(x->machine_id, y->machine_id);
		if (!order)
			order = compare_rpm(y->version ? y->version : "",
					    x->version ? x->version : "");
		if (order)
			return order;
	}
	return compare_rpm(y->id, x->id);
}

void boot_menu_sort(struct boot_menu *menu, enum boot_order order)
{
	if (menu->count)
		qsort(menu->entries, menu->count, sizeof(*menu->entries),
		      order == BY_SORT_KEY ? by_sort_key : by_file_name);
}
