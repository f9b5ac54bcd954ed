#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: memory.sh [FILE...]
#
# Run the tests of wgkmod (without an operand tests/3[0-6]*.bats) twice: with a wgkmod built with ASan and UBSan,
# and with the usual one under valgrind.  On a finding, also a leak, wgkmod exits with 99, which no test expects,
# and the report stays in out/memory/.  Tests that need the plain program are skipped, and for a non-root user
# those that need root; both are counted (plain_only and needs_root of tests/lib/helpers.bash).

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
cd "$TOP"
[[ $# -gt 0 ]] || set -- tests/3[0-6]*.bats
dir=$OUT/memory
rm -rf "$dir"
mkdir -p "$dir"

# suite NAME WGKMOD FILE...: Run the tests with that program; print the number of passed tests and of reports.
suite() {
	local name=$1 tap=$dir/$1.tap status=0 reports left root
	WGKMOD=$2 OUT=$OUT MEMORY_CHECKED=$name bats --formatter tap "${@:3}" </dev/null >"$tap" 2>&1 || status=$?
	reports=$(find "$dir" -name "$name.report*" -size +0 | wc -l)
	left=$(grep -c '# skip needs the plain wgkmod' "$tap") || [[ $? -eq 1 ]]
	root=$(grep -c '# skip needs root' "$tap") || [[ $? -eq 1 ]]
	"$TOP/tests/run/figures.sh" "memory $name" "$(($(grep -c '^ok' "$tap") - left - root)) tests passed, $left left out," \
		"$(wc -l <"$dir/$name.runs") runs of \`wgkmod\`, $reports findings"
	say memory "$name: $(($(grep -c '^ok' "$tap") - left - root)) of $(sed -n '1s/^1\.\.//p' "$tap") tests passed," \
		"$left left out, $root need root, $reports findings ($(wc -l <"$dir/$name.runs") runs of wgkmod)"
	[[ $status -eq 0 && $reports -eq 0 ]] || {
		grep '^not ok' "$tap" >&2
		die "$name: see '$dir/'"
	}
}

# wrap NAME COMMAND...: Make out/memory/wgkmod-NAME, which counts its runs and runs the command.
wrap() {
	local name=$1
	: >"$dir/$name.runs"
	{
		printf '#!/bin/sh\necho >>%q\nexec' "$dir/$name.runs"
		printf ' %q' "${@:2}"
		printf ' "$@"\n'
	} >"$dir/wgkmod-$name"
	chmod +x "$dir/wgkmod-$name"
}

make --no-print-directory -C src O="$dir" all debug
export ASAN_OPTIONS=exitcode=99:detect_leaks=1:log_path=$dir/sanitizers.report
export UBSAN_OPTIONS=halt_on_error=1:exitcode=99:print_stacktrace=1:log_path=$dir/sanitizers.report
wrap sanitizers "$dir/wgkmod-debug"
suite sanitizers "$dir/wgkmod-sanitizers" "$@"

# valgrind of today does not know openat2()
cc -std=gnu11 -O2 -shared -fPIC -o "$dir/openat2.so" tests/run/openat2.c || die "tests/run/openat2.c does not compile"
wrap valgrind env "LD_PRELOAD=$dir/openat2.so" valgrind -q --error-exitcode=99 --leak-check=full \
	--errors-for-leak-kinds=definite,indirect,possible "--log-file=$dir/valgrind.report.%p" "$dir/wgkmod"
suite valgrind "$dir/wgkmod-valgrind" "$@"
