#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest: what wgkmod doctor says of a real kernel, with modules that fail in one way after the other.
# /run/vm/extra has NAME.ko in place of wireguard.ko for each NAME below.  Report, for the test on the host:
#
#	healthy   the exit status of doctor --load on a sound host, before anything is loaded, and after it
#	CASE      the first cause without --load, that with it, and what the kernel or modprobe said of it
#	slowest   the longest run of doctor without --load, in ms, on this emulated processor
#
# With module.sig_enforce=1 or lockdown=integrity on the command line, only that cause is produced.

# shellcheck source=tests/vm/guest/lib.sh
. /run/vm/guest/lib.sh
# shellcheck source=tests/vm/guest/modules.sh
. /run/vm/guest/modules.sh
trap_errors

wgkmod=$out/wgkmod
slowest=0

# cause [OPTION...]: Print the first cause that doctor finds, or "none".
cause() {
	local words status=0
	words=$("$wgkmod" doctor --porcelain "$@") || status=$?
	[[ $status -eq 0 || $status -eq 3 ]] || fail "doctor $* ended with status $status: $words"
	printf '%s\n' "$words" >/tmp/words
	words=$(sed -n 's/^cause\t\([^\t]*\)\t.*/\1/p' /tmp/words)
	printf '%s\n' "${words:-none}"
}

# diagnose CASE: Report what doctor says, without and with --load.
diagnose() {
	local start first loaded took
	start=$(now_ms)
	first=$(cause)
	took=$(($(now_ms) - start))
	((took <= slowest)) || slowest=$took
	loaded=$(cause --load)
	report "$1" "$first $loaded $(sed -n 's/^cause\t[^\t]*\t\([^\t]*\)\t.*/\1/p' /tmp/words)"
	[[ ! -e /sys/module/wireguard ]] || fail "the case $1 loaded wireguard"
}

# by_hand: Copy the build's modules into the kernel's directory, and the indexes that are right for them.
by_hand() {
	cp -r "$out/modules/kernel/." "$tree/kernel/"
	if [[ -d /tmp/with ]]; then
		cp /tmp/with/* "$tree/"
	else
		run depmod -a # slow here: as seldom as can be
		mkdir /tmp/with
		cp "$tree"/modules.* /tmp/with/
	fi
}

# replaced NAME: Put /run/vm/extra/NAME.ko in the place of wireguard.ko.
replaced() {
	cp "/run/vm/extra/$1.ko" "$tree/kernel/drivers/net/wireguard/wireguard.ko"
	diagnose "$1"
	by_hand
}

# systemd mounts it, and there is none here; a kernel without lockdown has nothing to mount
[[ ! -d /sys/kernel/security ]] || run busybox mount -t securityfs securityfs /sys/kernel/security
assert_built
assert_hidden
report never "$(cause)"
mkdir /tmp/without
cp "$tree"/modules.* /tmp/without/
by_hand
if grep -qE 'module.sig_enforce=1|lockdown=' /proc/cmdline; then
	diagnose signed
	report slowest "$slowest"
	exit 0
fi
for name in versions unversioned vermagic; do replaced "$name"; done

library=$(find "$tree" -name 'libchacha20poly1305.ko')
mv "$library" /tmp/
diagnose library
# modprobe itself loads what modules.dep says: without it the kernel misses the symbols
run depmod -a
diagnose library_unlisted
by_hand

needed=$(find "$tree" -name 'udp_tunnel.ko*')
mv "$needed" /tmp/
run depmod -a
diagnose needed
mv "/tmp/${needed##*/}" "$needed"
by_hand

cp /tmp/without/* "$tree/"
diagnose unlisted
by_hand

mkdir -p /etc/modprobe.d
echo 'install wireguard /bin/true' >/etc/modprobe.d/hardening.conf
report install "$(cause) $(modprobe wireguard && echo 'modprobe says nothing')"
rm /etc/modprobe.d/hardening.conf

report healthy "$(cause) $(cause --load) $(cause)"
report live "$(cat /sys/module/wireguard/initstate)"
report note "$(sed -n 's/^note\t\([^\t]*\)\t.*/\1/p' /tmp/words)"
run modprobe -r wireguard
echo 'blacklist wireguard' >/etc/modprobe.d/hardening.conf
if ip link add wg0 type wireguard 2>/dev/null; then fail 'the blacklist does not keep ip from loading wireguard'; fi
report blacklist "$(cause)"
rm /etc/modprobe.d/hardening.conf
echo 1 >/proc/sys/kernel/modules_disabled
diagnose disabled
report slowest "$slowest"
