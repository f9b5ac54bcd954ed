#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: check.sh FILE...
#
# Runs test files and ends with "N passed, N failed".  Each line that bats prints has its file's name in
# front, and its time behind; a line at a file's end says how long the file took.
# A skipped test counts as failed, and so does a test that was planned and did not run.  Only who is
# not root is spared what says "needs root": it counts for neither, and is named at the end.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
[[ $# -gt 0 ]] || die "usage: check.sh FILE..."
cd "$TOP"
own_dir "$OUT" "$OUT/check"
make --no-print-directory -C src O="$OUT/check" || die "wgkmod does not compile"
# What the tests stage, flip and boot comes out of the cache.
scripts/fetch.sh debian11-5.10.0-32-amd64 || die "the inputs of the tests' target cannot be had"

# The modules that these tests change are kept for 411-kernel.bats: mutant_keep of tests/lib/modules.bash.
export MUTANTS=$OUT/check/mutants
if [[ " $* " =~ /(300|301|310|311|350)- ]]; then rm -rf "$MUTANTS"; fi
mkdir -p "$MUTANTS"

# run_files FILE...: runs the files one after the other; what bats prints of each is kept in out/check/NAME.tap.
# The status is 1 if bats ended with another one than 0.
run_files() {
	local file name status=0 start
	for file; do
		name=${file##*/} start=$SECONDS
		bats --formatter tap --timing "$file" </dev/null 2>&1 | tee "$OUT/check/$name.tap" | sed -u "s,^,${name%.bats}: ," ||
			status=1
		printf '%s: took %d s\n' "${name%.bats}" $((SECONDS - start))
	done
	return "$status"
}

# The tests of wgkmod alone need no container and no VM, and the stand-in shares no output with the rest:
# they run beside the others, on a processor that these leave free.
beside=() others=()
for file; do
	case ${file##*/} in
	3*.bats | *-al8*.bats) beside+=("$file") ;;
	*) others+=("$file") ;;
	esac
done
status=0 pid=
rm -f "$OUT/check"/*.tap
if [[ ${#beside[@]} -gt 0 ]]; then
	export OUT
	export -f run_files
	# a session of its own, that can be ended as a whole
	setsid bash -uo pipefail -c 'run_files "$@"' - "${beside[@]}" &
	pid=$!
	trap 'pkill -TERM -s "$pid"' EXIT
	# bats takes ^C for itself, and ends as if a test had failed
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
fi
[[ ${#others[@]} -eq 0 ]] || run_files "${others[@]}" || status=$?
if [[ -n $pid ]]; then
	wait "$pid" || status=$?
	trap - EXIT INT TERM HUP
fi
for file; do
	grep -q '^1\.\.[1-9]' "$OUT/check/${file##*/}.tap" || die "no test of '$file' was run"
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
if [[ $failed -gt 0 ]]; then
	printf '\nNot passed:\n'
	grep -HE '^not ok|^ok .* # skip' "$OUT/check"/*.tap | sed "s,^$OUT/check/,  ,; s,\.bats\.tap:, ,"
fi
printf '\nThe tests took %d s.\n' "$SECONDS"
printf '%d passed, %d failed\n' "$passed" "$failed"
[[ $failed -eq 0 ]]
