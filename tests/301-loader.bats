#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod check on modules that the kernel's loader refuses for what they are made of, sections
# and symbols.  Where MUTANTS= is before a change, it is not for
# 411-kernel.bats: a kernel that does not look would read or write outside of its memory.
#
# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/modules

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

@test "all modules of the stock kernel fit, with vmlinux and each other as providers" {
	local all=$BATS_TEST_TMPDIR/all modules
	deb_extract "$FIXTURES/debs/linux-image-$RELEASE"_*.deb "$all" "./lib/modules/$RELEASE/kernel"
	grep -P '\tvmlinux\t' "$SYMVERS" >"$BATS_TEST_TMPDIR/symvers"
	cd "$all/lib/modules/$RELEASE/kernel"
	mapfile -t modules < <(find . -name '*.ko' -printf '%P\n')
	run_cmd 0 "$WGKMOD" check --kernel "$RELEASE" --symvers "$BATS_TEST_TMPDIR/symvers" \
		--vermagic "$VERMAGIC" "${modules[@]}"
	assert_line "^wgkmod: 3888 modules fit $RELEASE: [0-9]+ symbol versions equal$"
	figure loader "${#modules[@]} of ${#modules[@]} modules accepted"
}

# Flags: 1 writable, 2 to be loaded, 4 executable.
@test "a section that the kernel needs must be loaded" {
	local section
	for section in __versions .modinfo; do
		section_flags "$WG" "$section" 0
		damaged "$WG" "its section $section is not to be loaded \(SHF_ALLOC\)"
	done
	for section in __ksymtab __ksymtab_gpl __kcrctab __kcrctab_gpl; do
		section_flags "$UDP" "$section" 0
		damaged "$UDP" "its section $section is not to be loaded \(SHF_ALLOC\)"
	done
	MUTANTS='' section_flags "$UDP" __ksymtab_strings 0
	damaged "$UDP" "its section __ksymtab_strings is not to be loaded \(SHF_ALLOC\)"
	section_flags "$WG" .gnu.linkonce.this_module 1
	damaged "$WG" "its section .gnu.linkonce.this_module is not to be loaded \(SHF_ALLOC\)"
}

@test "a module without a struct module is refused" {
	objcopy --rename-section .gnu.linkonce.this_module=.data.that_module "$WG"
	mutant_keep "$WG" 'no struct module'
	damaged "$WG" "it has no section .gnu.linkonce.this_module"
}

@test "a struct module that is shorter than the others' is refused" {
	local size
	size=$(readelf -SW "$WG" |
		sed -n 's/.* .gnu.linkonce.this_module  *PROGBITS  *[0-9a-f]* [0-9a-f]* \([0-9a-f]*\) .*/\1/p')
	MUTANTS='' poke "$WG" $(($(section_header_offset "$WG" .gnu.linkonce.this_module) + 32)) "$(bytes_le $((0x$size - 8)))"
	check 3
	assert_line "^wgkmod: cannot check '$WG': its struct module has $((0x$size - 8)) bytes, that of '.*\.ko' $((0x$size))$"
	assert_line ': 1 problem$'
}

@test "a duplicate section, or one by type and not by name, is refused" {
	objcopy --rename-section .comment=.modinfo "$WG"
	mutant_keep "$WG" 'two .modinfo'
	damaged "$WG" "it has two sections .modinfo"
	MUTANTS='' poke "$WG" $(($(section_header_offset "$WG" .comment) + 4)) '\002'
	damaged "$WG" "its section .comment is one more symbol table"
	MUTANTS='' poke "$WG" $(($(section_header_offset "$WG" .symtab) + 40)) '\001'
	damaged "$WG" "its section .strtab does not have the names of its symbols"
	poke "$WG" $(($(section_header_offset "$WG" __versions) + 4)) '\010'
	damaged "$WG" "its section __versions is of type 8, not 1"
}

@test "a section that is writable and executable is refused, and one of a live patch" {
	section_flags "$WG" .text 7
	damaged "$WG" "its section .text is writable and executable"
	poke "$WG" $(($(section_header_offset "$WG" .rela.text) + 8 + 2)) '\020'
	damaged "$WG" "its section .rela.text is of a live patch"
}

# 64 bits, as they are in a file.
word_le() { bytes_le "$1" && bytes_le $(($1 >> 32)); }

@test "sections of too much memory, or of an impossible alignment, are refused" {
	local bytes
	for bytes in $((1 << 62)) $((-1 << 63)) $((1 << 32)) $(((128 << 20) + 1)); do
		MUTANTS='' poke "$WG" $(($(section_header_offset "$WG" .bss) + 32)) "$(word_le "$bytes")"
		damaged "$WG" "with its section .bss it takes more memory than a kernel has for modules"
	done
	# each in bounds, and all of them not
	MUTANTS='' poke "$WG" $(($(section_header_offset "$WG" .bss) + 32)) "$(word_le $((127 << 20)))"
	MUTANTS='' poke "$WG" $(($(section_header_offset "$WG" .data..read_mostly) + 4)) '\010' # SHT_NOBITS
	MUTANTS='' poke "$WG" $(($(section_header_offset "$WG" .data..read_mostly) + 32)) "$(word_le $((127 << 20)))"
	damaged "$WG" "with its section .* it takes more memory than a kernel has for modules"
	for bytes in 3 6 $((-1)) $(((1 << 40) + 1)); do
		MUTANTS='' poke "$WG" $(($(section_header_offset "$WG" .text) + 48)) "$(word_le "$bytes")"
		damaged "$WG" "the alignment of its section .text is [0-9]+, no power of two"
	done
	for bytes in $((1 << 17)) $((1 << 40)) $((-1 << 63)); do
		MUTANTS='' poke "$WG" $(($(section_header_offset "$WG" .text) + 48)) "$(word_le "$bytes")"
		damaged "$WG" "the alignment of its section .text is [0-9]+, more than a page"
	done
	for bytes in 0 1 4096; do
		MUTANTS='' poke "$WG" $(($(section_header_offset "$WG" .text) + 48)) "$(word_le "$bytes")"
		check 0
	done
}

@test "a section 0 that is not empty is refused" {
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

@test "a symbol whose name is outside of the string table is refused" {
	MUTANTS='' poke "$WG" "$(symbol_at "$WG" skb_push)" '\377\377\377\177'
	damaged "$WG" "the name of its symbol [0-9]+ is outside of the string table"
}

@test "a common symbol is refused" {
	poke "$WG" $(($(symbol_at "$WG" init_module) + 6)) '\362\377'
	damaged "$WG" "its symbol 'init_module' is a common one \(compiled without -fno-common\)"
}

@test "a symbol of a missing section is refused" {
	MUTANTS='' poke "$WG" $(($(symbol_at "$WG" init_module) + 6)) '\000\177'
	damaged "$WG" "its symbol 'init_module' is in section 32512 of 51"
	MUTANTS='' poke "$WG" $(($(symbol_at "$WG" init_module) + 6)) '\040\377' # SHN_LIVEPATCH
	damaged "$WG" "its symbol 'init_module' is in section 65312 of 51"
}

@test "a CRC that libkmod would look for outside of its section is refused" {
	local at section
	at=$(symbol_at "$UDP" __crc_udp_sock_create4)
	for section in .bss .comment; do
		section=$(readelf -SW "$UDP" | sed -n "s/^ *\[ *\([0-9]*\)\] $section .*/\1/p")
		MUTANTS='' poke "$UDP" $((at + 6)) "$(byte "$section")\000"
		MUTANTS='' poke "$UDP" $((at + 8)) '\377\377\377\377\000\000\000\000'
		damaged "$UDP" "the CRC of its symbol '__crc_udp_sock_create4' is outside of its section"
	done
	# In a section without bytes in the file, and in one of less than four.
	section=$(readelf -SW "$UDP" | sed -n "s/^ *\[ *\([0-9]*\)\] .bss .*/\1/p")
	MUTANTS='' poke "$UDP" $((at + 6)) "$(byte "$section")\000\000\000\000\000\000\000\000\000"
	MUTANTS='' poke "$UDP" $(($(section_header_offset "$UDP" .bss) + 32)) '\000\000\000\001'
	damaged "$UDP" "the CRC of its symbol '__crc_udp_sock_create4' is outside of its section"
}

@test "a symbol 0 that is not empty is refused" {
	MUTANTS='' poke "$WG" $(($(section_at "$WG" .symtab) + 6)) '\000\177'
	damaged "$WG" "there is something in symbol 0"
}

@test "an undefined symbol without a name is refused" {
	poke "$WG" "$(symbol_at "$WG" skb_push)" '\000\000\000\000'
	damaged "$WG" "it needs symbol [0-9]+, which has no name"
}

@test "exports without CRCs are refused if the kernel has CRCs" {
	objcopy --remove-section='__kcrctab_gpl' "$UDP"
	mutant_keep "$UDP" 'no __kcrctab_gpl'
	check 3
	assert_line "^wgkmod: cannot check '$UDP': its exports in __ksymtab_gpl have no versions$"
	assert_line ': 1 problem$'
}

@test "an export whose name differs for the kernel is refused" {
	section_filter "$UDP" __ksymtab_strings sed 's/udp_sock_create4/xdp_sock_create4/'
	damaged "$UDP" "it exports 'udp_sock_create4' by the name 'xdp_sock_create4'"
	MUTANTS='' poke "$UDP" $(($(symbol_at "$UDP" __kstrtab_udp_sock_create4) + 8)) '\377\377'
	damaged "$UDP" "the string of its symbol '__kstrtab_udp_sock_create4' is outside of the string table"
}

@test "an export of the bundle in a namespace must be imported" {
	local at
	at=$(symbol_at "$UDP" __kstrtab_setup_udp_tunnel_sock)
	at=$(od -An -tu1 -j $((at + 8)) -N 1 "$UDP")
	poke "$UDP" $(($(symbol_at "$UDP" __kstrtabns_udp_sock_create4) + 8)) "$(byte "$at")"
	check 3
	assert_line "^wgkmod: cannot check '$WG': 'udp_sock_create4' of '$UDP' is in namespace setup_udp_tunnel_sock," \
		"which it does not import$"
	assert_line ': 1 problem$'
	modinfo_sed "$WG" '/^license=/{p;s/.*/import_ns=setup_udp_tunnel_sock/}'
	check 0
}
