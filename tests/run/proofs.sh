#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: proofs.sh parity|boot TARGET...|all
#
# Build a target and run a proof on it: parity (tests/parity/parity.sh) or boot (tests/vm/tunnel.sh).  For several
# targets, or with "all" for every target that has the inputs of the proof, do so for as many at a time as the machine
# carries, and print a table, also to out/proofs/PROOF.txt.  Exit with 0 if at least one passed and none failed.  A
# target whose files no mirror has any more (69 from fetch.sh) is no failure, and the table says so.  A target that
# cannot be read is a failure.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
[[ $# -ge 2 && $1 =~ ^(parity|boot)$ ]] || die "usage: proofs.sh parity|boot TARGET...|all"
proof=$1
shift

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

# prove TARGET: Build the target, fetch the proof's inputs, and run the proof.
prove() {
	"$TOP/scripts/artifacts.sh" "$1" || return
	"$TOP/scripts/fetch.sh" "$1" "${stages[@]}" || return
	"$script" "$1"
}

# can_prove NAME: Return 0 if the target has the inputs of the proof: a kernel package, a userland to boot it in,
# a complete lock; for parity also the kernel's own modules to compare with.  Else return nothing_to_prove, or
# another status if the target cannot be read.
nothing_to_prove=10
can_prove() (
	read_target "$1"
	read_lock "$1"
	[[ -n $KERNEL_IMAGE && -n $VM && " ${LOCK_SHA256[*]} " != *' - '* ]] || exit "$nothing_to_prove"
	[[ $proof == boot || -n $HIDE ]] || exit "$nothing_to_prove"
)

# row TARGET RESULT: Print the target's line of the table, with the figures that the proof wrote.
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

if [[ $# -eq 1 && $1 != all ]]; then
	prove "$1"
	exit
fi

own_dir "$OUT" "$OUT/proofs"
rm -f "$OUT/proofs/$proof"-* "$OUT/proofs/$proof.txt"
targets=() unreadable=()
if [[ $1 == all ]]; then
	for target in $(list_targets); do
		status=0
		can_prove "$target" || status=$?
		case $status in
		0) targets+=("$target") ;;
		"$nothing_to_prove") ;;
		*) unreadable+=("$target") ;;
		esac
	done
else
	targets=("$@")
fi
status=0
[[ ${#targets[@]} -eq 0 ]] || "$TOP/cluster/many.sh" "$proof" "${targets[@]}" || status=$?
[[ $status -le 1 ]] || exit "$status"
passed=0 failed=0 gone=0 rows=$(printf '%s\t' target result "${columns[@]}" | sed 's/\t$//')
while read -r target status; do
	case $status in
	0) result=pass && ((++passed)) ;;
	"$EXIT_GONE") result='cannot be had any more' && ((++gone)) ;;
	*) result=FAILED && ((++failed)) ;;
	esac
	rows+=$'\n'$(row "$target" "$result")
done < <({
	[[ ${#targets[@]} -eq 0 ]] || cat "$OUT/log/$proof-all.txt"
	[[ ${#unreadable[@]} -eq 0 ]] || printf '%s 1\n' "${unreadable[@]}"
} | sort -V)
column -t -s $'\t' <<<"$rows" | tee "$OUT/proofs/$proof.txt"
result="$((passed + failed + gone)) kernels: $passed passed, $failed failed, $gone cannot be had any more"
"$TOP/tests/run/figures.sh" "$proof all" "$proof of $result"
say "$proof" "$result"
[[ $failed -eq 0 && $passed -gt 0 ]]
