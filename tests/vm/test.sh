#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: test.sh TARGET TEST [OPTION...]
#
# Boot the target's own kernel in QEMU, as tunnel.sh does, and run guest/TEST.sh there, with the build's output
# and the directory VM_EXTRA.  OPTIONs go to QEMU.  Print the guest's lines "KEY VALUE".  Exit with 0 only if the
# guest reports success.  Environment: as for vm.sh.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

main() {
	[[ $# -ge 2 && $1 != -* ]] || die "usage: test.sh TARGET TEST [OPTION...]"
	read_target "$1"
	# shellcheck source=tests/vm/vm.sh
	. "$TOP/tests/vm/vm.sh"
	[[ -f $VM_HOME/guest/$2.sh ]] || die "there is no test '$2' for the guest"
	vm_require
	make_tmp "$OUT/vm"
	phase_begin "$2"
	vm_payload "$OUT/$RELEASE"
	vm_disk
	vm_start "$2" "${@:3}"
	vm_wait
	[[ $VM_VERDICT == pass ]] || die "the test $2 failed: $VM_WHY"
	sed '/^verdict /d' "$VM_CHANNEL"
	phase_end "passed"
}

main "$@"
