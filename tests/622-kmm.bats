#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Kernel Module Management's own lines in the VM, on a fresh boot; and a proof that this test can fail.

load lib/helpers

setup_file() {
	TIMEOUT=900 run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="$TARGET_NAME"
	run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME" base vm
}

@test "KMM's lines load wireguard from the image on a fresh boot, and two peers use the tunnel" {
	TIMEOUT=900 run_cmd 0 "$ROOT_DIR/tests/vm/kmm.sh" "$TARGET_NAME"
	assert_line "^kmm +5.10.0-32-amd64: modprobe -vd /tmp/opt loaded 9 modules, 2 of them the kernel's own: ip6_udp_tunnel udp_tunnel$"
	assert_line '^kmm +8 MiB over TCP in [0-9.]+ s, sha256 equal; modprobe -rvd unloaded wireguard$'
}

@test "an image that was made without the kernel's own modules fails this test" {
	TIMEOUT=900 run_cmd 1 "$ROOT_DIR/tests/vm/kmm.sh" "$TARGET_NAME" without-kernel
	assert_line 'the image for KMM does not work: the guest says: modprobe -vd /tmp/opt wireguard: .*Unknown symbol'
}

@test "make publish builds, proves and publishes a kernel; again, it says and writes nothing; no secret leaves" {
	local dir=$BATS_TEST_TMPDIR secret
	run_cmd 0 minisign -G -f -W -p "$dir/key.pub" -s "$dir/key"
	TIMEOUT=900 run_cmd 0 make -C "$ROOT_DIR" --no-print-directory publish TARGET="$TARGET_NAME" DEST="$dir/www" SIGN_KEY="$dir/key"
	assert_line '^(proofs +boot passed, parity passed|proofs .* is there)'
	assert_line "^publish +$dir/www, generation 1, 1 kernel\(s\)$"
	assert_equal "$(jq -c '.kernels[0].proofs' "$dir/www/index.json")" \
		'{"boot":"passed","parity":"passed","repro":"not run","symbols":262}'
	TIMEOUT=900 run_cmd 0 make -C "$ROOT_DIR" --no-print-directory publish TARGET="$TARGET_NAME" DEST="$dir/www" SIGN_KEY="$dir/key"
	assert_equal "$output" ''
	secret=$(sed -n 2p "$dir/key")
	if grep -rlaF "$secret" "$dir/www.versions" "$OUT/log" "$OUT/5.10.0-32-amd64"; then fail 'the secret key leaked'; fi
	run_cmd 2 make -C "$ROOT_DIR" --no-print-directory publish DEST="$dir/www"
	assert_line '^usage: make publish DEST=dir SIGN_KEY=file'
}
