#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031 # each test is a subshell
#
# Fifty kernels, published twice to a web root and a registry.

load ../lib/helpers
load ../lib/servers
load ../lib/delivery
load ../lib/registry

setup_file() { delivery_setup; }

teardown() { servers_stop 2>/dev/null && rm -f "$BATS_FILE_TMPDIR/servers"; }

@test "fifty kernels to a web root and a registry: the second time nothing is written or pushed, in 10 s" {
	local i before names=()
	export DEST=$BATS_TEST_TMPDIR/www TARGET_DIR=$BATS_FILE_TMPDIR/targets OUT=$BATS_FILE_TMPDIR/out
	tls_make "$BATS_TEST_TMPDIR/registry"
	registry_tls "$BATS_TEST_TMPDIR/registry"
	login "$BATS_TEST_TMPDIR/auth.json" secret-of-the-registry
	export REGISTRY=$REGISTRY_HOST/wg SSL_CERT_FILE=$BATS_TEST_TMPDIR/registry/ca.crt
	for i in {10..59}; do
		names+=("5.10.$i-many-amd64")
		fixture_kernel "5.10.$i-many-amd64"
		# an image for KMM takes seconds: let two kernels have one
		[[ $i -lt 12 ]] || sed -i '/^KERNEL_IMAGE/d' "$TARGET_DIR/5.10.$i-many-amd64"
	done
	TIMEOUT=1200 publish 0 "${names[@]}"
	assert_whole "$DEST"
	assert_equal "$(jq -c '[[.kernels[].oci.bundle], [.kernels[].oci.kmm] | map(select(.)) | length]' \
		"$DEST/index.json")" '[50,2]'
	before=$(writes)
	[[ $before -gt 100 ]]
	state "$DEST/" >"$BATS_TEST_TMPDIR/before"
	again "${names[@]}"
	assert_equal "$output" ''
	assert_equal "$(writes)" "$before"
	diff "$BATS_TEST_TMPDIR/before" <(state "$DEST/")
}
