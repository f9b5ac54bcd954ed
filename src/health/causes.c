// SPDX-License-Identifier: GPL-2.0-only
#include "health/causes.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

/* What to do, in words that repeat. */
#define INSTALL "wgkmod install --kernel RELEASE BUNDLE"
#define REPLACE "wgkmod install --kernel RELEASE --replace BUNDLE"
#define SIGN "make artifacts MODULE_KEY= MODULE_CERT=, with a key that is enrolled"

/* clang-format off */
const struct cause_info cause_table[CAUSE_COUNT] = {
	[CAUSE_CONTAINER_HOST] = { "container-host",
	 "this is a container: only its host can load a kernel module",
	 "on the host: wgkmod doctor" },
	[CAUSE_CONTAINER_RIGHTS] = { "container-rights",
	 "this container may not load kernel modules, or does not have them",
	 "on the host: modprobe wireguard" },
	[CAUSE_NO_MODPROBE] = { "no-modprobe",
	 "there is no modprobe",
	 "install the package kmod" },
	[CAUSE_KERNEL_GONE] = { "kernel-gone",
	 "the modules of this kernel are gone: its package was removed or updated",
	 "reboot into an installed kernel" },
	[CAUSE_HALF_INSTALLED] = { "half-installed",
	 "a module that wgkmod installed is missing or changed, or a run was interrupted",
	 INSTALL },
	[CAUSE_REBOOTED] = { "rebooted",
	 "the host was rebooted from a kernel that has the module into one that does not",
	 INSTALL ", or boot the kernel before" },
	[CAUSE_OTHER_KERNEL] = { "other-kernel",
	 "the module is there for another kernel only",
	 INSTALL },
	[CAUSE_NOT_INSTALLED] = { "not-installed",
	 "the module was never installed for this kernel",
	 INSTALL },
	[CAUSE_NO_INDEX] = { "no-index",
	 "the module is on the disk, but the index of depmod does not say so",
	 "depmod RELEASE" },
	[CAUSE_COMPRESSED] = { "compressed",
	 "the module is compressed in a way that this modprobe cannot read",
	 "install the package kmod, or unpack the module and run: depmod RELEASE" },
	[CAUSE_INSTALL_COMMAND] = { "install-command",
	 "modprobe is told to run a command, or to load another module, instead",
	 "delete that line from the configuration of modprobe" },
	[CAUSE_NEEDED_MISSING] = { "needed-missing",
	 "a module of the kernel that WireGuard needs is not there",
	 "install the package of the kernel that has it, such as kernel-modules" },
	[CAUSE_LIBRARY_MISSING] = { "library-missing",
	 "a library module that WireGuard needs is not there",
	 INSTALL },
	[CAUSE_WRONG_VERMAGIC] = { "wrong-vermagic",
	 "the module was built for another kernel, flavour or architecture",
	 REPLACE },
	[CAUSE_NO_VERSIONS] = { "no-versions",
	 "the module has no symbol versions, as one that was built by hand",
	 REPLACE },
	[CAUSE_WRONG_VERSIONS] = { "wrong-versions",
	 "the symbol versions of the module are not those of this kernel",
	 REPLACE },
	[CAUSE_MODULES_DISABLED] = { "modules-disabled",
	 "the kernel accepts no modules until the next boot",
	 "load it before kernel.modules_disabled is set; for now: reboot" },
	[CAUSE_LOCKDOWN] = { "lockdown",
	 "the kernel is locked down and accepts only modules signed by a key it trusts",
	 SIGN },
	[CAUSE_NOT_SIGNED] = { "not-signed",
	 "the kernel enforces signatures, and the module is not signed",
	 SIGN },
	[CAUSE_KEY_UNKNOWN] = { "key-unknown",
	 "the signature of the module is not by a key that the kernel trusts",
	 "enrol the key (mokutil --import), or sign with one that is enrolled" },
	[CAUSE_WRONG_BTF] = { "wrong-btf",
	 "the type information (BTF) of the module is of another build of the kernel",
	 REPLACE },
	[CAUSE_BLACKLISTED] = { "blacklisted",
	 "the module is blacklisted: 'ip link' does not load it",
	 "delete that line, or run: modprobe wireguard" },
	[CAUSE_STALE_ALIASES] = { "stale-aliases",
	 "the aliases are old: modprobe finds the module, 'ip link' does not",
	 "depmod RELEASE" },
	[CAUSE_UNEXPLAINED] = { "unexplained",
	 "modprobe fails, and nothing above explains it",
	 "report the lines of 'seen'" },
	[CAUSE_USERSPACE] = { "userspace",
	 "a tunnel runs in user space, which hides that the kernel's module failed",
	 "wgkmod doctor --load, then restart the tunnel" },
	[CAUSE_IPV6_OFF] = { "ipv6-off",
	 "a tunnel has an IPv6 address, and IPv6 is off: the module is not at fault",
	 "turn IPv6 on, or delete the address" },
	[CAUSE_NETFILTER] = { "netfilter",
	 "wg-quick needs a packet filter that is not there: the module is not at fault",
	 "install nftables or iptables, and the kernel's modules for it" },
	[CAUSE_TAINT] = { "taint",
	 "the kernel's message about a tainted kernel is harmless",
	 "nothing" },
	[CAUSE_COMPATIBLE] = { "compatible",
	 "the modules were built for another kernel, and fit by each symbol version",
	 "nothing" },
};
/* clang-format on */

void findings_add(struct findings *findings, enum cause cause, const char *fmt, ...)
{
	va_list args;
	char *text = NULL;

	if (findings->seen[cause])
		return;
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = strdup("-");
	va_end(args);
	if (!text)
		log_no_memory();
	findings->seen[cause] = text;
}

void findings_unseen(struct findings *findings, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (strlist_add(&findings->unseen, text) < 0)
		log_no_memory();
}

bool cause_is_harmless(enum cause cause)
{
	return cause == CAUSE_TAINT || cause == CAUSE_COMPATIBLE;
}

enum cause findings_first(const struct findings *findings)
{
	for (enum cause cause = 0; cause < CAUSE_COUNT; cause++)
		if (findings->seen[cause] && !cause_is_harmless(cause))
			return cause;
	return CAUSE_COUNT;
}

void findings_free(struct findings *findings)
{
	for (enum cause cause = 0; cause < CAUSE_COUNT; cause++)
		free(findings->seen[cause]);
	strlist_free(&findings->unseen);
}
