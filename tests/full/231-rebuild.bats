#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A bundle is made again from its provenance: by a clone that has moved on, altered, and with signed modules.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load ../lib/helpers

KERNEL=5.10.0-32-amd64

setup_file() {
	TIMEOUT=1500 run_cmd 0 make -C "$ROOT_DIR" --no-print-directory bundle TARGET="$TARGET_NAME"
	"$ROOT_DIR/scripts/install-deps.sh" git openssl diffoscope
}

@test "a bundle is made again from its provenance alone, in a clone that has moved on: equal" {
	local dir=$BATS_TEST_TMPDIR/clone bundle=$OUT/$KERNEL/wireguard-$KERNEL.tar
	clone "$dir"
	git -C "$dir" init --quiet
	git -C "$dir" add --all
	git -C "$dir" -c user.name=t -c user.email=t@localhost commit --quiet --message one
	printf '/* later */\n' >>"$dir/src/main.c"
	sed -i 's/artifacts/other/g' "$dir/scripts/provenance.sh"
	git -C "$dir" -c user.name=t -c user.email=t@localhost commit --quiet --all --message two
	rm -r "$dir/targets"
	OUT=$dir/out TIMEOUT=1500 run_cmd 0 "$dir/scripts/rebuild.sh" "$bundle"
	assert_line '^image .* made without network'
	assert_line "^rebuild +equal: .*, sha256 $(sha256sum <"$bundle" | cut -d ' ' -f 1) "
}

@test "a bundle that differs from a rebuild: status 3, and the difference" {
	local dir=$BATS_TEST_TMPDIR
	mkdir "$dir/x"
	tar -x -C "$dir/x" -f "$OUT/$KERNEL/wireguard-$KERNEL.tar"
	flip "$dir/x/$KERNEL/modules/kernel/lib/crypto/libchacha.ko" 4000
	tar -c -C "$dir/x" -f "$dir/changed.tar" "$KERNEL"
	OUT=$dir/out TIMEOUT=1500 run_cmd 3 "$ROOT_DIR/scripts/rebuild.sh" "$dir/changed.tar"
	assert_line "^  differs: $KERNEL/modules/kernel/lib/crypto/libchacha.ko$"
	tar -tf "$dir/out/rebuilt.tar" | grep -qx "$KERNEL/modules/kernel/lib/crypto/libchacha.ko"
}

@test "a bundle whose modules are signed for the kernel: equal, with the bundle's own signatures" {
	local dir=$BATS_TEST_TMPDIR bundle=$BATS_TEST_TMPDIR/out/signed/$KERNEL/wireguard-$KERNEL.tar made=$OUT/$KERNEL
	export OUT=$dir/out
	mkdir "$OUT"
	cp -r "$made" "$OUT/"
	run_cmd 0 openssl req -new -nodes -sha256 -days 2 -batch -x509 -newkey rsa:2048 -subj '/CN=a kernel' \
		-addext keyUsage=digitalSignature -keyout "$dir/key" -out "$dir/cert"
	MODULE_KEY=$dir/key MODULE_CERT=$dir/cert run_cmd 0 "$ROOT_DIR/scripts/sign-modules.sh" "$TARGET_NAME"
	OUT=$OUT/signed run_cmd 0 "$ROOT_DIR/scripts/bundle.sh" "$TARGET_NAME"
	TIMEOUT=1500 run_cmd 0 "$ROOT_DIR/scripts/rebuild.sh" "$bundle"
	assert_line "^rebuild +$KERNEL: its modules are signed for the kernel; the signatures are copied, not checked$"
	assert_line "^rebuild +equal: .*, sha256 $(sha256sum <"$bundle" | cut -d ' ' -f 1) "
}
