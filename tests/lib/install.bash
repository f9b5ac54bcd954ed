# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Helpers for the tests of wgkmod install: a host for each test, a payload, and programs that fake depmod and
# others.  Load after helpers, modules and sweep/tools.

setup_file() {
	modules_setup
	tools_setup
}

setup() {
	host_make
	MODULES=$ROOT/lib/modules/$RELEASE
	STATE=$ROOT/var/lib/wgkmod/$RELEASE/installed
	before=$(tree_print "$ROOT")
}

# Fail if the host changed since setup.
unchanged() {
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT")
}

# Run an install that must exit with STATUS, print a line that matches, and write nothing.
refused() { # STATUS REGEX
	install_it "$1"
	assert_line "$2"
	unchanged
}

# Fail unless the whole payload is installed and indexed, its state is right, and no dot file is left.
installed() {
	local module
	for module in "${SET[@]}"; do
		cmp "$PAYLOAD/modules/kernel/$module.ko" "$MODULES/kernel/$module.ko"
		grep -q "^kernel/$module.ko:" "$MODULES/modules.dep"
	done
	(cd "$MODULES" && sha256sum --check --quiet "$STATE")
	[ "$(wc -l <"$STATE")" -eq "${#SET[@]}" ]
	[ -z "$(find "$ROOT" -name '.*')" ]
}

# put_aside: Print the path at which the last run says that it kept the changes of another process.
# shellcheck disable=SC2154 # run_cmd sets output
put_aside() {
	sed -n "s/^wgkmod: what another process changed meanwhile is in '\(.*\)'$/\1/p" <<<"$output"
}

# Make a shell program of this name and these lines, and put it first in PATH.
fake_program() { # NAME LINES
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\n%s\n' "$2" >"$BATS_TEST_TMPDIR/bin/$1"
	chmod +x "$BATS_TEST_TMPDIR/bin/$1"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# Change the payload to that of an upgrade: one module differs, one is gone.
payload_next() {
	modinfo_sed "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" \
		's/^description=.*/description=another/'
	rm "$PAYLOAD/modules/kernel/lib/crypto/libcurve25519.ko"
	payload_sums "$PAYLOAD"
}
