/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The menu of a boot loader, and the files of the Boot Loader Specification that fill it
 * (https://uapi-group.org/specifications/specs/boot_loader_specification/). Nothing in
 * the files is trusted.
 */
#pragma once

#include "base/util.h"

#define BOOT_MAX_ENTRIES 1000
#define BOOT_FILE_MAX_BYTES (64UL << 10)

/* An entry of a menu. All strings are owned. */
struct boot_entry {
	char *id; /* of the menu entry; of a file its name without .conf */
	char *title;
	char *release;	  /* NULL: it boots no kernel of Linux, or is a submenu */
	char *sort_key;	  /* the last three are of systemd-boot */
	char *machine_id; /* or NULL */
	char *version;
	int parent; /* index of its submenu, or -1 */
	bool submenu;
};

struct boot_menu {
	struct boot_entry *entries;
	size_t count;
};

enum boot_order {
	BY_FILE_NAME, /* GRUB's blscfg: newest first, as rpmvercmp() compares */
	BY_SORT_KEY,  /* systemd-boot */
};

/* Add an empty entry to @menu. Returns it, or NULL if there is no room for it. */
struct boot_entry *boot_menu_add(struct boot_menu *menu) _nonnull_all_;

/*
 * Add the entries of the files "*.conf" in @directory below @root to @menu, in any
 * order. Returns 0, or -errno with @reason filled in.
 */
int boot_menu_read(const char *root, const char *directory, struct boot_menu *menu,
		   struct reason *reason) _checked_;

/* Sort the entries of files, the one that boots by default first. */
void boot_menu_sort(struct boot_menu *menu, enum boot_order order) _nonnull_all_;

void boot_menu_free(struct boot_menu *menu);

/*
 * Read the file @path below @root, at most @max bytes. Returns 0, or -errno with
 * @reason, which names the file.
 */
int boot_read_file(const char *root, const char *path, size_t max, struct buf *out,
		   struct reason *reason) _checked_;

/*
 * Return the release in the path of a kernel's image, which the caller owns, or NULL:
 * "/boot/vmlinuz-RELEASE".
 */
char *boot_image_release(const char *path) _nonnull_all_;

/* If @line is "KEY VALUE", set *@out to the value, which the caller owns, once. */
void boot_take_field(const char *line, const char *key, char **out) _nonnull_all_;
