#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A bundle that differs from the one that its provenance makes; and the files that making the image opens.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load ../lib/helpers
load ../lib/opened

KERNEL=5.10.0-32-amd64

setup_file() { TIMEOUT=1500 run_cmd 0 make -C "$ROOT_DIR" --no-print-directory bundle TARGET="$TARGET_NAME"; }

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

@test "every file that the closure and the compile of wgkmod open has a digest in the provenance" {
	local dir=$BATS_TEST_TMPDIR builder hide devel=/usr/src/linux-headers-$KERNEL
	hide=$(bash -c '. "$0/scripts/lib.sh"; read_target "$1"; echo "$HIDE"' "$ROOT_DIR" "$TARGET_NAME")
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory image TARGET="$TARGET_NAME"
	builder=$("$ROOT_DIR/scripts/image.sh" "$TARGET_NAME" --name)
	stage "$TARGET_NAME" source "$dir/fixtures"
	stage "$TARGET_NAME" toolchain "$dir/toolchain"
	mkdir "$dir/devel"
	mv "$dir/toolchain/linux-headers-$KERNEL"_*.deb "$dir/devel/kernel-devel.deb"
	rm -r "$dir/toolchain"
	contents "$dir"
	# Run the commands of the Containerfile, on a kernel-devel without their changes.
	TIMEOUT=1500 opened "$builder" "
		rm -rf /kernel
		dpkg-deb --extract /traced/devel/kernel-devel.deb /
		cp -r '/host$ROOT_DIR/src' /wgkmod/src
		cp -r /traced/fixtures /build/source
		bash /wgkmod/closure.sh $KERNEL /build/source $hide
		make -C /wgkmod/src O=/tmp/o CC=\"\$(cat /kernel/cc)\" PKG_CONFIG=true libs='-lkmod -lcrypto -lz -llzma'
		strip -o /tmp/o/stripped /tmp/o/wgkmod; cmp /tmp/o/stripped /wgkmod/wgkmod" "$dir"
	grep -q '^/wgkmod/closure.sh ' "$dir/opened"
	grep -q '^/wgkmod/src/main.c ' "$dir/opened"
	grep -q '^/usr/include/lzma.h ' "$dir/opened"
	output=$(unexplained "$dir" "$OUT/$KERNEL/provenance.json" "$devel")
	cat "$dir/count"
	assert_equal "$output" ''
}
