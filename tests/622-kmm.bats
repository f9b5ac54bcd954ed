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
	assert_line "^kmm +5.10.0-32-amd64: modprobe -vd /tmp/opt loaded 9 modules, 2 of them the kernel's own:" \
		"ip6_udp_tunnel udp_tunnel$"
	assert_line '^kmm +8 MiB over TCP in [0-9.]+ s, sha256 equal; modprobe -rvd unloaded wireguard$'
}

@test "an image that was made without the kernel's own modules fails this test" {
	TIMEOUT=900 run_cmd 1 "$ROOT_DIR/tests/vm/kmm.sh" "$TARGET_NAME" without-kernel
	assert_line 'the image for KMM does not work: the guest says: modprobe -vd /tmp/opt wireguard: .*Unknown symbol'
}

@test "make publish builds, signs the modules too, proves and publishes; again, it says nothing; no secret leaves" {
	local dir=$BATS_TEST_TMPDIR secret publish
	run_cmd 0 minisign -G -f -W -p "$dir/key.pub" -s "$dir/key"
	run_cmd 0 openssl req -new -nodes -sha256 -days 2 -batch -x509 -newkey rsa:2048 -subj /CN=modules \
		-keyout "$dir/modules.pem" -out "$dir/modules.crt"
	publish=(make -C "$ROOT_DIR" --no-print-directory publish TARGET="$TARGET_NAME" DEST="$dir/www" SIGN_KEY="$dir/key"
		MODULE_KEY="$dir/modules.pem" MODULE_CERT="$dir/modules.crt")
	TIMEOUT=900 run_cmd 0 "${publish[@]}"
	assert_line '^(proofs +boot passed, parity passed|proofs .* is there)'
	assert_line "^publish +$dir/www, generation 1, 1 kernel\(s\)$"
	assert_equal "$(jq -c '.kernels[0].proofs' "$dir/www/index.json")" \
		'{"boot":"passed","parity":"passed","repro":"not run","symbols":262}'
	tar -xOf "$dir/www/5.10.0-32-amd64/wireguard-5.10.0-32-amd64.tar" \
		5.10.0-32-amd64/modules/kernel/drivers/net/wireguard/wireguard.ko | tail -c 28 |
		grep -qxF '~Module signature appended~'
	TIMEOUT=900 run_cmd 0 "${publish[@]}"
	assert_equal "$output" ''
	for secret in "$(sed -n 2p "$dir/key")" "$(sed -n 2p "$dir/modules.pem")"; do
		if grep -rlaF -e "$secret" "$dir/www.versions" "$OUT/log" "$OUT"{,/signed}/5.10.0-32-amd64; then
			fail 'a secret key leaked'
		fi
	done
	run_cmd 2 make -C "$ROOT_DIR" --no-print-directory publish DEST="$dir/www"
	assert_line '^usage: make publish DEST=dir SIGN_KEY=file'
}
