#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: check.sh FILE...
#
# Run test files and print "N passed, N failed" at the end.  Each line of bats begins with the file's name and
# ends with the test's time; a line after each file has the file's time.  A skipped test is a failure, and so is
# a planned test that did not run.  Tests skipped with "needs root" for a non-root user, or with "only make check-full"
# without FULL=1, count as neither; they are listed at the end.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
[[ $# -gt 0 ]] || die "usage: check.sh FILE..."
cd "$TOP"
own_dir "$OUT" "$OUT/check"
make --no-print-directory -C src O="$OUT/check" || die "wgkmod does not compile"
# The tests take the target's files from the cache.
scripts/fetch.sh debian11-5.10.0-32-amd64 || die "the inputs of the tests' target cannot be had"

# The modules that many files change copies of (tests/lib/modules.bash).
rm -rf "$OUT/check/fixtures"
export OUT FIXTURES=$OUT/check/fixtures

# run_files FILE...: Run the files one after the other, and keep bats' output in out/check/NAME.tap.  Return 1 if
# bats failed for one of them.  Leave out a file that the other lane has begun.
run_files() {
	local file name status=0 start
	for file; do
		name=${file##*/} start=$SECONDS
		mkdir "$OUT/check/begun/$name" 2>/dev/null || continue
		bats --formatter tap --timing "$file" </dev/null 2>&1 | tee "$OUT/check/$name.tap" | sed -u "s,^,${name%.bats}: ," ||
			status=1
		printf '%s: took %d s\n' "${name%.bats}" $((SECONDS - start))
	done
	return "$status"
}

# Two lanes run at once, each on a processor that the other does not use: the files that share what is built, and
# those that share the stand-in's mirrors, registries or virtual machines.  The lane that is done first goes on with
# the files that share nothing.
built=() served=() free=()
for file; do
	case ${file##*/} in
	37*.bats | 5*.bats) free=("$file" "${free[@]}") ;; # the longest, so they begin first
	11*.bats | 12*.bats | 15*.bats | 200-*.bats | 3*.bats) free+=("$file") ;;
	41[01]-*.bats | 43*-al8*.bats | 44*-al8*.bats | 6[01]0-*.bats | 640-*.bats | 7*.bats) served+=("$file") ;;
	*) built+=("$file") ;;
	esac
done
status=0
rm -rf "$OUT/check"/*.tap "$OUT/check/begun"
mkdir "$OUT/check/begun"
export -f run_files
# a session of its own, so that pkill can end all of it
setsid bash -uo pipefail -c 'run_files "$@"' - "${served[@]}" "${free[@]}" &
lane=$!
trap 'pkill -TERM -s "$lane"' EXIT
# bats handles ^C itself, and ends as if a test had failed
trap 'exit 130' INT
trap 'exit 143' TERM HUP
run_files "${built[@]}" "${free[@]}" || status=$?
wait "$lane" || status=$?
trap - EXIT INT TERM HUP
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
full_only=0
if [[ -z ${FULL:-} ]]; then
	full_only=$(grep -c '^ok .* # skip only make check-full' "$OUT/check/tap") || [[ $? -eq 1 ]]
fi
ok=$(grep -c '^ok ' "$OUT/check/tap") || [[ $? -eq 1 ]]
passed=$((ok - skipped))
failed=$((planned - passed - needs_root - full_only))
[[ $status -eq 0 || $failed -gt 0 ]] || die "the test runner ended with status $status"
if [[ $needs_root -gt 0 ]]; then
	printf '\n%d not run, as only root can:\n' "$needs_root"
	sed -n 's/^ok [0-9]* \(.*\) # skip needs root/  \1/p' "$OUT/check/tap"
fi
if [[ $full_only -gt 0 ]]; then
	printf '\n%d left to make check-full:\n' "$full_only"
	sed -n 's/^ok [0-9]* \(.*\) # skip only make check-full.*/  \1/p' "$OUT/check/tap"
fi
if [[ $failed -gt 0 ]]; then
	printf '\nNot passed:\n'
	grep -HE '^not ok|^ok .* # skip' "$OUT/check"/*.tap | grep -v '# skip only make check-full' |
		sed "s,^$OUT/check/,  ,; s,\.bats\.tap:, ,"
fi
printf '\nThe tests took %d s.\n' "$SECONDS"
printf '%d passed, %d failed\n' "$passed" "$failed"
[[ $failed -eq 0 ]]
