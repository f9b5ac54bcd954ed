#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Parity: our modules are the code that the distribution ships, and the comparison detects differences.

load lib/helpers

KERNEL=5.10.0-32-amd64

setup_file() {
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="$TARGET_NAME"
	run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME" kernel
	run_cmd 0 make -C "$ROOT_DIR/tests/parity" O="$OUT/parity"
	export VENDOR=$BATS_FILE_TMPDIR/vendor
	stage "$TARGET_NAME" kernel "$BATS_FILE_TMPDIR/kernel"
	mkdir "$VENDOR"
	dpkg-deb --fsys-tarfile "$BATS_FILE_TMPDIR"/kernel/*.deb | tar -x -C "$VENDOR" --strip-components=4 \
		./lib/modules/$KERNEL/kernel/drivers/net/wireguard ./lib/modules/$KERNEL/kernel/lib/crypto \
		./lib/modules/$KERNEL/kernel/arch/x86/crypto
	mapfile -t modules < <(sed -n 's,^[0-9a-f]* [ *]modules/\(kernel/.*\.ko\)$,\1,p' "$OUT/$KERNEL/SHA256SUMS")
	export MODULES="${modules[*]}"
}

ours() { printf '%s\n' "$OUT/$KERNEL/modules/$1"; }
compare() { run_cmd "$1" "$OUT/parity/parity" module "${@:2}"; }

# mutated N [KIND]: Fail unless the comparison catches and names the N-th mutation of one of our modules.
mutated() {
	local seed=$1 module what words
	read -ra words <<<"$MODULES"
	module=${words[seed % ${#words[@]}]}
	what=$("$OUT/parity/mutate" "$(ours "$module")" "$BATS_TEST_TMPDIR/m.ko" "${@:2}" "$seed" | tail -n 1)
	compare 1 "$BATS_TEST_TMPDIR/m.ko" "$VENDOR/$module"
	grep -qF -- "parity: module: ${what#*$'\t'}" <<<"$output" ||
		fail "seed $seed, $module: $what is not named in:"$'\n'"$output"
	printf '%s %s\n' "${what%%$'\t'*}" "$module" >>"$BATS_TEST_TMPDIR/caught"
}

@test "every module of the build is the code that Debian ships" {
	run_cmd 0 "$ROOT_DIR/tests/parity/parity.sh" "$TARGET_NAME"
	assert_line '^parity +7 modules of 5.10.0-32-amd64 are the vendor.s code: [0-9]+ sections of [0-9]+ bytes, '
	assert_line ' bytes, [0-9]+ relocations, [0-9]+ symbols, 262 CRCs equal$'
	assert_line '^parity +may differ and does: '
}

@test "a kernel of the series 6.12: every module of the build is the code that Debian ships" {
	TIMEOUT=1800 run_cmd 0 make -C "$ROOT_DIR" --no-print-directory parity TARGETS=debian13-6.12.117+deb13-amd64
	assert_line '^parity +7 modules of 6.12.117\+deb13-amd64 are the vendor.s code: '
}

@test "mutations of our modules are caught, each named by section and offset or by symbol" {
	local seed n=40
	[[ -z ${FULL:-} ]] || n=2000
	for ((seed = 1; seed <= n; seed++)); do mutated "$seed"; done
	assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/caught")" "$n"
	# the sample has most of the kinds
	assert "$(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR/caught" | sort -u | wc -l)" -ge 12
	[[ -z ${FULL:-} ]] || figure 'parity changes' "$n of $n changes at random places caught"
}

@test "each kind of mutation is caught in wireguard" {
	local kind
	MODULES=kernel/drivers/net/wireguard/wireguard.ko
	for kind in code data string relocation-offset relocation-type relocation-symbol relocation-addend crc \
		srcversion vermagic depends alias licence symbol-value symbol-size symbol-binding symbol-name section; do
		mutated 7 "$kind"
	done
}

@test "allowed differences are listed, and pass: intree, build-id, BTF, signature, symbol order" {
	local module=kernel/drivers/net/wireguard/wireguard.ko copy=$BATS_TEST_TMPDIR/copy.ko
	cp "$(ours "$module")" "$copy"
	compare 0 "$copy" "$copy"
	assert_line ' differing=nothing$'

	compare 0 "$copy" "$VENDOR/$module"
	assert_line ' differing=(.*,)?build-id,.*intree,.*signature'

	printf 'type information' >"$BATS_TEST_TMPDIR/btf"
	objcopy --add-section .BTF="$BATS_TEST_TMPDIR/btf" --set-section-flags .BTF=alloc,readonly "$copy" \
		"$BATS_TEST_TMPDIR/btf.ko"
	compare 0 "$BATS_TEST_TMPDIR/btf.ko" "$copy"
	assert_line ' differing=BTF(,symbol-order)?$'
}

@test "a module that lacks a section, a relocation, a symbol or an entry is caught" {
	local copy=$BATS_TEST_TMPDIR/copy.ko module
	module=$(ours kernel/drivers/net/wireguard/wireguard.ko)
	objcopy --remove-section .note.Linux "$module" "$copy"
	compare 1 "$copy" "$module"
	assert_line '^parity: module: section .note.Linux: lacks type '
	compare 1 "$module" "$copy"
	assert_line '^parity: module: section .note.Linux: has type .*, the vendor.s has not$'
	objcopy --redefine-sym wg_newlink=wg_oldlink "$module" "$copy"
	compare 1 "$copy" "$module"
	objcopy --remove-relocations .init.text "$module" "$copy"
	compare 1 "$copy" "$module"
	assert_line '^parity: module: .init.text\+0x[0-9a-f]+ \(in .*\): lacks relocated by type'
	{ cat "$module"; printf 'more'; } >"$copy"
	compare 2 "$copy" "$module"
	assert_line 'but its ELF file ends at'
	head -c 5000 "$module" >"$copy"
	compare 2 "$copy" "$module"
}

@test "a difference fails the target's parity, and names the module" {
	local ko
	cp -r "$OUT/$KERNEL" "$BATS_TEST_TMPDIR/$KERNEL"
	export OUT=$BATS_TEST_TMPDIR
	ko=$OUT/$KERNEL/modules/kernel/lib/crypto/libchacha.ko
	run_cmd 0 make -C "$ROOT_DIR/tests/parity" O="$OUT/parity"
	"$OUT/parity/mutate" "$ko" "$BATS_TEST_TMPDIR/m.ko" code 3
	mv "$BATS_TEST_TMPDIR/m.ko" "$ko"
	run_cmd 1 "$ROOT_DIR/tests/parity/parity.sh" "$TARGET_NAME"
	assert_line '^parity: libchacha: \.[a-z.]*text[a-z.]*\+0x[0-9a-f]+ \(in [a-z0-9_]+\): is 0x'
	assert_line '1 of 7 modules are not the code that 5.10.0-32-amd64 ships$'
	assert_absent "$OUT/proofs/parity-$TARGET_NAME"
}
