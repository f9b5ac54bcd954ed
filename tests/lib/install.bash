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
	STATE=$MODULES/.wgkmod/installed
	before=$(tree_print "$ROOT")
}

# Fail if the host changed since setup.
unchanged() {
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT")
}

# Run an install that must exit with STATUS, print a line that matches, and write nothing.
refused() { # STATUS REGEX...
	install_it "$1"
	assert_line "${@:2}"
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

# put_aside: Print the path at which the last run says that it kept the changes of another process.
# shellcheck disable=SC2154 # run_cmd sets output
put_aside() {
	local before='another process changed the former directory; it is kept as' after='copy those changes back, then run'
	sed -n "s/^wgkmod: $before '\(.*\)': $after 'depmod $RELEASE'$/\1/p" <<<"$output"
}

# A program of this name and these lines comes first where wgkmod looks for it, /usr/local/sbin: WGKMOD
# becomes a program that runs wgkmod with that directory in the place of the system's.
fake_program() { # NAME LINES
	local bin=$BATS_TEST_TMPDIR/bin
	mkdir -p "$bin"
	printf '#!/bin/sh\n%s\n' "$2" >"$bin/$1"
	chmod +x "$bin/$1"
	[[ $WGKMOD != "$bin.wgkmod" ]] || return 0
	[[ -d /usr/local/sbin ]] || fail 'there is no /usr/local/sbin'
	# preload.c, which is for wgkmod alone, would have unshare(1) do nothing: look before the mount.
	cat >"$bin.wgkmod" <<-EOF
		#!/bin/bash
		export FAKE_PRELOAD=\${LD_PRELOAD:-}
		unset LD_PRELOAD
		exec unshare --mount $([[ $(id -u) -eq 0 ]] || echo --map-root-user) bash -euc '
			[[ \$(readlink /proc/self/ns/mnt) != "\$1" ]]
			mount --bind "\$0" /usr/local/sbin
			export LD_PRELOAD=\$FAKE_PRELOAD
			[[ -n \$LD_PRELOAD ]] || unset LD_PRELOAD
			exec "\${@:2}"' '$bin' "\$(readlink /proc/self/ns/mnt)" '$WGKMOD' "\$@"
	EOF
	chmod +x "$bin.wgkmod"
	WGKMOD=$bin.wgkmod
}

# Change the payload to that of an upgrade: one module differs, one is gone.
payload_next() {
	modinfo_sed "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" \
		's/^description=.*/description=another/'
	rm "$PAYLOAD/modules/kernel/lib/crypto/libcurve25519.ko"
	payload_sums "$PAYLOAD"
}
