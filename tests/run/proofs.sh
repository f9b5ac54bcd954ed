#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: proofs.sh parity|boot TARGET|all
#
# Builds a target and runs a proof on it: parity (tests/parity/parity.sh) or boot (tests/vm/tunnel.sh).
# With "all", on every target that has what the proof needs, one after the other, and then a table,
# also in out/proofs/PROOF.txt.  Status 0 if none failed and one passed; a target that cannot be had
# any more (69 from fetch) is no failure of the proof, and stands in the table as that.  One that
# cannot be read has failed.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
[[ $# -eq 2 && $1 =~ ^(parity|boot)$ ]] || die "usage: proofs.sh parity|boot TARGET|all"
proof=$1

case $proof in
parity)
	script=$TOP/tests/parity/parity.sh
	stages=(kernel)
	columns=(modules sections bytes relocations symbols crcs differing)
	;;
boot)
	script=$TOP/tests/vm/tunnel.sh
	stages=(base vm)
	columns=(boot_s install_s loaded built symbol_versions handshake_ms tcp_mib_s taint)
	;;
esac

# prove TARGET: build, fetch, proof.
prove() {
	"$TOP/scripts/artifacts.sh" "$1" || return
	"$TOP/scripts/fetch.sh" "$1" "${stages[@]}" || return
	"$script" "$1"
}

# can_prove NAME: whether the target has what the proof needs: a kernel package, a userland to boot
# it in, a complete lock; for parity also modules of the kernel's own to compare with.  The status is
# nothing_to_prove where it has not, any other where it cannot be read.
nothing_to_prove=10
can_prove() (
	read_target "$1"
	read_lock "$1"
	[[ -n $KERNEL_IMAGE && -n $VM && " ${LOCK_SHA256[*]} " != *' - '* ]] || exit "$nothing_to_prove"
	[[ $proof == boot || -n $HIDE ]] || exit "$nothing_to_prove"
)

# row TARGET RESULT: the table's line; the figures are what the proof left.
row() {
	local target=$1 result=$2 column figures=$OUT/proofs/$proof-$1 value
	printf '%s\t%s' "$target" "$result"
	for column in "${columns[@]}"; do
		value=
		[[ $result != pass ]] || value=$(sed -n "s/^$column=//p" "$figures" | tail -n 1)
		printf '\t%s' "${value:--}"
	done
	printf '\n'
}

if [[ $2 != all ]]; then
	prove "$2"
	exit
fi

mkdir -p "$OUT/proofs"
rm -f "$OUT/proofs/$proof"-* "$OUT/proofs/$proof.txt"
passed=0 failed=0 gone=0 rows=$(printf '%s\t' target result "${columns[@]}" | sed 's/\t$//')
for target in $(list_targets); do
	status=0
	can_prove "$target" || status=$?
	[[ $status -ne $nothing_to_prove ]] || continue
	[[ $status -ne 0 ]] || prove "$target" || status=$?
	case $status in
	0) result=pass && ((++passed)) ;;
	"$EXIT_GONE") result='cannot be had any more' && ((++gone)) ;;
	*) result=FAILED && ((++failed)) ;;
	esac
	rows+=$'\n'$(row "$target" "$result")
done
column -t -s $'\t' <<<"$rows" | tee "$OUT/proofs/$proof.txt"
say "$proof" "$((passed + failed + gone)) kernel(s): $passed passed, $failed failed, $gone cannot be had any more"
[[ $failed -eq 0 && $passed -gt 0 ]]
