#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod check: the proof, against what a broken build, a wrong kernel or a hostile file
# could be.
#
# shellcheck disable=SC2030,SC2031 # each test is a subshell, and changes its own SV

load lib/helpers
load lib/modules

setup_file() {
	modules_setup
}

setup() {
	SET_DIR=$BATS_TEST_TMPDIR/set
	set_make "$SET_DIR"
	cp "$BARE" "$BATS_TEST_TMPDIR/symvers"
	SV=$BATS_TEST_TMPDIR/symvers
}

check() { # STATUS FILE...
	local status=$1
	shift
	run_cmd "$status" "$WGKMOD" check --kernel "$RELEASE" --symvers "$SV" \
		--vermagic "$VERMAGIC" "$@"
}

# The status, and the module and reason in one line.
refused() { # FILE REGEX
	check 3 "$SET_DIR"/*.ko
	assert_line "^wgkmod: cannot check '.*/$1\.ko': $2"
	assert_line "do not fit $RELEASE: 1 problem$"
}

symbol_line() { # SYMBOL SED-SCRIPT: on that symbol's line of the symvers
	sed -i "/\t$1\t/{$2}" "$SV"
}

@test "the stock wireguard modules fit their kernel, and every version is counted" {
	check 0 "$SET_DIR"/*.ko
	assert_line "^wgkmod: 12 modules fit $RELEASE: $(versions_count "$SET_DIR"/*.ko) symbol versions equal$"
}

@test "a changed CRC of a kernel's symbol is refused" {
	crc_change "$SET_DIR/wireguard.ko" skb_push
	refused wireguard "version of 'skb_push' is 0xffffffff, but 0x[0-9a-f]{8} in 'vmlinux'$"
}

@test "a changed CRC of another module's symbol is refused" {
	crc_change "$SET_DIR/wireguard.ko" udp_sock_create4
	refused wireguard "version of 'udp_sock_create4' is 0xffffffff, but .* in '.*/udp_tunnel.ko'$"
}

@test "a changed CRC of module_layout is refused" {
	crc_change "$SET_DIR/libchacha.ko" module_layout
	refused libchacha "version of 'module_layout' is 0xffffffff"
}

@test "a CRC of more than 32 bits is refused" {
	local at
	at=$(readelf -SW "$SET_DIR/wireguard.ko" |
		sed -n 's/.* __versions  *PROGBITS  *[0-9a-f]* \([0-9a-f]*\) .*/\1/p')
	objcopy --dump-section __versions="$BATS_TEST_TMPDIR/v" "$SET_DIR/wireguard.ko" /dev/null
	poke "$SET_DIR/wireguard.ko" \
		$((0x$at + $(version_offset "$BATS_TEST_TMPDIR/v" skb_push) + 4)) '\001'
	refused wireguard "version of 'skb_push' is 0x1[0-9a-f]{8}, but"
}

@test "an undefined symbol without a version is refused" {
	version_drop "$SET_DIR/wireguard.ko" skb_push
	refused wireguard "it has no version of 'skb_push', which it needs$"
}

@test "a module without a version of module_layout is refused" {
	version_drop "$SET_DIR/wireguard.ko" module_layout
	refused wireguard "it has no version of 'module_layout'$"
}

@test "two versions of one symbol are refused" {
	version_double "$SET_DIR/wireguard.ko" skb_push
	refused wireguard "it has two versions of 'skb_push'$"
}

@test "a module without __versions is refused" {
	objcopy --remove-section __versions "$SET_DIR/wireguard.ko"
	refused wireguard "it has no symbol versions"
}

@test "a symbol that nothing provides is refused" {
	symbol_line skb_push d
	check 3 "$SET_DIR/wireguard.ko" "$SET_DIR"/[!w]*.ko
	assert_line "/wireguard.ko': 'skb_push', which it needs, is provided by nothing$"
}

@test "a symbol of a module that is not in the bundle is refused" {
	rm "$SET_DIR/udp_tunnel.ko"
	check 3 "$SET_DIR"/*.ko
	assert_line "/wireguard.ko': 'udp_sock_create4', which it needs, is provided by nothing$"
}

@test "a weak undefined symbol without version or provider is allowed" {
	objcopy --weaken-symbol=skb_push "$SET_DIR/wireguard.ko"
	version_drop "$SET_DIR/wireguard.ko" skb_push
	symbol_line skb_push d
	check 0 "$SET_DIR"/*.ko
}

@test "a weak undefined symbol that is provided needs its version" {
	objcopy --weaken-symbol=skb_push "$SET_DIR/wireguard.ko"
	version_drop "$SET_DIR/wireguard.ko" skb_push
	refused wireguard "it has no version of 'skb_push', which it needs$"
}

@test "another vermagic is refused, whatever part of it differs" {
	local change
	for change in 's/ SMP / SMP preempt /' 's/mod_unload //' 's/modversions $/modversions/'; do
		rm -r "$SET_DIR"
		set_make "$SET_DIR"
		modinfo_sed "$SET_DIR/wireguard.ko" "/^vermagic=/$change"
		refused wireguard "its vermagic '.*' is not the kernel's '$VERMAGIC'$"
	done
}

@test "a vermagic of another release is refused, also if one is a prefix of the other" {
	run_cmd 3 "$WGKMOD" check --kernel 5.10.0-32 --symvers "$SV" --vermagic "$VERMAGIC" \
		"$SET_DIR"/*.ko
	assert_line "/wireguard.ko': its vermagic '$VERMAGIC' is not of 5.10.0-32$"
}

@test "a module with no vermagic, or two, is refused" {
	modinfo_sed "$SET_DIR/wireguard.ko" '/^vermagic=/d'
	refused wireguard "it has no vermagic$"
	cp "$STOCK/kernel/drivers/net/wireguard/wireguard.ko" "$SET_DIR"
	modinfo_sed "$SET_DIR/wireguard.ko" '/^vermagic=/{p;s/SMP/UP/}'
	refused wireguard "it has more than one vermagic$"
}

@test "another architecture is refused" {
	poke "$SET_DIR/wireguard.ko" 18 '\267' # EM_AARCH64
	check 3 "$SET_DIR"/*.ko
	assert_line "/wireguard.ko': another architecture: ELF machine 183, not 62$"
}

@test "another word size or byte order is refused" {
	poke "$SET_DIR/wireguard.ko" 4 '\001' # ELFCLASS32
	poke "$SET_DIR/libchacha.ko" 5 '\002' # ELFDATA2MSB
	check 3 "$SET_DIR"/*.ko
	assert_line "/wireguard.ko': another architecture: ELF class 1, not 2$"
	assert_line "/libchacha.ko': another architecture: ELF byte order 2, not 1$"
}

@test "a symbol provided by the kernel and by the bundle is refused, naming both" {
	grep -P '\tudp_sock_create4\t' "$SYMVERS" >>"$SV"
	check 3 "$SET_DIR"/*.ko
	assert_line "/wireguard.ko': 'udp_sock_create4', which it needs, is provided by 'net/ipv4/udp_tunnel' and by" \
		"'.*/udp_tunnel.ko'$"
	assert_line "/udp_tunnel.ko': it exports 'udp_sock_create4', as 'net/ipv4/udp_tunnel' of the kernel does$"
	assert_line ": 2 problems$"
}

@test "a symbol provided by two modules of the bundle is refused, naming both" {
	cp "$SET_DIR/udp_tunnel.ko" "$SET_DIR/udp_other.ko"
	modinfo_sed "$SET_DIR/udp_other.ko" 's/^name=udp_tunnel$/name=udp_other/'
	check 3 "$SET_DIR"/*.ko
	assert_line "/wireguard.ko': 'udp_sock_create4', which it needs, is provided by '.*/udp_other.ko' and by" \
		"'.*/udp_tunnel.ko'$"
	assert_line "/udp_tunnel.ko': it exports 'udp_sock_create4', as '.*/udp_other.ko' does$"
	assert_line "/udp_other.ko': it exports 'udp_sock_create4', as '.*/udp_tunnel.ko' does$"
}

@test "a symbol that symvers lists twice is refused, naming both" {
	symbol_line skb_push 'p;s/vmlinux/other/'
	check 3 "$SET_DIR/wireguard.ko" "$SET_DIR"/[!w]*.ko
	assert_line "/wireguard.ko': 'skb_push', which it needs, is provided by 'other' and by 'vmlinux'$"
}

@test "an export that the kernel has too is refused, even if no module uses it" {
	SV=$SYMVERS
	check 3 "$SET_DIR/libcurve25519-generic.ko"
	assert_line "/libcurve25519-generic.ko': it exports 'curve25519_generic', as 'lib/crypto/libcurve25519-generic' of" \
		"the kernel does$"
}

@test "a symbol for GPL modules in a module of another licence is refused" {
	modinfo_sed "$SET_DIR/libchacha.ko" 's/^license=.*/license=Proprietary/'
	refused libchacha "'__crypto_xor' of 'vmlinux' is for GPL modules, its licence is 'Proprietary'$"
}

@test "a module of another licence may use symbols that are not GPL-only" {
	modinfo_sed "$SET_DIR/libchacha.ko" 's/^license=.*/license=Proprietary/'
	symbol_line __crypto_xor 's/EXPORT_SYMBOL_GPL/EXPORT_SYMBOL/'
	check 0 "$SET_DIR"/*.ko
}

@test "one GPL-incompatible licence among several is refused for GPL symbols" {
	modinfo_sed "$SET_DIR/libchacha.ko" '/^license=/{p;s/=.*/=Apache-2.0/}'
	refused libchacha "'__crypto_xor' of 'vmlinux' is for GPL modules, its licence is 'Apache-2.0'$"
}

@test "exactly the licences that the kernel calls GPL-compatible are accepted" {
	local licence
	for licence in 'GPL' 'GPL v2' 'GPL and additional rights' 'Dual BSD/GPL' 'Dual MIT/GPL' \
		'Dual MPL/GPL'; do
		modinfo_sed "$SET_DIR/libchacha.ko" "s|^license=.*|license=$licence|"
		check 0 "$SET_DIR"/*.ko
	done
	for licence in 'GPL v3' 'GPLv2' 'gpl' 'BSD' ''; do
		modinfo_sed "$SET_DIR/libchacha.ko" "s|^license=.*|license=$licence|"
		check 3 "$SET_DIR"/*.ko
	done
}

@test "a GPL-only export of the bundle in a module of another licence is refused" {
	modinfo_sed "$SET_DIR/chacha-x86_64.ko" 's/^license=.*/license=Proprietary/'
	check 3 "$SET_DIR"/*.ko
	assert_line "/chacha-x86_64.ko': 'chacha_crypt_generic' of '.*/libchacha.ko' is for GPL modules, its licence is" \
		"'Proprietary'$"
}

@test "a module without a licence is refused" {
	modinfo_sed "$SET_DIR/libchacha.ko" '/^license=/d'
	refused libchacha "it has no licence$"
}

@test "a symbol in a namespace is refused unless it is imported" {
	symbol_line skb_push 's/\t$/\tNET_PRIVATE/'
	check 3 "$SET_DIR"/*.ko
	assert_line "/wireguard.ko': 'skb_push' of 'vmlinux' is in namespace NET_PRIVATE, which it does not import$"

	modinfo_sed "$SET_DIR/wireguard.ko" '/^license=/{p;s/.*/import_ns=NET_PRIVATE/}'
	check 0 "$SET_DIR"/*.ko

	modinfo_sed "$SET_DIR/wireguard.ko" 's/^import_ns=.*/import_ns=NET_PRIVATE_2/'
	check 3 "$SET_DIR"/*.ko
	assert_line "/wireguard.ko': 'skb_push' of 'vmlinux' is in namespace NET_PRIVATE, "
}

@test "a missing Module.symvers is a refusal" {
	rm "$SV"
	check 3 "$SET_DIR"/*.ko
	assert_line "^wgkmod: cannot check '$SV': No such file or directory$"
	refute_line "symbol versions equal"
}

@test "a Module.symvers that is empty, a directory, or holds a NUL is a refusal" {
	: >"$SV"
	check 3 "$SET_DIR"/*.ko
	assert_line "^wgkmod: cannot check '$SV': it is empty$"

	cp "$BARE" "$SV"
	poke "$SV" 1000 '\000'
	check 3 "$SET_DIR"/*.ko
	assert_line "^wgkmod: cannot check '$SV': it holds a NUL byte$"

	rm "$SV"
	mkdir "$SV"
	check 3 "$SET_DIR"/*.ko
	assert_line "^wgkmod: cannot check '$SV': not a regular file$"
}

@test "a malformed line of Module.symvers is a refusal that names file and line" {
	local line
	while read -r line; do
		sed "3s|.*|$line|" "$BARE" >"$SV"
		check 3 "$SET_DIR"/*.ko
		assert_line "^wgkmod: cannot check '$SV': line 3: not "
	done <<-'LINES'
		0x12345678\tname\tvmlinux
		0x12345678\tname\tvmlinux\tEXPORT_SYMBOL\tNS\tmore
		0x12345678\tname\tvmlinux\tEXPORT_SYMBOL\tN S
		0x12345678\tname\tvmlinux\tEXPORT
		0x12345678\tname\tvmlinux\t
		0x12345678\tname\tvm linux\tEXPORT_SYMBOL
		0x12345678\tname\t\tEXPORT_SYMBOL
		0x12345678\t\tvmlinux\tEXPORT_SYMBOL
		0x12345678\tn\xc3\xa9\tvmlinux\tEXPORT_SYMBOL
		0x1234567\tname\tvmlinux\tEXPORT_SYMBOL
		0x123456789\tname\tvmlinux\tEXPORT_SYMBOL
		0x1234567g\tname\tvmlinux\tEXPORT_SYMBOL
		0x12345678g\tname\tvmlinux\tEXPORT_SYMBOL
		-0x1234567\tname\tvmlinux\tEXPORT_SYMBOL
		12345678\tname\tvmlinux\tEXPORT_SYMBOL
		nothing of the kind
	LINES
}

@test "an empty line of Module.symvers is a refusal" {
	sed -i '3s/.*//' "$SV"
	check 3 "$SET_DIR"/*.ko
	assert_line "^wgkmod: cannot check '$SV': line 3: not 4 or 5 columns$"
}

@test "a truncated Module.symvers is a refusal, also between two columns" {
	head -c -1 "$BARE" >"$SV"
	check 3 "$SET_DIR"/*.ko
	assert_line "^wgkmod: cannot check '$SV': line $(wc -l <"$BARE"): no newline, the file was cut short$"
}

@test "a compressed Module.symvers with a wrong checksum, truncated, or with trailing data is a refusal" {
	local pack at size
	for pack in 'gzip -n' 'xz --check=crc32' 'xz --check=crc64' 'xz --check=sha256'; do
		$pack <"$BARE" >"$SV"
		check 0 "$SET_DIR"/*.ko
		size=$(stat -c %s "$SV")
		for at in 4000 $((size / 2)) $((size - 8)) $((size - 1)); do
			flip "$SV" "$at"
			check 3 "$SET_DIR"/*.ko
			assert_line "^wgkmod: cannot check '$SV': it cannot be unpacked: "
			flip "$SV" "$at"
		done
		printf x >>"$SV"
		check 3 "$SET_DIR"/*.ko
		assert_line "it cannot be unpacked: it is damaged, or there is something after its end$"
		head -c $((size - 1)) "$SV" >"$SV.cut"
		mv "$SV.cut" "$SV"
		check 3 "$SET_DIR"/*.ko
		assert_line "it cannot be unpacked: "
	done
	head -c $(((64 << 20) + 1)) /dev/zero | gzip -n >"$SV"
	check 3 "$SET_DIR"/*.ko
	assert_line "^wgkmod: cannot check '$SV': larger than 67108864 bytes, unpacked$"
}

@test "a truncated module is damaged, wherever it was cut" {
	local size
	for size in 0 1 63 64 4096 8192 60000; do
		head -c "$size" "$STOCK/kernel/drivers/net/wireguard/wireguard.ko" >"$SET_DIR/wireguard.ko"
		check 4 "$SET_DIR"/*.ko
		assert_line "/wireguard.ko': (not an ELF file|cut short)"
	done
}

@test "a file that is not a module is damaged: text, compressed, a program" {
	echo 'not a module' >"$SET_DIR/text.ko"
	xz -k "$SET_DIR/wireguard.ko"
	head -c 4096 "$(command -v readelf)" >"$SET_DIR/program.ko"
	check 4 "$SET_DIR"/*.ko "$SET_DIR/wireguard.ko.xz"
	assert_line "/text.ko': not an ELF file"
	assert_line "/wireguard.ko.xz': not an ELF file"
	assert_line "/program.ko': not a module: ELF type [0-9], not relocatable"
}

@test "a section outside of the file is damage" {
	local section
	for section in .modinfo .symtab .strtab __versions; do
		cp "$STOCK/kernel/drivers/net/wireguard/wireguard.ko" "$SET_DIR/wireguard.ko"
		poke "$SET_DIR/wireguard.ko" \
			$(($(section_header_offset "$SET_DIR/wireguard.ko" "$section") + 24)) \
			'\377\377\377\377\377\377\377\177'
		check 4 "$SET_DIR"/*.ko
		assert_line "/wireguard.ko': damaged: section [0-9]+ lies outside of the file$"
	done
}

@test "a __versions section with a partial entry is damage" {
	section_filter "$SET_DIR/wireguard.ko" __versions head -c -8
	check 4 "$SET_DIR"/*.ko
	assert_line "/wireguard.ko': damaged: "
}

@test "an unterminated name at the end of a file of whole pages ends there" {
	local file=$SET_DIR/libchacha.ko size header had
	# The only entry of __versions is the last 64 bytes of the file's last page.
	header=$(section_header_offset "$file" __versions)
	had=$(stat -c %s "$file")
	size=$(((had / 4096 + 2) * 4096))
	head -c $((size - had)) /dev/zero | tr '\0' A >>"$file"
	poke "$file" $((header + 24)) "$(bytes_le $((size - 64)))" # sh_offset
	poke "$file" $((header + 32)) "$(bytes_le 64)"              # sh_size
	check 3 "$SET_DIR"/*.ko
	assert_line "/libchacha.ko': 'A{56}', which it needs, is provided by nothing$"
}

@test "a module without a symbol table is damage" {
	poke "$SET_DIR/wireguard.ko" \
		"$(section_header_offset "$SET_DIR/wireguard.ko" .symtab)" '\000\000\000\000'
	check 4 "$SET_DIR"/*.ko
	assert_line "/wireguard.ko': damaged: "
}

@test "two modules of one name, and a module named unlike its file, are refused" {
	mkdir "$SET_DIR/more"
	cp "$SET_DIR/wireguard.ko" "$SET_DIR/more/"
	check 3 "$SET_DIR"/*.ko "$SET_DIR/more/wireguard.ko"
	assert_line "/more/wireguard.ko': '.*/wireguard.ko' is a module of the same name$"

	mv "$SET_DIR/wireguard.ko" "$SET_DIR/wireward.ko"
	refused wireward "it calls itself 'wireguard'$"
}

@test "all problems are reported at once, with their number" {
	crc_change "$SET_DIR/wireguard.ko" skb_push
	version_drop "$SET_DIR/wireguard.ko" skb_put
	modinfo_sed "$SET_DIR/libchacha.ko" 's/^vermagic=5.10.0/vermagic=5.11.0/'
	head -c 100 "$SET_DIR/udp_tunnel.ko" >"$SET_DIR/short.ko"
	check 4 "$SET_DIR"/*.ko
	assert_line "/wireguard.ko': version of 'skb_push'"
	assert_line "/wireguard.ko': it has no version of 'skb_put'"
	assert_line "/libchacha.ko': its vermagic '5.11.0.*' is not of $RELEASE$"
	assert_line "/libchacha.ko': its vermagic '5.11.0.*' is not the kernel's"
	assert_line "/short.ko': cut short"
	assert_line "do not fit $RELEASE: 5 problems$"
}

@test "a missing file fails" {
	check 1 "$SET_DIR/nothing.ko"
	assert_line "^wgkmod: cannot check '$SET_DIR/nothing.ko': No such file or directory$"
}

@test "control characters of a name are escaped, C1 too" {
	check 1 "$SET_DIR/$(printf 'a\033[31m\nb\233c\302\205d').ko"
	assert_line "^wgkmod: cannot check '.*/a\\\\033\[31m\\\\012b\\\\233c\\\\302\\\\205d.ko': "
}

# Without --vermagic.
check_root() { # STATUS ROOT
	run_cmd "$1" "$WGKMOD" check --kernel "$RELEASE" --symvers "$SV" --root "$2" "$SET_DIR"/*.ko
}

@test "without --vermagic the kernel's own modules give the vermagic" {
	root_make "$BATS_TEST_TMPDIR/root"
	check_root 0 "$BATS_TEST_TMPDIR/root"
	modinfo_sed "$SET_DIR/wireguard.ko" '/^vermagic=/s/ SMP / SMP preempt /'
	check_root 3 "$BATS_TEST_TMPDIR/root"
	assert_line "/wireguard.ko': its vermagic '.*' is not the kernel's '$VERMAGIC'$"
}

@test "the kernel's own modules may be compressed" {
	local root=$BATS_TEST_TMPDIR/root
	root_make "$root"
	find "$root" -name '*.ko' -exec xz --check=crc32 {} +
	depmod -b "$root" "$RELEASE"
	check_root 0 "$root"
}

@test "the bundle's and foreign modules give no vermagic: without others, status 1" {
	local root=$BATS_TEST_TMPDIR/root module
	mkdir -p "$root/lib/modules/$RELEASE/kernel"
	cp "$STOCK"/modules.{builtin,order} "$root/lib/modules/$RELEASE"
	cp "$SET_DIR"/*.ko "$root/lib/modules/$RELEASE/kernel"
	module=$(find "$STOCK/kernel/crypto" -name '*.ko' | sort | head -n 1)
	cp "$module" "$root/lib/modules/$RELEASE/kernel/"
	modinfo_sed "$root/lib/modules/$RELEASE/kernel/${module##*/}" '/^intree=/d'
	depmod -b "$root" "$RELEASE"
	check_root 1 "$root"
	assert_line "cannot check '$RELEASE': no vermagic to compare with: .*/modules.dep lists no module of the kernel's" \
		"own: run 'depmod $RELEASE' first, or name its vermagic by --vermagic$"
}

@test "without modules.dep or the kernel's directory there is no vermagic: status 1, and what to do" {
	local root=$BATS_TEST_TMPDIR/root none="no vermagic to compare with: $BATS_TEST_TMPDIR/root/lib/modules/$RELEASE"
	root_make "$root"
	rm "$root/lib/modules/$RELEASE/modules.dep"
	check_root 1 "$root"
	assert_line "$none/modules.dep: No such file or directory: run 'depmod $RELEASE' first$"
	: >"$root/lib/modules/$RELEASE/modules.dep"
	check_root 1 "$root"
	assert_line "$none/modules.dep lists no module of the kernel's own: run 'depmod $RELEASE' first, or "
	rm -r "$root/lib/modules/$RELEASE"
	check_root 1 "$root"
	assert_line "$none: No such file"
}

@test "if none of the kernel's own modules can be read, the first is named" {
	local root=$BATS_TEST_TMPDIR/root first
	root_make "$root"
	first=$(sed -n '1s/:.*//p' "$root/lib/modules/$RELEASE/modules.dep")
	find "$root/lib/modules" -name '*.ko' -exec cp /etc/passwd {} \;
	check_root 1 "$root"
	assert_line "no vermagic to compare with: $root/lib/modules/$RELEASE/$first: "
}

@test "a wrong command line is status 2, one sentence, and a pointer to help" {
	local args
	while read -r args; do
		# shellcheck disable=SC2086 # words, as a shell would cut them
		run_cmd 2 "$WGKMOD" $args
		assert_equal "$(wc -l <<<"$output")" 1
		assert_line "^wgkmod: .*[Ss]ee 'wgkmod.* --help'$"
	done <<-'ARGS'

		frobnicate
		-v
		check
		check --kernel
		check --kernel 5.10 x.ko
		check --symvers x x.ko
		check --kernel 5.10 --symvers x
		check --kernel ../5.10 --symvers x x.ko
		check --kernel= --symvers x x.ko
		check --kernel 5.10 --kernel 5.10 --symvers x x.ko
		check --kernel 5.10 --symvers x --force x.ko
		check --kernel 5.10 --symvers x -f x.ko
		install
		install a b
		status a
	ARGS
}

@test "help lists the verbs and the exit codes, on standard output, for each verb too" {
	local verb code
	run_cmd 0 bash -c '"$1" --help 2>/dev/null' - "$WGKMOD"
	for verb in check install status verify; do
		assert_line "^  $verb +[a-z]"
	done
	for verb in '' check install status verify; do
		run_cmd 0 bash -c '"$@" --help 2>/dev/null' - "$WGKMOD" ${verb:+"$verb"}
		assert_line "^Usage: wgkmod ${verb:-VERB}"
		for code in 0 1 2 3 4 5; do
			assert_line "^  $code  [a-z]"
		done
	done
	run_cmd 0 "$WGKMOD" check --help
	assert_line "^Usage: wgkmod check --kernel RELEASE --symvers FILE \[--vermagic STRING\] \[--root DIR\] MODULE.ko...$"
}

@test "a kernel without openat2(), older than 5.6, is refused with that reason" {
	plain_only
	run_cmd 1 strace -o /dev/null -e trace=openat2 -e inject=openat2:error=ENOSYS \
		"$WGKMOD" check --kernel "$RELEASE" --symvers "$SV" --vermagic "$VERMAGIC" "$SET_DIR/wireguard.ko"
	assert_equal "$output" 'wgkmod: this kernel has no openat2(): wgkmod needs Linux 5.6 or later'
}

@test "a write error on standard output is an error" {
	run_cmd 1 bash -c '"$1" --help >/dev/full' - "$WGKMOD"
	assert_line "^wgkmod: cannot write to standard output: No space left on device$"
}
