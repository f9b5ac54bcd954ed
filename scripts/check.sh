#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: check.sh [FILE...]
#
# Runs the tests (all of tests/*.bats where no file is named, and with FULL=1 of tests/full/*.bats,
# where nothing is sampled) and ends with "N passed, N failed".
# A skipped test counts as failed, and so does a test that was planned and did not run.  Only who is
# not root is spared what says "needs root": it counts for neither, and is named at the end.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$TOP"
[[ $# -gt 0 ]] || set -- tests/*.bats ${FULL:+tests/full/*.bats}
mkdir -p "$OUT/check"
make --no-print-directory -C src O="$OUT/check" || die "wgkmod does not compile"
# What the tests stage, flip and boot comes out of the cache.
scripts/fetch.sh debian11-5.10.0-32-amd64 || die "the inputs of the tests' target cannot be had"

# What the tests change of modules is kept for the last of them: mutant_keep of tests/modules.bash.
export MUTANTS=$OUT/check/mutants
rm -rf "$MUTANTS"
mkdir "$MUTANTS"

# run_files TAP FILE...: runs the test files and keeps what bats prints, in the file TAP and in order.
run_files() {
	: >"$1"
	bats --formatter tap --timing "${@:2}" </dev/null | tee "$1"
}

# Those of wgkmod alone need no container and no VM, and the stand-in shares no output with the rest:
# they run beside the others, on a processor that these leave free, and are printed after them.  What
# takes the mutants of wgkmod's tests comes last.
alone=() others=() last=()
for file; do
	case ${file##*/} in
	3*.bats | *-al8*.bats) alone+=("$file") ;;
	41-kernel.bats) last+=("$file") ;;
	*) others+=("$file") ;;
	esac
done
status=0 beside=
rm -f "$OUT/check"/*.tap
if [[ ${#alone[@]} -gt 0 ]]; then
	export -f run_files
	# a session of its own, that can be ended as a whole
	setsid bash -euo pipefail -c 'run_files "$@"' - "$OUT/check/1.tap" "${alone[@]}" >"$OUT/check/alone" 2>&1 &
	beside=$!
	trap 'pkill -TERM -s "$beside"' EXIT
	# bats takes ^C for itself, and ends as if a test had failed
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
fi
[[ ${#others[@]} -eq 0 ]] || run_files "$OUT/check/2.tap" "${others[@]}" || status=$?
if [[ -n $beside ]]; then
	wait "$beside" || status=$?
	trap - EXIT INT TERM HUP
	cat "$OUT/check/alone"
fi
[[ ${#last[@]} -eq 0 ]] || run_files "$OUT/check/3.tap" "${last[@]}" || status=$?
for tap in "$OUT/check"/*.tap; do
	grep -q '^1\.\.[1-9]' "$tap" || die "of some files no test was run: $tap"
done
cat "$OUT/check"/*.tap >"$OUT/check/tap"
planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$OUT/check/tap" | awk '{ n += $1 } END { print n + 0 }')
skipped=$(grep -c '^ok .* # skip' "$OUT/check/tap") || [[ $? -eq 1 ]]
needs_root=0
if [[ $EUID -ne 0 ]]; then
	needs_root=$(grep -c '^ok .* # skip needs root' "$OUT/check/tap") || [[ $? -eq 1 ]]
fi
ok=$(grep -c '^ok ' "$OUT/check/tap") || [[ $? -eq 1 ]]
passed=$((ok - skipped))
failed=$((planned - passed - needs_root))
[[ $status -eq 0 || $failed -gt 0 ]] || die "the test runner ended with status $status"
if [[ $needs_root -gt 0 ]]; then
	printf '\n%d not run, as only root can:\n' "$needs_root"
	sed -n 's/^ok [0-9]* \(.*\) # skip needs root/  \1/p' "$OUT/check/tap"
fi
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[[ $failed -eq 0 ]]
