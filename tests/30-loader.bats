#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod check on modules that the kernel's loader refuses for what they are made of, sections,
# symbols and relocations, and for each other.  Where MUTANTS= is before a change, it is not for
# 41-kernel.bats: a kernel that does not look would read or write outside of its memory.
#
# shellcheck disable=SC2030,SC2031 # each test is a subshell

load helpers
load modules

setup_file() { modules_setup; }

setup() {
	SET_DIR=$BATS_TEST_TMPDIR/set
	set_make "$SET_DIR"
	WG=$SET_DIR/wireguard.ko
	UDP=$SET_DIR/udp_tunnel.ko
}

check() { # STATUS
	run_cmd "$1" "$WGKMOD" check --kernel "$RELEASE" --symvers "$BARE" --vermagic "$VERMAGIC" "$SET_DIR"/*.ko
}

damaged() { # FILE REGEX: and as it was again
	check 4
	assert_line "^wgkmod: cannot check '$1': damaged: $2$"
	cp "$(find "$STOCK" -name "${1##*/}")" "$1"
}

@test "something in section 0 is refused" {
	local header
	header=$(readelf -hW "$WG" | sed -n 's/.*Start of section headers: *\([0-9]*\) .*/\1/p')
	poke "$WG" $((header + 32)) '\001'
	damaged "$WG" "there is something in section 0"
	poke "$WG" $((header + 16)) '\001'
	damaged "$WG" "there is something in section 0"
	poke "$WG" $((header + 4)) '\001'
	damaged "$WG" "there is something in section 0"
}

@test "a section without a name is refused" {
	local size
	MUTANTS='' poke "$WG" "$(section_header_offset "$WG" .text)" '\377\377\377\177'
	damaged "$WG" "section [0-9]+ has no name"
	poke "$WG" 62 '\000\000' # e_shstrndx
	damaged "$WG" "no section names"
	size=$(readelf -SW "$WG" | sed -n 's/.* .shstrtab  *STRTAB  *[0-9a-f]* [0-9a-f]* \([0-9a-f]*\) .*/\1/p')
	poke "$WG" $(($(section_at "$WG" .shstrtab) + 0x$size - 1)) X
	damaged "$WG" "no section names"
}
