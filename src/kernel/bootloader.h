/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Find out which kernel boots next, by the files of the boot loader. Nothing in them is
 * trusted. The rules:
 *
 * - A kernel that kexec has loaded, or another EFI entry that is to boot next
 *   (BootNext), comes before everything, and nothing shows which kernel that is.
 * - systemd-boot, if it says in the EFI variable LoaderInfo that it ran, or if its
 *   loader.conf is there and no grub.cfg: LoaderEntryOneShot, LoaderEntryDefault,
 *   "default" of loader.conf (a pattern of file names), or the first entry in the order
 *   of the Boot Loader Specification (sort-key, machine-id, version, then file name).
 * - GRUB: next_entry of grubenv where grub.cfg uses it, else what grub.cfg sets as
 *   default, mostly saved_entry of grubenv; each an index, an id or a title, and "A>B"
 *   in a submenu; what is not found, or empty, means the first entry. The entries are
 *   those of grub.cfg, or with the command blscfg the files of boot/loader/entries,
 *   sorted by name as rpmvercmp() does, the newest first (grub-core/commands/blscfg.c of
 *   Fedora and RHEL).
 */
#pragma once

#include "base/util.h"

struct next_kernel {
	char *release; /* owned */
	char *how;     /* what said so, in words; owned */
};

/*
 * Find the kernel that boots next below the canonical @root. @running: @root is that of
 * the running system. Returns 0, or -errno with @reason filled in if it cannot be found
 * out; call next_kernel_free() in either case.
 */
int bootloader_next(const char *root, bool running, struct next_kernel *next,
		    struct reason *reason) _checked_;

void next_kernel_free(struct next_kernel *next);
