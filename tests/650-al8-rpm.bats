#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The packages of make rpm, on hosts of the stand-in with its rpm and dnf.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/servers
load lib/al8
load lib/rpm

NINE=5.10.223-9.al8.x86_64
EIGHT=5.10.223-8.al8.x86_64

setup_file() { rpm_setup; }
teardown_file() {
	servers_stop
	rpm_teardown
}
setup() { export TARGET_DIR=$AL8_TARGETS; }

# is_installed KERNEL: the modules are there, indexed, and rpm finds them intact.
is_installed() {
	on_host 0 wgkmod status --kernel "$1"
	assert_line "^$1: [1-9][0-9]* modules$"
	on_host 0 rpm --verify "kmod-wireguard-$1"
	on_host 0 rpm --query --file "/lib/modules/$1/kernel/drivers/net/wireguard/wireguard.ko"
	assert_line "^kmod-wireguard-$1-"
	grep -q '^kernel/drivers/net/wireguard/wireguard.ko:' "$ROOT/lib/modules/$1/modules.dep"
}

@test "make rpm: the second run writes nothing, and another directory gets the same bits" {
	local before
	before=$(cd "$RPM_DIR/dest" && find . -printf '%p %T@ %C@\n')
	make_rpm 0 "$RPM_DIR/dest" 'standin-9 standin-8' CEILING=1
	assert_line '^rpm +.*/dest/rpm is up to date '
	diff <(printf '%s\n' "$before") <(cd "$RPM_DIR/dest" && find . -printf '%p %T@ %C@\n')
	(
		umask 077
		TZ=Asia/Tokyo make_rpm 0 "$BATS_TEST_TMPDIR/again" 'standin-9 standin-8' CEILING=1
	)
	diff -r "$RPM_DIR/dest" "$BATS_TEST_TMPDIR/again"
}

@test "a kernel and its modules come in one transaction, and rpm -V tells the truth" {
	host_new
	dnf 0 install "kmod-wireguard-$NINE" kernel
	is_installed "$NINE"
	flip "$ROOT/lib/modules/$NINE/kernel/drivers/net/wireguard/wireguard.ko" 5000
	on_host 1 rpm --verify "kmod-wireguard-$NINE"
	assert_line "the modules for $NINE are not installed or not intact"
}
