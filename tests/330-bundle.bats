#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# Bundles: how scripts/bundle.sh makes them, and what install and verify take from them.

load lib/helpers
load lib/modules
load lib/bundle

OTHER=5.10.0-31-amd64

setup_file() {
	modules_setup
}

setup() {
	ROOT=$BATS_TEST_TMPDIR/root
	MODULES=$ROOT/lib/modules/$RELEASE
	export OUT=$BATS_TEST_TMPDIR/out
	BUNDLE=$OUT/$RELEASE/wireguard-$RELEASE.tar
	KEY=$BATS_TEST_TMPDIR/key
	payload_make "$OUT/$RELEASE"
	echo program >"$OUT/$RELEASE/wgkmod"
	chmod 755 "$OUT/$RELEASE/wgkmod"
	payload_sums "$OUT/$RELEASE"
}

bundle_it() { # STATUS [TARGET...]
	local status=$1
	shift
	run_cmd "$status" "$ROOT_DIR/scripts/bundle.sh" "${@:-$TARGET_NAME}"
}

# A second target and its output: the same modules under the name of another kernel.
other_target() {
	cp -r "$OUT/$RELEASE" "$OUT/$OTHER"
	export TARGET_DIR=$BATS_TEST_TMPDIR/targets
	mkdir "$TARGET_DIR"
	cp "$ROOT_DIR/targets/$TARGET_NAME" "$ROOT_DIR/targets/$TARGET_NAME.lock" "$TARGET_DIR/"
	sed "s/^RELEASE .*/RELEASE = $OTHER/" "$TARGET_DIR/$TARGET_NAME" >"$TARGET_DIR/other"
	cp "$TARGET_DIR/$TARGET_NAME.lock" "$TARGET_DIR/other.lock"
}

@test "a bundle is plain ustar: sorted, owned by root, no times, regular files alone" {
	local names
	bundle_it 0
	assert_line "^bundle +$BUNDLE, [0-9]+ bytes, 1 kernel\(s\), not signed"
	run_cmd 0 tar --list --verbose --numeric-owner --full-time --utc -f "$BUNDLE"
	refute_line '^[^-]'
	assert_equal "$(grep -cE '^-rw-r--r-- 0/0 +[0-9]+ 1970-01-01 00:00:00 ' <<<"$output")" 14
	assert_line "^-rwxr-xr-x 0/0 +8 1970-01-01 00:00:00 $RELEASE/wgkmod$"
	names=$(tar --list -f "$BUNDLE")
	assert_equal "$(wc -l <<<"$names")" 15
	diff <(printf '%s\n' "$names") <(LC_ALL=C sort <<<"$names")
	assert_equal "$(dd if="$BUNDLE" bs=1 skip=257 count=8 status=none | od -An -c | tr -d ' ')" 'ustar\000'
}

@test "a bundle's SHA256SUMS lists exactly its files, without debug data" {
	bundle_it 0
	mkdir "$BATS_TEST_TMPDIR/x"
	tar -x -C "$BATS_TEST_TMPDIR/x" -f "$BUNDLE"
	cd "$BATS_TEST_TMPDIR/x/$RELEASE"
	sha256sum --check --strict --quiet SHA256SUMS
	diff <(find . -type f ! -name SHA256SUMS -printf '%P\n' | LC_ALL=C sort) \
		<(cut -c 67- SHA256SUMS | LC_ALL=C sort)
	assert_absent debug
}

@test "the same files make the same bundle in any environment" {
	local first
	bundle_it 0
	first=$(sha256sum <"$BUNDLE")
	rm "$BUNDLE"
	find "$OUT/$RELEASE" -exec touch -d 2001-02-03 {} +
	find "$OUT/$RELEASE" -type f -exec chmod g+w,o-r {} +
	(
		umask 077
		cd /
		TZ=Asia/Tokyo LC_ALL=C.UTF-8 TAR_OPTIONS=--format=gnu bundle_it 0
	)
	assert_equal "$(sha256sum <"$BUNDLE")" "$first"
}

@test "an output directory that is missing or damaged makes no bundle" {
	echo more >>"$OUT/$RELEASE/explain.txt"
	bundle_it 1
	assert_line "^wgkmod: '$OUT/$RELEASE' is not what its SHA256SUMS says"
	rm -r "${OUT:?}/$RELEASE"
	bundle_it 1
	assert_line "^wgkmod: there is no '$OUT/$RELEASE/SHA256SUMS'; run: make artifacts TARGET=$TARGET_NAME$"
	assert_absent "$BUNDLE"
}

@test "SIGN_KEY signs with minisign, and the bundle's bits stay the same" {
	local first
	key_make "$KEY"
	bundle_it 0
	first=$(sha256sum <"$BUNDLE")
	SIGN_KEY=$KEY.key bundle_it 0
	assert_line ', signed '
	assert_equal "$(sha256sum <"$BUNDLE")" "$first"
	run_cmd 0 minisign -V -p "$KEY.pub" -m "$BUNDLE"
	assert_line "^Trusted comment: file:wireguard-$RELEASE.tar timestamp:[0-9]+ kernels: $RELEASE inputs: [0-9a-f]{64}$"
}

@test "a signature has no clock time: signed again, and in another clone, it has the same bits" {
	local inputs
	key_make "$KEY"
	SOURCE_DATE_EPOCH=1234 SIGN_KEY=$KEY.key bundle_it 0
	run_cmd 0 minisign -V -p "$KEY.pub" -m "$BUNDLE"
	inputs=$("$ROOT_DIR/scripts/inputs.sh" "$TARGET_NAME")
	assert_line "^Trusted comment: file:wireguard-$RELEASE.tar timestamp:1234 kernels: $RELEASE inputs: $inputs$"
	cp "$BUNDLE.minisig" "$BATS_TEST_TMPDIR/first"
	rm "$BUNDLE"*
	SOURCE_DATE_EPOCH=1234 SIGN_KEY=$KEY.key bundle_it 0
	cmp "$BUNDLE.minisig" "$BATS_TEST_TMPDIR/first"
	SOURCE_DATE_EPOCH=now SIGN_KEY=$KEY.key bundle_it 1
	assert_line "^wgkmod: SOURCE_DATE_EPOCH 'now' is not a number of seconds$"
}

@test "a signature that verifies is kept; one by another key, and a damaged one, is made again" {
	key_make "$KEY"
	key_make "$KEY.other"
	SOURCE_DATE_EPOCH=1 SIGN_KEY=$KEY.key bundle_it 0
	cp "$BUNDLE.minisig" "$BATS_TEST_TMPDIR/first"
	SOURCE_DATE_EPOCH=2 SIGN_KEY=$KEY.key bundle_it 0
	cmp "$BUNDLE.minisig" "$BATS_TEST_TMPDIR/first"
	sed -i 's/timestamp:1/timestamp:3/' "$BUNDLE.minisig"
	SOURCE_DATE_EPOCH=2 SIGN_KEY=$KEY.key bundle_it 0
	run_cmd 0 minisign -V -p "$KEY.pub" -m "$BUNDLE"
	assert_line ' timestamp:2 '
	SOURCE_DATE_EPOCH=2 SIGN_KEY=$KEY.other.key bundle_it 0
	run_cmd 0 minisign -V -p "$KEY.other.pub" -m "$BUNDLE"
}

@test "a signature stays beside an unchanged bundle, and is removed with a changed one" {
	key_make "$KEY"
	SIGN_KEY=$KEY.key bundle_it 0
	bundle_it 0
	assert_line ', signed '
	run_cmd 0 minisign -V -p "$KEY.pub" -m "$BUNDLE"
	echo more >>"$OUT/$RELEASE/explain.txt"
	payload_sums "$OUT/$RELEASE"
	bundle_it 0
	assert_line 'not signed'
	assert_absent "$BUNDLE.minisig"
}

@test "a key that is not there makes no bundle" {
	SIGN_KEY=$KEY.key bundle_it 1
	assert_line "^wgkmod: there is no key '$KEY.key'$"
	assert_absent "$BUNDLE"
}

@test "a signed bundle is installed with --key, and the signer is printed" {
	local module
	root_make "$ROOT"
	key_make "$KEY"
	SIGN_KEY=$KEY.key bundle_it 0
	run_cmd 0 "$WGKMOD" install --root "$ROOT" --kernel "$RELEASE" --key "$KEY.pub" "$BUNDLE"
	assert_line "^wgkmod: '$BUNDLE' is signed by key $(key_id "$KEY.pub") \($KEY.pub\): file:wireguard-$RELEASE.tar "
	assert_line "^wgkmod: 12 modules for $RELEASE installed: [0-9]+ symbol versions equal$"
	for module in "${SET[@]}"; do
		cmp "$OUT/$RELEASE/modules/kernel/$module.ko" "$MODULES/kernel/$module.ko"
	done
	assert_equal "$(grep -c '^file ' "$MODULES/.wgkmod/installed")" 12
	run_cmd 0 "$WGKMOD" install --root "$ROOT" --kernel "$RELEASE" --key "$KEY.pub" "$BUNDLE"
	assert_line "^wgkmod: 12 modules for $RELEASE are installed already"
}

@test "install takes its own kernel out of a bundle of several" {
	root_make "$ROOT"
	other_target
	echo other >"$OUT/$OTHER/explain.txt"
	modinfo_sed "$OUT/$OTHER/modules/kernel/drivers/net/wireguard/wireguard.ko" 's/^description=.*/description=other/'
	payload_sums "$OUT/$OTHER"
	bundle_it 0 other "$TARGET_NAME"
	assert_line "^bundle +$OUT/wireguard.tar, [0-9]+ bytes, 2 kernel\(s\), not signed"
	run_cmd 0 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$OUT/wireguard.tar"
	cmp "$OUT/$RELEASE/modules/kernel/drivers/net/wireguard/wireguard.ko" \
		"$MODULES/kernel/drivers/net/wireguard/wireguard.ko"
	assert_absent "$ROOT/lib/modules/$OTHER"
}

@test "a bundle without the kernel is status 3, and the message lists its kernels" {
	local before
	root_make "$ROOT"
	other_target
	before=$(tree_print "$ROOT")
	bundle_it 0 other "$TARGET_NAME"
	run_cmd 3 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel 6.1.0-9-amd64 "$OUT/wireguard.tar"
	assert_line "^wgkmod: cannot install '$OUT/wireguard.tar': it has no modules for 6.1.0-9-amd64, but for $OTHER," \
		"$RELEASE$"
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT")
}

@test "install reads only the kernel's own directory of a bundle" {
	root_make "$ROOT"
	other_target
	bundle_it 0 other "$TARGET_NAME"
	flip "$OUT/wireguard.tar" $(($(entry_offset "$OUT/wireguard.tar" "$OTHER/explain.txt") + BLOCK))
	run_cmd 4 "$WGKMOD" verify --allow-unsigned --root "$ROOT" --kernel "$OTHER" "$OUT/wireguard.tar"
	assert_line "^wgkmod: cannot verify '.*': entry '$OTHER/explain.txt': its digest is not the one in SHA256SUMS$"
	run_cmd 0 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$OUT/wireguard.tar"
}

@test "two targets of one kernel make no bundle" {
	other_target
	cp "$TARGET_DIR/other" "$TARGET_DIR/again"
	cp "$TARGET_DIR/other.lock" "$TARGET_DIR/again.lock"
	bundle_it 1 other again
	assert_line "^wgkmod: two of the targets are of the kernel $OTHER$"
}

@test "a bundle of so many kernels that minisign takes no list of them has their number and one digest" {
	local n names=()
	other_target
	for n in {10..32}; do
		names+=("k$n-$(printf 'x%.0s' {1..110})")
		sed "s/^RELEASE .*/RELEASE = ${names[-1]}/" "$TARGET_DIR/other" >"$TARGET_DIR/${names[-1]}"
		cp "$TARGET_DIR/other.lock" "$TARGET_DIR/${names[-1]}.lock"
		cp -r "$OUT/$OTHER" "$OUT/${names[-1]}"
	done
	minisign -G -f -W -p "$BATS_TEST_TMPDIR/key.pub" -s "$BATS_TEST_TMPDIR/key" >/dev/null
	SIGN_KEY=$BATS_TEST_TMPDIR/key bundle_it 0 "${names[@]}"
	sed -n 3p "$OUT/wireguard.tar.minisig" | grep -Ex \
		'trusted comment: file:wireguard.tar timestamp:[0-9]+ kernels: 23 inputs: [0-9a-f]{64}'
	minisign -V -q -p "$BATS_TEST_TMPDIR/key.pub" -m "$OUT/wireguard.tar"
}

@test "verify names the signer, proves the modules and writes nothing" {
	local before
	root_make "$ROOT"
	key_make "$KEY"
	SIGN_KEY=$KEY.key bundle_it 0
	before=$(tree_print "$ROOT" times)
	run_cmd 0 "$WGKMOD" verify --root "$ROOT" --kernel "$RELEASE" --key "$KEY.pub" --symvers "$BARE" "$BUNDLE"
	assert_line "^wgkmod: '$BUNDLE' is signed by key [0-9A-F]{16} "
	modules=("$OUT/$RELEASE"/modules/kernel/{*,*/*,*/*/*}/*.ko)
	assert_line "^wgkmod: 12 modules for $RELEASE are intact and fit: $(versions_count "${modules[@]}") symbol versions" \
		'equal$'
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT" times)
}

@test "verify refuses what install would refuse, with the same status" {
	root_make "$ROOT"
	bundle_it 0
	run_cmd 4 "$WGKMOD" verify --root "$ROOT" --kernel "$RELEASE" "$BUNDLE"
	assert_line "^wgkmod: cannot verify '$BUNDLE': it is not signed; --allow-unsigned accepts it, this run only$"
	sed 's/^0x........\tskb_push\t/0x12345678\tskb_push\t/' "$BARE" >"$MODULES/symvers"
	run_cmd 3 "$WGKMOD" verify --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$BUNDLE"
	assert_line "^wgkmod: cannot verify '.*/wireguard.ko': version of 'skb_push' is "
	rm -r "$MODULES"
	run_cmd 1 "$WGKMOD" verify --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$BUNDLE"
	assert_line "^wgkmod: cannot verify '$RELEASE': $MODULES: No such file or directory$"
}
