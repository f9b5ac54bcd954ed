#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Run a step of powercut.sh in the guest: vm.step= on the kernel's command line.  Each disk with a serial number
# "data…" has a file system vm.fs=, which is a root of its own with a part of the kernel's modules.
#
#   fill     copy these modules, and report the digest of the kernel's directory
#   install  install without interruption, and report the digest
#   cut      install; the host kills QEMU during it
#   look     check each disk after a power cut: report the digest, whether the kernel loads modules from
#            it, and whether the next install completes

# shellcheck source=tests/vm/guest/lib.sh
. /run/vm/guest/lib.sh
trap_errors

release=$(uname -r)
kernel=/data/lib/modules/$release
# The part of the kernel's modules that is on the disk; wireguard needs some of them.
parts=(modules.order modules.builtin modules.builtin.modinfo kernel/crypto kernel/lib kernel/arch/x86/crypto
	kernel/net/ipv4 kernel/net/ipv6 kernel/net/bridge kernel/drivers/net/dummy.ko)

# disk SERIAL: Print the device with this serial number.
disk() {
	local block
	for block in /sys/block/vd*; do
		[[ $(<"$block/serial") != "$1" ]] || printf '/dev/%s\n' "${block##*/}"
	done
}

attach() { # SERIAL
	run busybox mount -t "$(kernel_option vm.fs)" "$(disk "$1")" /data
}

# looks: Print a digest of the kernel's directory: names, types, modes, owners, links and contents.
looks() {
	(cd "$kernel" && find . -printf '%p %y %m %U:%G %l\n' | sort &&
		find . -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum | cut -d ' ' -f 1
}

wgkmod() {
	/run/vm/out/wgkmod "$1" --root /data --kernel "$release" "${@:2}"
}
install_it() {
	wgkmod install --key /run/vm/run.pub /run/vm/bundle.tar
}

fill() {
	attach data
	mkdir -p "$kernel"
	(cd "/lib/modules/$release" && cp -a --parents "${parts[@]}" "$kernel/")
	run depmod -b /data "$release"
	report files "$(find "$kernel" -name '*.ko' | wc -l)"
	report old "$(looks)"
	run busybox umount /data
}

install_whole() {
	local start
	attach data
	start=$(now_ms)
	run install_it
	report took_ms $(($(now_ms) - start))
	report new "$(looks)"
	run busybox umount /data
}

cut_off() {
	attach data
	sync
	report installing
	run install_it
	report installed
	sleep 600
}

# loads NAME: Load the module and those that it needs from the disk; fail if the kernel does not have it then.
loads() {
	modprobe -d /data -S "$release" "$1" && [[ -d /sys/module/$1 ]]
}

# look_at N: Report "tree N DIGEST", "kernel N yes" and "next N yes" for disk N, the last two only if true; report
# "tree N unmountable" if the disk does not mount.
look_at() {
	local n=$1
	attach "data$n" || {
		dmesg | tail -n 20
		report tree "$n" unmountable
		return 0
	}
	report tree "$n" "$(looks)"
	if loads dummy && loads ip_gre && rmmod dummy ip_gre; then
		report kernel "$n" yes
	fi
	if install_it && loads wireguard && ip link add wg0 type wireguard && ip link delete wg0 &&
		rmmod wireguard && wgkmod status >/dev/null && [[ -z $(leftovers) ]]; then
		report next "$n" yes
	fi
	report after "$n" "$(looks)"
	run busybox umount /data
}

leftovers() {
	find /data/lib/modules -maxdepth 1 -name '.*'
}

look() {
	local n=0
	while [[ -n $(disk "data$n") ]]; do
		look_at "$n"
		n=$((n + 1))
	done
	report looked "$n"
}

mkdir -p /data
modprobe "$(kernel_option vm.fs)"
case $(kernel_option vm.step) in
fill) fill ;;
install) install_whole ;;
cut) cut_off ;;
look) look ;;
*) fail "no such step" ;;
esac
