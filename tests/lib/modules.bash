# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Fixtures for wgkmod's tests: real modules from the distribution's own packages, and
# copies changed by objcopy and dd. Load after helpers, and call modules_setup in
# setup_file. It sets, for all tests:
#
#   $RELEASE     the release of the modules' kernel
#   $VERMAGIC    its vermagic
#   $STOCK       its modules' directory, as packaged, with a modules.dep
#   $SYMVERS     its Module.symvers, as packaged
#   $BARE        the same without the lines of the modules in SET
#
# No test writes to any of these: set_make and root_make make copies.

export RELEASE=5.10.0-32-amd64
export VERMAGIC="$RELEASE SMP mod_unload modversions "

# WireGuard, and the modules below it that no other module of the small tree needs.
SET=(
	arch/x86/crypto/blake2s-x86_64 arch/x86/crypto/chacha-x86_64
	arch/x86/crypto/curve25519-x86_64 arch/x86/crypto/poly1305-x86_64
	drivers/net/wireguard/wireguard
	lib/crypto/libchacha lib/crypto/libchacha20poly1305
	lib/crypto/libcurve25519 lib/crypto/libcurve25519-generic lib/crypto/libpoly1305
	net/ipv4/udp_tunnel net/ipv6/ip6_udp_tunnel
)

# Extract files or directories of a Debian package into DIR.
deb_extract() { # DEB DIR MEMBER...
	local deb=$1 dir=$2
	shift 2
	mkdir -p "$dir"
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" "$@"
}

# Make the fixtures that all test files share; the first file makes them.  tests/run/check.sh sets FIXTURES to a
# directory for all its files; without it, those of one run of bats share them.
modules_setup() {
	local shared=${FIXTURES:-$BATS_RUN_TMPDIR/modules}

	mkdir -p "$shared"
	export FIXTURES=$shared
	export STOCK=$shared/root/lib/modules/$RELEASE
	export SYMVERS=$shared/Module.symvers BARE=$shared/Module.symvers.bare
	(
		flock 9
		[ -e "$shared/done" ] || modules_make "$shared"
		touch "$shared/done"
	) 9>"$shared/lock"
}

modules_make() { # DIR
	local dir=$1 debs=$1/debs headers

	mkdir -p "$debs"
	stage "$TARGET_NAME" vm "$debs"
	stage "$TARGET_NAME" toolchain "$debs"
	deb_extract "$debs/linux-image-$RELEASE"_*.deb "$dir/root" "./lib/modules/$RELEASE"
	headers=./usr/src/linux-headers-$RELEASE/Module.symvers
	deb_extract "$debs/linux-headers-$RELEASE"_*.deb "$dir" "$headers"
	mv "$dir/$headers" "$dir/Module.symvers"
	symvers_without "$dir/Module.symvers" "${SET[@]}" >"$dir/Module.symvers.bare"
	root_trim "$dir/root/lib/modules/$RELEASE"
	depmod -b "$dir/root" "$RELEASE"
	find "$debs" -type f ! -name 'linux-image-*' -delete
}

# Reduce a modules' directory to what the tests use: the set, and a few dozen other modules.
root_trim() { # MODULES-DIRECTORY
	local keep=$1/keep

	printf 'kernel/%s.ko\n' "${SET[@]}" >"$keep"
	(cd "$1" && for directory in kernel/crypto kernel/net/ipv4; do
		find "$directory" -name '*.ko' | LC_ALL=C sort | head -n 30
	done) >>"$keep"
	(cd "$1" && find kernel -type f | grep -vxFf keep | xargs rm)
	find "$1/kernel" -type d -empty -delete
	rm "$keep"
}

# Print a symvers without the lines of these modules.
symvers_without() { # FILE MODULE...
	local file=$1
	shift
	printf '%s\n' "$@" | awk -F'\t' 'NR == FNR { hide[$1]; next } !($3 in hide)' - "$file"
}

# Copy the set's modules to DIR, flat, for a test to change.
set_make() { # DIR
	local module

	mkdir -p "$1"
	for module in "${SET[@]}"; do
		cp "$STOCK/kernel/$module.ko" "$1/"
	done
}

# Make a root with the small tree without the set, and run depmod on it.
root_make() { # ROOT
	local module

	mkdir -p "$1/lib/modules" "$1/var/lib"
	cp -r "$STOCK" "$1/lib/modules/"
	for module in "${SET[@]}"; do
		rm "$1/lib/modules/$RELEASE/kernel/$module.ko"
	done
	find "$1/lib/modules" -type d -empty -delete
	depmod -b "$1" "$RELEASE"
}

# Make a build's output directory with the set.
payload_make() { # DIR
	local module

	mkdir -p "$1/debug"
	for module in "${SET[@]}"; do
		install -D -m 644 "$STOCK/kernel/$module.ko" "$1/modules/kernel/$module.ko"
	done
	echo 'why each is built' >"$1/explain.txt"
	echo 'debug data' >"$1/debug/wireguard.ko.debug"
	payload_sums "$1"
}

# Write DIR/SHA256SUMS again.
payload_sums() { # DIR
	local sums
	sums=$(cd "$1" && find . -type f ! -name SHA256SUMS -printf '%P\0' | LC_ALL=C sort -z |
		xargs -0 sha256sum)
	printf '%s\n' "$sums" >"$1/SHA256SUMS"
}

# Make a host for this test, $ROOT, and a payload, $PAYLOAD; the next three functions run verbs on them.
host_make() {
	ROOT=$BATS_TEST_TMPDIR/root
	PAYLOAD=$BATS_TEST_TMPDIR/out
	root_make "$ROOT"
	payload_make "$PAYLOAD"
}

install_it() { # STATUS [OPTION...]
	run_cmd "$1" "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "${@:2}" "$PAYLOAD"
}

remove_it() { # STATUS [OPTION...]
	run_cmd "$1" "$WGKMOD" remove --root "$ROOT" --kernel "$RELEASE" "${@:2}"
}

status_it() { # STATUS [OPTION...]
	run_cmd "$1" "$WGKMOD" status --root "$ROOT" "${@:2}"
}

# Print everything about a tree: names, types, modes, links, contents; with "times" also the times.
tree_print() { # DIR [times]
	(cd "$1" && find . -printf "%p %y %m %l${2:+ %T@}\n" | LC_ALL=C sort &&
		find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}

# If MUTANTS names a directory, keep the changed module there as NUMBER/NAME.ko, with a description of the
# change in NUMBER/what. 411-kernel.bats offers them to a kernel.
mutant_keep() { # FILE WHAT...
	local dir
	[[ -n ${MUTANTS:-} && $1 == *.ko ]] || return 0
	dir=$MUTANTS/$(sha256sum "$1" | head -c 16)
	mkdir -p "$dir"
	cp "$1" "$dir/"
	printf '%s: %s\n' "${BATS_TEST_DESCRIPTION:-generated}" "${*:2}" >"$dir/what"
}

# Overwrite bytes of a file. BYTES as printf's format takes them.
poke() { # FILE OFFSET BYTES
	# shellcheck disable=SC2059 # the bytes are meant to be a format
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
	mutant_keep "$1" "$2 $3"
}

# Replace a section by its contents after a filter: FILE SECTION COMMAND...
section_filter() {
	local file=$1 section=$2
	shift 2
	objcopy --dump-section "$section=$file.old" "$file" /dev/null
	"$@" <"$file.old" >"$file.new"
	objcopy --update-section "$section=$file.new" "$file"
	rm "$file.old" "$file.new"
	mutant_keep "$file" "$section" "$@"
}

# Print the offset of SYMBOL's entry in a dumped __versions: 64 bytes, CRC first, then name.
version_offset() { # DUMP SYMBOL
	local at
	at=$(LC_ALL=C grep -obUaP "(?<=\x00)\Q$2\E(?=\x00)" "$1" | head -n 1)
	[ -n "$at" ] || return 1
	printf '%s\n' $((${at%%:*} - 8))
}

# Filters for __versions: copy the dump on standard input without, with a changed, or with a second entry of
# SYMBOL.
versions_without() { # SYMBOL
	local dump at
	dump=$(mktemp -p "$BATS_TEST_TMPDIR")
	cat >"$dump"
	at=$(version_offset "$dump" "$1")
	head -c "$at" "$dump"
	tail -c +$((at + 65)) "$dump"
}

versions_changed() { # SYMBOL: a CRC of all ones
	local dump at
	dump=$(mktemp -p "$BATS_TEST_TMPDIR")
	cat >"$dump"
	at=$(version_offset "$dump" "$1")
	poke "$dump" "$at" '\377\377\377\377'
	cat "$dump"
}

versions_twice() { # SYMBOL
	local dump at
	dump=$(mktemp -p "$BATS_TEST_TMPDIR")
	cat >"$dump"
	at=$(version_offset "$dump" "$1")
	cat "$dump"
	tail -c +$((at + 1)) "$dump" | head -c 64
}

crc_change() { section_filter "$1" __versions versions_changed "$2"; }   # FILE SYMBOL
version_drop() { section_filter "$1" __versions versions_without "$2"; } # FILE SYMBOL
version_double() { section_filter "$1" __versions versions_twice "$2"; } # FILE SYMBOL

# Edit .modinfo with sed, which sees each NUL-terminated string as a line.
modinfo_sed() { # FILE SED-SCRIPT
	section_filter "$1" .modinfo sed -z "$2"
}

# Print the number of versions in all modules, counted without wgkmod.
versions_count() { # FILE...
	local file total=0 size
	for file in "$@"; do
		size=$(readelf -SW "$file" | sed -n 's/.* __versions  *PROGBITS  *//p' |
			cut -d' ' -f3)
		total=$((total + 0x$size / 64))
	done
	printf '%s\n' "$total"
}

# Print the offset of SECTION's header in the file.
section_header_offset() { # FILE SECTION
	local index start
	index=$(readelf -SW "$1" | sed -n "s/^ *\[ *\([0-9]*\)\] $2 .*/\1/p")
	start=$(readelf -hW "$1" | sed -n 's/.*Start of section headers: *\([0-9]*\) .*/\1/p')
	printf '%s\n' $((start + 64 * index))
}

# Print the offset in the file of SYMBOL's entry in .symtab: 24 bytes, st_name at 0, st_shndx at 6,
# st_value at 8.
symbol_at() { # FILE SYMBOL
	local index
	index=$(readelf -sW "$1" | awk -v name="$2" '$8 == name { print $1 + 0; exit }')
	[ -n "$index" ] || return 1
	printf '%s\n' $(($(section_at "$1" .symtab) + 24 * index))
}

# Print the offset of SECTION's contents in the file.
section_at() { # FILE SECTION
	local at
	at=$(readelf -SW "$1" | sed -n "s/^ *\[ *[0-9]*\] $2  *[A-Z]*  *[0-9a-f]* \([0-9a-f]*\) .*/\1/p")
	[ -n "$at" ] || return 1
	printf '%s\n' $((0x$at))
}

# Print the offset in the file of SECTION's first relocation of that TYPE against a symbol or section whose
# name matches: 24 bytes, r_offset at 0, the type at 8, the symbol at 12.
rela_at() { # FILE SECTION TYPE NAME
	local number
	number=$(readelf -rW "$1" | awk -v section="'$2'" -v type="$3" -v name="$4" '
		/^Relocation section/ { mine = $3 == section; n = -2 }
		mine && n >= 0 && $3 == type && $5 ~ name { print n; exit }
		{ n++ }')
	[ -n "$number" ] || return 1
	printf '%s\n' $(($(section_at "$1" "$2") + 24 * number))
}

# Print one byte, or four in little-endian order, for poke.
byte() { printf '\\%03o' $(($1 & 255)); } # NUMBER
bytes_le() { # NUMBER
	byte "$1" && byte $(($1 >> 8)) && byte $(($1 >> 16)) && byte $(($1 >> 24))
}

# Set the low byte of the flags in SECTION's header.
section_flags() { # FILE SECTION FLAGS
	poke "$1" $(($(section_header_offset "$1" "$2") + 8)) "$(byte "$3")"
}

# A filter for __versions: replace SYMBOL's entry by one of OTHER with CRC.
versions_other() { # SYMBOL OTHER CRC
	local dump at
	dump=$(mktemp -p "$BATS_TEST_TMPDIR")
	cat >"$dump"
	at=$(version_offset "$dump" "$1")
	head -c 64 /dev/zero | dd of="$dump" bs=1 seek="$at" conv=notrunc status=none
	poke "$dump" "$at" "$(bytes_le "$3")"
	poke "$dump" $((at + 8)) "$2"
	cat "$dump"
}

# Change a module to need OTHER, which the module BY exports, instead of SYMBOL.
need_instead() { # FILE SYMBOL OTHER BY
	local crc
	crc=$(nm "$4" | sed -n "s/ A __crc_$3\$//p")
	section_filter "$1" __versions versions_other "$2" "$3" "0x$crc"
	objcopy --redefine-sym "$2=$3" "$1"
	mutant_keep "$1" "$3 instead of $2"
}
