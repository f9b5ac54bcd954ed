#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The VM: the stock kernel, our modules, a tunnel; and a proof that this test can fail.

load lib/helpers

KERNEL=5.10.0-32-amd64

setup_file() {
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="$TARGET_NAME"
	run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME" base vm
}

tunnel() { TIMEOUT=600 run_cmd "$1" "$ROOT_DIR/tests/vm/tunnel.sh" "$TARGET_NAME"; }

# broken_out: Make an OUT with a copy of the build's output, for the test to damage; share the VM's disk.
broken_out() {
	cp -r "$OUT/$KERNEL" "$BATS_TEST_TMPDIR/$KERNEL"
	ln -s "$OUT/vm" "$BATS_TEST_TMPDIR/vm"
	export OUT=$BATS_TEST_TMPDIR
}

@test "make demo: two peers talk through a tunnel on the stock kernel with our modules" {
	local modules
	TIMEOUT=900 run_cmd 0 make -C "$ROOT_DIR" --no-print-directory demo
	modules='chacha_x86_64 curve25519_x86_64 libchacha libchacha20poly1305 libcurve25519_generic poly1305_x86_64'
	assert_line "^tunnel +7 of 7 built modules loaded, as modules.dep says: $modules wireguard$"
	assert_line '^tunnel +all of them ours, 262 symbol versions checked, taint 12288: O E$'
	assert_line '^tunnel +8 MiB over TCP in [0-9.]+ s \([0-9.]+ MiB/s\), sha256 equal$'
	assert_line '^tunnel +passed '
}

@test "a module with a changed CRC makes the VM test fail, with the kernel's message" {
	full_only
	local ko
	broken_out
	ko=$OUT/$KERNEL/modules/kernel/drivers/net/wireguard/wireguard.ko
	objcopy --dump-section __versions="$BATS_TEST_TMPDIR/versions" "$ko"
	flip "$BATS_TEST_TMPDIR/versions" 64 # the second entry's CRC
	objcopy --update-section __versions="$BATS_TEST_TMPDIR/versions" "$ko"
	(cd "$OUT/$KERNEL" && sed 's/^[0-9a-f]*  //' SHA256SUMS | tr '\n' '\0' | xargs -0 sha256sum >sums &&
		mv sums SHA256SUMS)
	tunnel 1
	assert_line 'the tunnel test failed: .*disagrees about version of symbol'
}
