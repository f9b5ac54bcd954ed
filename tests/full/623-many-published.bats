#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031 # each test is a subshell
#
# Fifty kernels, published twice to a web root, a registry and an RPM repository.

load ../lib/helpers
load ../lib/servers
load ../lib/delivery
load ../lib/registry

setup_file() {
	"$ROOT_DIR/scripts/install-deps.sh" @rpm @publish >&2
	delivery_setup
	export GNUPGHOME=$BATS_FILE_TMPDIR/gnupg
	mkdir -m 700 "$GNUPGHOME"
	run_cmd 0 gpg --batch --passphrase '' --quick-generate-key 'wgkmod test' rsa3072 sign never
}

teardown() {
	servers_stop 2>/dev/null && rm -f "$BATS_FILE_TMPDIR/servers"
	gpgconf --homedir "$GNUPGHOME" --kill all
}

# all_forms: Publish to all three, and put the packages into the repository.  Two kernels have an image for KMM and no
# package, as their target is not of the family rpm.
all_forms() {
	TIMEOUT=1800 publish 0 "${others[@]}" "${names[@]}"
	said=$output
	TIMEOUT=1800 run_cmd 0 env PUBLIC_KEY="$KEY.pub" GPG_KEY='wgkmod test' VENDOR=acme BASE_URL=file:///srv \
		"$ROOT_DIR/delivery/rpm.sh" "$DEST" "${names[@]}"
}

@test "fifty kernels to a web root, a registry and an RPM repository: the second time nothing is written or pushed" {
	local i before names=() others=(5.10.8-kmm-amd64 5.10.9-kmm-amd64) said TIMEFORMAT='%R %U %S' real user system
	export DEST=$BATS_TEST_TMPDIR/www TARGET_DIR=$BATS_FILE_TMPDIR/targets OUT=$BATS_FILE_TMPDIR/out
	tls_make "$BATS_TEST_TMPDIR/registry"
	registry_tls "$BATS_TEST_TMPDIR/registry"
	login "$BATS_TEST_TMPDIR/auth.json" secret-of-the-registry
	export REGISTRY=$REGISTRY_HOST/wg SSL_CERT_FILE=$BATS_TEST_TMPDIR/registry/ca.crt
	for i in "${others[@]}"; do fixture_kernel "$i"; done
	for i in {10..59}; do
		names+=("5.10.$i-many.al8.x86_64")
		fixture_kernel "5.10.$i-many.al8.x86_64" rpm
	done
	all_forms
	assert_whole "$DEST"
	assert_valid "$DEST"
	assert_equal "$(jq -c '[[.kernels[].oci.bundle], [.kernels[].oci.kmm | values], [.kernels[].rpm | values] | length]' \
		"$DEST/index.json")" '[52,2,50]'
	before=$(writes)
	[[ $before -gt 100 ]]
	state "$DEST/" >"$BATS_TEST_TMPDIR/before"

	{ time all_forms 2>&9; } 9>&2 2>"$BATS_TEST_TMPDIR/times"
	assert_equal "$said" ''
	assert_line '^rpm +.*/rpm is up to date '
	assert_equal "$(writes)" "$before"
	diff "$BATS_TEST_TMPDIR/before" <(state "$DEST/")
	read -r real user system <"$BATS_TEST_TMPDIR/times"
	OUT=$ROOT_DIR/out figure 'published twice' "the second time nothing is written or pushed, in $real s"
	printf 'processor time: %s s, %s s in the kernel\n' "$user" "$system" >&3
}
