#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# wgkmod doctor in the VM, on a real kernel: what it says before the modules are loaded is what the kernel then
# says of them.

load lib/helpers
load lib/modules

setup_file() {
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="$TARGET_NAME"
	run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME" base vm
}

doctor() { # [KERNEL-OPTION]
	VM_OPTIONS=${1:-} VM_TIMEOUT=800 TIMEOUT=900 run_cmd 0 "$ROOT_DIR/tests/vm/test.sh" "$TARGET_NAME" doctor
}

@test "each cause that a kernel shows: doctor names it before the load, and the kernel agrees; a sound host has none" {
	local name ko=$OUT/$RELEASE/modules/kernel/drivers/net/wireguard/wireguard.ko
	export VM_EXTRA=$BATS_TEST_TMPDIR/extra
	mkdir "$VM_EXTRA"
	for name in versions unversioned vermagic; do cp "$ko" "$VM_EXTRA/$name.ko"; done
	crc_change "$VM_EXTRA/versions.ko" module_layout
	objcopy --remove-section __versions "$VM_EXTRA/unversioned.ko"
	modinfo_sed "$VM_EXTRA/vermagic.ko" 's/^vermagic=\(.*\) SMP /vermagic=\1 SMP preempt /'
	doctor
	assert_line '^never not-installed$'
	assert_line '^versions wrong-versions wrong-versions .*disagrees about version of symbol module_layout'
	assert_line '^unversioned no-versions no-versions .*no symbol version for module_layout'
	assert_line "^vermagic wrong-vermagic wrong-vermagic .*version magic '.* SMP preempt "
	assert_line '^library library-missing library-missing '
	assert_line '^library_unlisted library-missing library-missing '
	assert_line '^needed needed-missing needed-missing .*needs udp_tunnel'
	assert_line '^unlisted no-index no-index '
	assert_line '^install install-command modprobe says nothing$'
	assert_line '^healthy none none none$'
	assert_line '^live live$'
	assert_line '^note taint$'
	assert_line '^blacklist blacklisted$'
	assert_line '^disabled modules-disabled modules-disabled '
}

@test "a kernel that enforces signatures, and one that is locked down" {
	doctor module.sig_enforce=1
	assert_line '^signed not-signed not-signed '
	doctor lockdown=integrity
	assert_line '^signed lockdown lockdown '
}
