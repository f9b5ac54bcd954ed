#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: selftest.sh TARGET
#
# Run upstream's own test of WireGuard against the build.  Boot the target's stock kernel in QEMU as tunnel.sh
# does, install the modules with wgkmod, and run the kernel's tools/testing/selftests/wireguard/netns.sh,
# unchanged from the source that the lock names.  Exit with 0 only if the guest reports success on its channel.
#
# Reads out/RELEASE/ (make artifacts) and the cache.  The console's log, with every step of netns.sh, is
# out/log/TARGET-selftest.log.
#
#   VM_SHELL, VM_TIMEOUT (here 1800), VM_ACCEL, V    as for tunnel.sh

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

netns=tools/testing/selftests/wireguard/netns.sh

# take_netns: Extract TMP/netns.sh from the kernel source of the lock.
take_netns() {
	run "$TOP/scripts/stage.sh" "$TARGET" source "$TMP/source" || die "the kernel source cannot be staged"
	family_source "$TMP"/source/* | tar -x -O --wildcards "*/$netns" >"$TMP/netns.sh" ||
		die "the kernel source of '$TARGET' has no $netns"
	[[ -s $TMP/netns.sh ]] || die "the kernel source of '$TARGET' has an empty $netns"
	rm -rf "$TMP/source"
}

main() {
	[[ $# -eq 1 && $1 != -* ]] || die "usage: selftest.sh TARGET"
	read_target "$1"
	[[ $FAMILY == deb ]] || die "this test is only for the family deb; '$1' is of the family $FAMILY"
	VM_TIMEOUT=${VM_TIMEOUT:-1800}
	# shellcheck source=tests/vm/vm.sh
	. "$TOP/tests/vm/vm.sh"
	vm_require
	make_tmp "$OUT/vm"
	phase_begin selftest
	take_netns
	vm_payload "$OUT/$RELEASE" netns.sh
	vm_disk
	vm_start selftest
	vm_wait
	[[ $VM_VERDICT == pass ]] || die "upstream's test failed: $VM_WHY"
	say selftest "$RELEASE, $(vm_figure loaded) of $(vm_figure built) built modules loaded, all of them ours"
	say selftest "netns.sh (sha256 $(sha256sum <"$TMP/netns.sh" | cut -c 1-16)...): $(vm_figure steps) steps," \
		"all passed, in $(vm_figure netns_s) s"
	say selftest "$(vm_figure objects) objects of WireGuard made and destroyed; taint $(vm_figure taint)"
	local objects
	objects=$(vm_figure objects)
	"$TOP/tests/run/figures.sh" "selftest $TARGET" \
		"$(vm_figure steps) steps passed, ${objects/\// of } objects made and destroyed"
	phase_end "passed"
}

main "$@"
