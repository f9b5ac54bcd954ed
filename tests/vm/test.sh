#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: test.sh TARGET TEST
#
# Boots the target's own kernel in QEMU, as tunnel.sh does, and runs guest/TEST.sh there, with the
# build's output and the folder VM_EXTRA.  Prints what the guest reports, "KEY VALUE" a line, and
# ends with status 0 only if the guest says so.  Environment: as vm.sh.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

main() {
	[[ $# -eq 2 && $1 != -* ]] || die "usage: test.sh TARGET TEST"
	read_target "$1"
	# shellcheck source=tests/vm/vm.sh
	. "$TOP/tests/vm/vm.sh"
	[[ -f $VM_HOME/guest/$2.sh ]] || die "there is no test '$2' for the guest"
	vm_require
	make_tmp "$OUT/vm"
	phase_begin "$2"
	vm_payload "$OUT/$RELEASE"
	vm_disk
	vm_start "$2"
	vm_wait
	[[ $VM_VERDICT == pass ]] || die "the test $2 failed: $VM_WHY"
	sed '/^verdict /d' "$VM_CHANNEL"
	phase_end "passed"
}

main "$@"
