#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: fuzz.sh [NAME...]
#
# Fuzz each tests/fuzz/NAME.c (all without an operand) for FUZZ_SECONDS (600) with libFuzzer, under ASan and
# UBSan. The seeds are made here from real files. The corpus stays in out/fuzz/NAME/, and the next run continues
# from it. A finding is a file, out/fuzz/NAME-*, which out/fuzz/NAME.bin takes as its operand; then exit with 1.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
FUZZ_SECONDS=${FUZZ_SECONDS:-600}
REAL=debian11-5.10.0-32-amd64 # whose modules the target module changes
dir=$OUT/fuzz

# seed NAME: Make the seeds in the directory $TMP/NAME.
seed() {
	local seeds=$TMP/$1 tree=$TMP/tree
	mkdir -p "$seeds" "$tree/5.10.0/modules/kernel"
	case $1 in
	bundle)
		printf 'no module\n' >"$tree/5.10.0/modules/kernel/x.ko"
		(cd "$tree/5.10.0" && sha256sum modules/kernel/x.ko >SHA256SUMS)
		for format in ustar gnu pax v7; do
			tar -c --format="$format" -C "$tree" -f "$seeds/$format" 5.10.0/SHA256SUMS 5.10.0/modules/kernel/x.ko
			tar -c --format="$format" -C "$tree" -f "$seeds/$format-directories" 5.10.0
		done
		;;
	signature)
		printf payload >"$TMP/payload"
		minisign -G -f -W -p "$seeds/key" -s "$TMP/key" >/dev/null
		minisign -S -s "$TMP/key" -m "$TMP/payload" -x "$seeds/prehashed" -t comment >/dev/null
		minisign -S -l -s "$TMP/key" -m "$TMP/payload" -x "$seeds/legacy" -t comment >/dev/null
		;;
	symvers)
		printf '%s\t%s\t%s\t%s\t%s\n' 0x12345678 skb_push vmlinux EXPORT_SYMBOL '' \
			0x9abcdef0 x drivers/x EXPORT_SYMBOL_GPL NS >"$seeds/table"
		;;
	elf)
		cat >"$tree/module.c" <<-'SOURCE'
			#define IN(name) __attribute__((section(name), used))
			extern int needed(void);
			int exported(void) { return needed(); }
			static const char info[] IN(".modinfo") = "license=GPL";
			struct { char name[64]; int (*init)(void); } self IN(".gnu.linkonce.this_module") = { "module", exported };
			asm(".section \"__ksymtab_strings\",\"aMS\",@progbits,1\n"
			    "__kstrtab_exported: .asciz \"exported\"\n__kstrtabns_exported: .asciz \"NS\"\n"
			    ".section \"__ksymtab\",\"a\"\n.long exported - .\n.long __kstrtab_exported - .\n"
			    ".long __kstrtabns_exported - .\n"
			    ".section \"__kcrctab\",\"a\"\n.long __crc_exported\n.set __crc_exported, 0x12345678\n.text\n");
		SOURCE
		cc -O1 -fno-pic -mcmodel=large -c -o "$seeds/module" "$tree/module.c"
		;;
	module)
		# Not to start from, but what is changed: the smallest real ones that export and import.
		rm -rf "$dir/modules"
		mkdir -p "$dir/modules"
		"$TOP/scripts/stage.sh" "$REAL" vm "$TMP/debs"
		dpkg-deb --fsys-tarfile "$TMP"/debs/linux-image-*.deb | tar -x --wildcards -C "$dir/modules" --transform 's,.*/,,' \
			'*/libcurve25519-generic.ko' '*/udp_tunnel.ko' '*/libchacha.ko' '*/ip6_udp_tunnel.ko'
		head -c 18 /dev/zero >"$seeds/none"
		;;
	bootloader)
		cat >"$seeds/menu" <<-'CFG'
			if [ "${next_entry}" ] ; then
			   set default="${next_entry}"
			else
			   set default="${saved_entry}"
			fi
			menuentry 'One' --class x $menuentry_id_option 'one' {
				linux	/boot/vmlinuz-5.10.0-1 root=x
			}
			submenu "More" --id more {
				menuentry 'Two\'' { linux /vmlinuz-5.10.0-2 }
			}
			====
			# GRUB Environment Block
			saved_entry=1>Two
			next_entry=more>0
			====
		CFG
		printf '%s\n' blscfg 'set default="${saved_entry}"' ==== saved_entry=one ==== 'title One' 'version 5.10.0~1' \
			'linux /x/5.10.0-1/linux' >"$seeds/files"
		printf '%s\n' blscfg ==== ==== 'title One' 'sort-key a' 'linux /vmlinuz-5.10.0-1' ==== 'default o*' >"$seeds/loader"
		;;
	state)
		printf '%064d  kernel/x.ko\n%064d *kernel/lib/y.ko\n' 1 2 >"$seeds/state"
		;;
	esac
}

# library: Make TMP/libwgkmod-debug.a, all of src/ except main.c, instrumented for the fuzz targets.
library() {
	make --no-print-directory -C "$TOP/src" O="$TMP" CC=clang CFLAGS=-fsanitize=fuzzer-no-link \
		-j "$(nproc)" library-debug >/dev/null || die "src/ does not compile"
}

# compile NAME: Make out/fuzz/NAME.bin.
compile() {
	local name=$1 libs
	read -ra libs <<<"$(pkg-config --libs libkmod libcrypto zlib liblzma)"
	"${clang[@]}" -fsanitize=fuzzer -o "$dir/$name.bin" "$TOP/tests/fuzz/$name.c" "$TMP/libwgkmod-debug.a" "${libs[@]}" ||
		die "tests/fuzz/$name.c does not compile"
}

# fuzz NAME: Run the fuzz target; fail on a finding.
fuzz() {
	local name=$1
	mkdir -p "$dir/$name"
	# The program's messages go to /dev/null, the fuzzer's to the log.
	(cd "$dir" && "./$name.bin" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=1024 -max_len=32768 \
		-close_fd_mask=3 -print_final_stats=1 -artifact_prefix="$dir/$name-" "$name" "$TMP/$name") >"$LOG" 2>&1
}

clang=(clang -std=gnu11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer -iquote "$TOP/src"
	'-fsanitize=address,undefined' -fno-sanitize-recover=all)
TARGET=fuzz
make_tmp "$OUT"
mkdir -p "$dir"
[[ $# -gt 0 ]] || {
	mapfile -t names < <(cd "$TOP/tests/fuzz" && printf '%s\n' *.c)
	set -- "${names[@]%.c}"
}
library
found=0
for name; do
	[[ -f $TOP/tests/fuzz/$name.c ]] || die "there is no '$TOP/tests/fuzz/$name.c'"
	phase_begin "$name"
	compile "$name"
	seed "$name"
	if fuzz "$name"; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$LOG")
		"$TOP/tests/run/figures.sh" "fuzz $name" "$name $runs runs"
		phase_end "$runs runs, no finding"
	else
		found=1
		say "$name" "a finding: see $LOG and $dir/$name-*"
		PHASE=
	fi
done
[[ $found -eq 0 ]]
