#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# Hostile bundles, most of them made by hand: each is refused with status 4 (or 3, by the proof) and
# a sentence that names the entry, and nothing is written. They come unsigned, by --allow-unsigned: so it is the
# reading that refuses them.
#
# shellcheck disable=SC2034 # BUNDLE is for helpers

load lib/helpers
load lib/modules
load lib/bundle

setup_file() {
	modules_setup
	payload_make "$BATS_FILE_TMPDIR/payload"
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR bundle_make "$BATS_FILE_TMPDIR/payload" "$BATS_FILE_TMPDIR/bundle.tar"
	root_make "$BATS_FILE_TMPDIR/root"
	entries "$BATS_FILE_TMPDIR/bundle.tar" >"$BATS_FILE_TMPDIR/entries"
	key_make "$BATS_FILE_TMPDIR/key"
}

setup() {
	ROOT=$BATS_FILE_TMPDIR/root
	GOOD=$BATS_FILE_TMPDIR/bundle.tar
	ENTRIES=$BATS_FILE_TMPDIR/entries
	BUNDLE=$BATS_TEST_TMPDIR/bundle.tar
	before=$(tree_print "$ROOT" times)
}

# The bundle on standard input is refused, by a line "… 'BUNDLE': REGEX", and counted.
refused() { # REGEX
	cat >"$BUNDLE"
	run_cmd 4 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$BUNDLE"
	assert_line "^wgkmod: cannot install '$BUNDLE': $1$"
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT" times)
	printf 'x' >>"$BATS_FILE_TMPDIR/refused"
}

# A good bundle with one more entry, of standard input, before all others.
with_entry() { # REGEX NAME [FIELD=TEXT]...
	local regex=$1
	shift
	{
		entry "$@"
		cat "$ENTRIES"
	} | finish | refused "$regex"
}

# A good bundle out of a payload that COMMAND changed; it runs in the payload's directory.
with_payload() { # REGEX COMMAND...
	local regex=$1 dir=$BATS_TEST_TMPDIR/changed
	shift
	rm -rf "$dir"
	mkdir "$dir"
	cp -r "$BATS_FILE_TMPDIR/payload" "$dir/$RELEASE"
	rm -r "$dir/$RELEASE/debug"
	payload_sums "$dir/$RELEASE"
	(cd "$dir/$RELEASE" && "$@")
	ustar_of "$dir" | refused "$regex"
}

# The same, with SHA256SUMS that are true of it.
with_module() { # REGEX MODULE COMMAND...: the command gets the module's file
	local regex=$1 file=modules/kernel/$2.ko
	shift 2
	changed_module() {
		"$@" "$file"
		payload_sums .
	}
	with_payload_named "$file" "$regex" changed_module "$@"
}

# As with_payload, but what is named is a file of SHA256SUMS, as all that reads modules does.
with_payload_named() { # NAME REGEX COMMAND...
	local name=$1 regex=$2 dir=$BATS_TEST_TMPDIR/changed
	shift 2
	rm -rf "$dir"
	mkdir "$dir"
	cp -r "$BATS_FILE_TMPDIR/payload" "$dir/$RELEASE"
	rm -r "$dir/$RELEASE/debug"
	(cd "$dir/$RELEASE" && "$@")
	ustar_of "$dir" >"$BUNDLE"
	run_cmd 4 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$BUNDLE"
	assert_line "^wgkmod: cannot install '$name': $regex"
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT" times)
	printf 'x' >>"$BATS_FILE_TMPDIR/refused"
}

ustar_of() { # DIR
	(cd "$1" && find . -type f -printf '%P\n' | LC_ALL=C sort) >"$BATS_TEST_TMPDIR/list"
	tar --create --format=ustar --owner=0 --group=0 --mtime=@0 -C "$1" --files-from="$BATS_TEST_TMPDIR/list"
}

E=explain.txt

@test "the unmutated bundle is accepted, also when it is packed by hand" {
	entries "$GOOD" | finish >"$BUNDLE"
	cmp "$BUNDLE" "$GOOD"
	run_cmd 0 "$WGKMOD" verify --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$BUNDLE"
	# And an entry made by hand, which SHA256SUMS do not name, is read.
	with_entry "entry '$RELEASE/more': SHA256SUMS does not name it" "$RELEASE/more" </dev/null
}

@test "names that are not plain relative paths are refused" {
	local name=$RELEASE/modules/kernel no='not a path that a bundle may have'
	with_entry "entry '\.\./escape': $no" ../escape <<<x
	with_entry "entry '$name/\.\./\.\./x': $no" "$name/../../x" <<<x
	with_entry "entry '$name/\.\.': $no" "$name/.." <<<x
	with_entry "entry '/etc/passwd': $no" /etc/passwd <<<x
	with_entry "entry '': $no" '' <<<x
	with_entry "entry '\./$name/x\.ko': $no" "./$name/x.ko" <<<x
	with_entry "entry '$name/\./x\.ko': $no" "$name/./x.ko" <<<x
	with_entry "entry '$name//x\.ko': $no" "$name//x.ko" <<<x
	with_entry "entry '$name/x\.ko/': $no" "$name/x.ko/" <<<x
	with_entry "entry '$name/\.x\.ko': $no" "$name/.x.ko" <<<x
	with_entry "entry '\.\./$name/x\.ko': $no" "$name/x.ko" prefix=.. <<<x
	with_entry "entry '//x\.ko': $no" x.ko prefix=/ <<<x
}

@test "names with other characters are refused, and escaped in the message" {
	local name=$RELEASE/modules/kernel no='not a path that a bundle may have'
	with_entry "entry '$name/a\\\\012b\.ko': $no" "$name/a\\nb.ko" <<<x
	with_entry "entry '$name/\\\\033\[2J\.ko': $no" "$name/\\033[2J.ko" <<<x
	with_entry "entry '$name/\\\\233x\.ko': $no" "$name/\\0233x.ko" <<<x
	with_entry "entry '$name/\\\\177\.ko': $no" "$name/\\0177.ko" <<<x
	with_entry "entry '$name/\\\\303\\\\251\.ko': $no" "$name/\\0303\\0251.ko" <<<x
	with_entry "entry '$name/a b\.ko': $no" "$name/a b.ko" <<<x
	with_entry "entry '$name/a\\\\b\.ko': $no" "$name/a\\\\b.ko" <<<x
	with_entry "entry '$name/\\$\(id\)\.ko': $no" "$name/\$(id).ko" <<<x
	with_entry "entry '$name/%s%n\.ko': $no" "$name/%s%n.ko" <<<x
}

@test "too long names are refused, as a path and as a component" {
	local name=$RELEASE/modules/kernel no='not a path that a bundle may have'
	with_entry "entry '(a{155}/b{99,100}|a{155}/.*)': it lies in no directory of a kernel" \
		"$(printf 'b%.0s' {1..100})" "prefix=$(printf 'a%.0s' {1..155})" <<<x
	with_entry "entry '$RELEASE/modules/(\\\\001){60}.*': $no" \
		"$RELEASE/modules/$(printf '\\001%.0s' {1..80})" "prefix=" <<<x
	with_entry "entry '$RELEASE/(x/){61}x': SHA256SUMS does not name it" x \
		"prefix=$RELEASE/$(printf 'x/%.0s' {1..60})x" <<<x
}

@test "an entry that is not a regular file is refused, and its kind is named" {
	local name=$RELEASE/modules/kernel/x.ko
	with_entry "entry '$name': a hard link" "$name" type=1 "link=$RELEASE/wgkmod" </dev/null
	with_entry "entry '$name': a symbolic link" "$name" type=2 link=/etc/passwd </dev/null
	with_entry "entry '$name': a device" "$name" type=3 </dev/null
	with_entry "entry '$name': a device" "$name" type=4 </dev/null
	with_entry "entry '$RELEASE/modules': a directory" "$RELEASE/modules" type=5 </dev/null
	with_entry "entry '$name': a FIFO" "$name" type=6 </dev/null
	with_entry "entry '$name': of no kind that ustar has" "$name" type=7 <<<x
	with_entry "entry '$name': of no kind that ustar has" "$name" 'type=\0' <<<x
	with_entry "entry '$name': of no kind that ustar has" "$name" type=D </dev/null
	with_entry "entry '$name': a file with the name of a link" "$name" link=/etc/passwd <<<x
}

@test "other tar formats are refused: pax, GNU, sparse, old" {
	local name=$RELEASE/modules/kernel/x.ko
	with_entry "entry '$name': a pax header, .*" "$name" type=x <<<'30 path=../../../etc/passwd'
	with_entry "entry 'pax_global_header': a pax header, .*" pax_global_header type=g <<<'12 size=9999'
	with_entry "entry '$name': a pax header, .*" "$name" type=X <<<x
	with_entry "entry '\././@LongLink': a GNU header of a long name, .*" ././@LongLink type=L <<<../../x
	with_entry "entry '\././@LongLink': a GNU header of a long name, .*" ././@LongLink type=K <<<../../x
	with_entry "entry '$name': a sparse file, .*" "$name" type=S <<<x
	with_entry "entry '$name': its header is not ustar's" "$name" 'magic=ustar ' 'version= ' <<<x
	with_entry "entry '$name': its header is not ustar's" "$name" 'magic=' 'version=' <<<x
	with_entry "entry '$name': its header is not ustar's" "$name" 'magic=ustaR\0' <<<x
	with_entry "entry '$name': its header is not ustar's" "$name" version=01 <<<x
	with_entry "entry '$name': its header goes on where ustar's ends" "$name" 'pad=\0\0\0\0\0\0\0\0tar' <<<x
}

@test "archives that other programs make of the same files are refused" {
	mkdir "$BATS_TEST_TMPDIR/files"
	cp -r "$BATS_FILE_TMPDIR/payload" "$BATS_TEST_TMPDIR/files/$RELEASE"
	tar --create --format=gnu -C "$BATS_TEST_TMPDIR/files" "$RELEASE" |
		refused "entry '$RELEASE/': its header is not ustar's"
	tar --create --format=pax -C "$BATS_TEST_TMPDIR/files" "$RELEASE/$E" |
		refused "entry '$RELEASE/PaxHeaders/$E': a pax header, .*"
	tar --create --format=v7 -C "$BATS_TEST_TMPDIR/files" "$RELEASE/$E" |
		refused "entry '$RELEASE/$E': its header is not ustar's"
	tar --create --format=ustar -C "$BATS_TEST_TMPDIR/files" "$RELEASE" | refused "entry '$RELEASE/': a directory"
}

# What OUT/KERNEL/ has beside the bundle, what browsers and mails make of it, and what else is near.
@test "a file that is almost a bundle is named, with what to do" {
	local first='compressed by'
	gzip -n <"$GOOD" | refused "it is $first gzip: gunzip it first"
	xz <"$GOOD" | refused "it is $first xz: unxz it first"
	zstd -q <"$GOOD" | refused "it is $first zstd: unzstd it first"
	bzip2 <"$GOOD" | refused "it is $first bzip2: bunzip2 it first"
	printf '\x04\x22\x4d\x18' | refused "it is $first lz4: unlz4 it first"
	printf 'PK\3\4' | refused 'it is a zip archive: unzip it first'
	printf '7z\xbc\xaf\x27\x1c' | refused 'it is a 7z archive: unpack it first'
	printf '\xed\xab\xee\xdb\3\0' | refused 'it is an RPM package, not a bundle'
	ar rc "$BATS_TEST_TMPDIR/a" "$ENTRIES"
	refused 'it is a Debian package or another ar archive, not a bundle' <"$BATS_TEST_TMPDIR/a"
	(cd "$BATS_FILE_TMPDIR/payload" && find . | cpio --quiet --create --format=newc) |
		refused 'it is a cpio archive, not a bundle'
	refused "it is an ELF file, as a module is, not a bundle: see 'wgkmod check'" \
		<"$BATS_FILE_TMPDIR/payload/modules/kernel/lib/crypto/libchacha.ko"
	refused 'it is a file of minisign, not the bundle that was signed' <"$BATS_FILE_TMPDIR/key.pub"
	refused 'it is a page of HTML or XML, .*' <<<'<!DOCTYPE html>'
}

@test "a header with any malformed field is refused: other readers would list it differently" {
	local name=$RELEASE/x no='a field of its header is not as ustar has it' field
	for field in mode=0000888 mode= 'mode=   644 ' mode=0004755 mode=0001644 'mtime=\0200\0\0\0\0\0\0\0\0\0\0\01' \
		mtime=-0000000001 \
		uid= 'uid=\0200\0\0\0\0\0\0\01' uid=-000001 'gid=       ' 'gid=\0377\0377\0377\0377\0377\0377\0377\0377' \
		'uname=root\0x' 'gname=a\0\0\0b' devmajor=x 'devminor=\0200\0\0\0\0\0\0\01' 'prefix=\0/etc'; do
		with_entry "entry '$name': $no" "$name" "$field" <<<x
	done
	with_entry "entry '$name': $no" "$name\\0/../escape" <<<x
	with_entry "entry '$name': a file with the name of a link" "$name" 'link=\0/etc/passwd' <<<x
}

@test "malformed sizes, and sizes beyond the end, are refused" {
	local name=$RELEASE/modules/kernel/x.ko no='its size is not eleven octal digits' \
		large='larger than what is left of the bundle'
	with_entry "entry '$name': $large" "$name" size=77777777777 <<<x
	with_entry "entry '$name': $large" "$name" size=00010000000 <<<x
	with_entry "entry '$name': $no" "$name" 'size=\0200\0\0\0\0377\0377\0377\0377\0377\0377\0377\0377' <<<x
	with_entry "entry '$name': $no" "$name" 'size=\0200\0\0\0\0\0\0\0\0\0\0\02' <<<x
	with_entry "entry '$name': $no" "$name" size=-0000000001 <<<x
	with_entry "entry '$name': $no" "$name" 'size=         2' <<<x
	with_entry "entry '$name': $no" "$name" size= <<<x
	with_entry "entry '$name': $no" "$name" size=777777777777 <<<x
	with_entry "entry '$name': $no" "$name" size=00000000009 <<<x
	# One byte less than there is leaves one that is not a zero behind the end.
	with_entry "entry '$name': there is data after its end" "$name" size=00000000001 <<<x
}

@test "a header with a wrong checksum is refused" {
	local wrong='its header has a wrong checksum'
	with_entry "entry '$RELEASE/x': $wrong" "$RELEASE/x" 'checksum=000000\0 ' <<<x
	with_entry "entry '$RELEASE/x': $wrong" "$RELEASE/x" 'checksum= 12345\0 ' <<<x
	{
		head -c 512 "$ENTRIES"
		tail -c +513 "$ENTRIES"
	} | sed "1s/0000644/0000645/" | finish | refused "entry '$RELEASE/SHA256SUMS': $wrong"
}

@test "data after the end, and a missing end, are refused" {
	{
		cat "$GOOD"
		head -c $((20 * BLOCK)) /dev/zero
	} | refused 'there is data after its end'
	{
		cat "$GOOD"
		printf x
	} | refused 'there is data after its end'
	{
		cat "$GOOD" "$GOOD"
	} | refused 'there is data after its end'
	{
		head -c -1 "$GOOD"
		printf x
	} | refused 'there is data after its end'
	head -c -1 "$GOOD" | refused 'it was cut short'
	head -c -512 "$GOOD" | refused 'it was cut short'
	refused 'it was cut short' <"$ENTRIES"
	head -c -512 "$ENTRIES" | refused "entry '$RELEASE/modules/.*': larger than what is left of the bundle"
	{
		cat "$ENTRIES"
		entry "$RELEASE/zzz" <<<x
	} | head -c -1 | refused "entry '$RELEASE/zzz': larger than what is left of the bundle"
	refused 'it was cut short' </dev/null
	head -c $((20 * BLOCK)) /dev/zero | refused 'it is empty'
}

@test "a duplicate name, or one that is both file and directory, is refused" {
	with_entry "entry '$RELEASE/$E': it appears twice" "$RELEASE/$E" <"$BATS_FILE_TMPDIR/payload/$E"
	with_entry "entry '$RELEASE/SHA256SUMS': it appears twice" "$RELEASE/SHA256SUMS" \
		<"$BATS_FILE_TMPDIR/payload/SHA256SUMS"
	with_entry "entry '$RELEASE/$E/x': its parent is a file" "$RELEASE/$E/x" <<<x
	with_entry "entry '$RELEASE/.*': its parent is a file" "$RELEASE" <<<x
}

@test "a file outside of a kernel's directory is refused" {
	with_entry "entry 'wgkmod': it lies in no directory of a kernel" wgkmod <<<x
	with_entry "entry 'SHA256SUMS': it lies in no directory of a kernel" SHA256SUMS <<<x
	with_entry "entry '-x/y': it lies in no directory of a kernel" -x/y <<<x
}

@test "files and SHA256SUMS that do not match are refused" {
	with_payload "entry '$RELEASE/more': SHA256SUMS does not name it" touch more
	with_payload "entry '$RELEASE/modules/kernel/more.ko': SHA256SUMS does not name it" touch modules/kernel/more.ko
	with_payload "entry '$RELEASE/$E': SHA256SUMS names it, but it is missing" rm $E
	with_payload "entry '$RELEASE/modules/kernel/lib/crypto/libchacha.ko': SHA256SUMS names it, but it is missing" \
		rm modules/kernel/lib/crypto/libchacha.ko
	with_payload "entry '$RELEASE/$E': its digest is not the one in SHA256SUMS" cp SHA256SUMS $E
	with_payload "entry '$RELEASE/modules/kernel/lib/crypto/libchacha.ko': its digest is not the one in SHA256SUMS" \
		truncate -s -1 modules/kernel/lib/crypto/libchacha.ko
	with_payload "entry '$RELEASE/SHA256SUMS': it is missing" rm SHA256SUMS
	with_payload "entry '$RELEASE/\.\./\.\./etc/passwd': SHA256SUMS names it, but it is missing" \
		sed -i "\$a $(printf '%064d' 0)  ../../etc/passwd" SHA256SUMS
}

no_modules() {
	rm -r modules
	sed -i '/modules/d' SHA256SUMS
}

@test "malformed SHA256SUMS are refused" {
	local digits='line [0-9]+: not a digest of 64 digits'
	with_payload "entry '$RELEASE/SHA256SUMS': line 1: not a digest of 64 digits" sed -i '1s/.//' SHA256SUMS
	with_payload "entry '$RELEASE/SHA256SUMS': line 2: no two spaces after the digest" sed -i '2s/^/0/' SHA256SUMS
	with_payload "entry '$RELEASE/SHA256SUMS': $digits" sed -i '3s/^./g/' SHA256SUMS
	with_payload "entry '$RELEASE/SHA256SUMS': $digits" sed -i '3s/^.*/\U&/' SHA256SUMS
	with_payload "entry '$RELEASE/SHA256SUMS': line [0-9]+: no newline, the file was cut short" truncate -s -1 SHA256SUMS
	with_payload "entry '$RELEASE/SHA256SUMS': it holds a NUL byte" sed -i '2s/$/\x00/' SHA256SUMS
	with_payload "entry '$RELEASE/SHA256SUMS': it lists '.*' twice" sed -i 2p SHA256SUMS
	with_payload "SHA256SUMS names no module" no_modules
}

no_module() { echo 'no module' >"$1"; }
cut_header() { truncate -s 40 "$1"; }
cut_sections() { truncate -s 5000 "$1"; }
executable() { poke "$1" 16 '\002'; }
# The header of a section says that it starts behind the end of the file.
versions_outside() { poke "$1" $(($(section_header_offset "$1" __versions) + 24)) '\377\377\377\177'; }
versions_endless() { poke "$1" $(($(section_header_offset "$1" __versions) + 32)) '\300\377\377\377\377\377\377\177'; }
info_outside() { poke "$1" $(($(section_header_offset "$1" .modinfo) + 24)) '\377\377\377\177'; }
symbols_outside() { poke "$1" $(($(section_header_offset "$1" .symtab) + 24)) '\377\377\377\177'; }

@test "damaged modules are refused although their digests are right" {
	local w=drivers/net/wireguard/wireguard
	with_module 'not an ELF file: only 10 bytes$' $w no_module
	with_module 'not an ELF file: only 40 bytes$' $w cut_header
	with_module 'cut short: 5000 bytes, its section headers end at ' $w cut_sections
	with_module 'not an ELF file: only 0 bytes$' $w truncate -s 0
	with_module 'not a module: ELF type 2, not relocatable$' $w executable
	with_module 'damaged: section [0-9]+ lies outside of the file$' $w info_outside
	with_module 'damaged: section [0-9]+ lies outside of the file$' $w symbols_outside
	with_module 'damaged: section [0-9]+ lies outside of the file$' $w versions_outside
	with_module 'damaged: section [0-9]+ lies outside of the file$' $w versions_endless
}

@test "module paths that do not belong below lib/modules are refused, each named" {
	local name
	for name in modules/x.ko modules/extra/x.ko modules/kernel/x.ko.xz modules/kernel/x modules/modules.dep; do
		another_module() {
			install -D -m 644 modules/kernel/lib/crypto/libchacha.ko "$name"
			payload_sums .
		}
		with_payload "SHA256SUMS names '$name', which is not a path of a module" another_module
	done
}

@test "a signed hostile bundle is refused too" {
	{
		entry "../escape" <<<x
		cat "$ENTRIES"
	} | finish >"$BUNDLE"
	key_sign "$BATS_FILE_TMPDIR/key" "$BUNDLE"
	run_cmd 4 "$WGKMOD" install --key "$BATS_FILE_TMPDIR/key.pub" --root "$ROOT" --kernel "$RELEASE" "$BUNDLE"
	assert_line "^wgkmod: cannot install '$BUNDLE': entry '\.\./escape': not a path that a bundle may have$"
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT" times)
}

@test "at least 60 hostile bundles were refused" {
	assert "$(wc -c <"$BATS_FILE_TMPDIR/refused")" -ge 60
	figure hostile "$(wc -c <"$BATS_FILE_TMPDIR/refused") hostile bundles refused"
}
