#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod check on a kernel that was built without CONFIG_MODVERSIONS: no CRC is anywhere, and all
# else of the proof is asked of every undefined symbol.
#
# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/modules

UNVERSIONED="$RELEASE SMP mod_unload "

setup_file() { modules_setup; }

# The stock set and symbol table, as that kernel's would be.
setup() {
	local ko
	SET_DIR=$BATS_TEST_TMPDIR/set
	SV=$BATS_TEST_TMPDIR/symvers
	set_make "$SET_DIR"
	for ko in "$SET_DIR"/*.ko; do
		objcopy --remove-section=__versions --remove-section='__kcrctab*' "$ko"
		objcopy --wildcard --strip-symbol='__crc_*' "$ko"
		modinfo_sed "$ko" 's/^\(vermagic=.*\)modversions $/\1/'
	done
	sed 's/^0x[0-9a-f]*/0x00000000/' "$BARE" >"$SV"
}

check() { # STATUS [FILE...]
	local status=$1
	shift
	run_cmd "$status" "$WGKMOD" check --kernel "$RELEASE" --symvers "$SV" --vermagic "$UNVERSIONED" \
		"${@:-"$SET_DIR"/*.ko}"
}

@test "modules without symbol versions fit a kernel without them, and every symbol is counted" {
	check 0 "$SET_DIR"/*.ko
	assert_line "^wgkmod: 12 modules fit $RELEASE: [1-9][0-9]+ symbols provided \(the kernel has no versions of them\)$"
}

@test "without versions, a symbol that nothing provides is refused" {
	sed -i '/\tskb_push\t/d' "$SV"
	check 3 "$SET_DIR"/*.ko
	assert_line "^wgkmod: cannot check '.*/wireguard\.ko': 'skb_push', which it needs, is provided by nothing$"
}

@test "without versions, a symbol with two providers is refused" {
	sed -n 's/\tvmlinux\t/\tkernel\/other\t/; /\tskb_push\t/p' "$SV" >>"$SV.more"
	cat "$SV.more" >>"$SV"
	check 3 "$SET_DIR"/*.ko
	assert_line "'skb_push', which it needs, is provided by '.*' and by '.*'$"
}

@test "without versions, a GPL-only symbol for another licence and a namespace not imported are refused" {
	modinfo_sed "$SET_DIR/wireguard.ko" 's/^license=.*/license=Proprietary/'
	check 3 "$SET_DIR"/*.ko
	assert_line "wireguard\.ko': '.*' of '.*' is for GPL modules, its licence is 'Proprietary'$"
}

@test "a module with symbol versions does not fit a kernel without them, nor the reverse" {
	cp "$STOCK/kernel/lib/crypto/libchacha.ko" "$SET_DIR/"
	modinfo_sed "$SET_DIR/libchacha.ko" 's/^\(vermagic=.*\)modversions $/\1/'
	check 3 "$SET_DIR"/libchacha.ko
	assert_line "libchacha\.ko': it has symbol versions, the kernel has none$"
	run_cmd 3 "$WGKMOD" check --kernel "$RELEASE" --symvers "$SV" --vermagic "$VERMAGIC" "$SET_DIR/libpoly1305.ko"
	assert_line "libpoly1305\.ko': it has no symbol versions"
}

@test "a symbol table with a CRC does not belong to a kernel without versions" {
	sed -i '/\tskb_push\t/s/^0x00000000/0x00000001/' "$SV"
	check 3 "$SET_DIR"/*.ko
	assert_line "version of 'skb_push' is 0x00000000, but 0x00000001 in 'vmlinux'$"
}
