# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of wgkmod install share: a host of its own for each test, a payload, and depmods that
# are not what they should be.  Load after helpers, modules and sweep/tools.

setup_file() {
	modules_setup
	tools_setup
}

setup() {
	host_make
	MODULES=$ROOT/lib/modules/$RELEASE
	STATE=$MODULES/.wgkmod/installed
	before=$(tree_print "$ROOT")
}

unchanged() {
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT")
}

# Refused with STATUS, a line that matches, and nothing written.
refused() { # STATUS REGEX
	install_it "$1"
	assert_line "$2"
	unchanged
}

# state_holds COUNT: the state lists so many files, each there with its digest.
state_holds() {
	local files
	files=$(sed -n 's/^file \([0-9a-f]*\) /\1  /p' "$STATE")
	assert_equal "$(wc -l <<<"$files")" "$1"
	(cd "$MODULES" && sha256sum --check --quiet <<<"$files")
}

installed() {
	local module
	for module in "${SET[@]}"; do
		cmp "$PAYLOAD/modules/kernel/$module.ko" "$MODULES/kernel/$module.ko"
		grep -q "^kernel/$module.ko:" "$MODULES/modules.dep"
	done
	state_holds "${#SET[@]}"
	assert_equal "$(find "$ROOT" -name '.*' -printf '%f\n')" .wgkmod
}

# put_aside: where the last run says that it put what another process changed.
# shellcheck disable=SC2154 # run_cmd sets output
put_aside() {
	sed -n "s/^wgkmod: what another process changed meanwhile is in '\(.*\)': move it to its place, and run depmod$/\1/p" <<<"$output"
}

# A program of this name and these lines comes first in PATH.
fake_program() { # NAME LINES
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\n%s\n' "$2" >"$BATS_TEST_TMPDIR/bin/$1"
	chmod +x "$BATS_TEST_TMPDIR/bin/$1"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# The payload of an upgrade: one module changed, one gone.
payload_next() {
	modinfo_sed "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" \
		's/^description=.*/description=another/'
	rm "$PAYLOAD/modules/kernel/lib/crypto/libcurve25519.ko"
	payload_sums "$PAYLOAD"
}
