#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod, killed before each of its system calls, and with each of them failed once: the
# kernel's directory is the old one or the new one, and the same command again ends as if
# nothing had happened.  A sample with a fixed seed; all of it with FULL=1.

load lib/helpers
load lib/modules
load sweep/tools

setup_file() {
	modules_setup
	tools_setup
	small_setup
}

teardown_file() {
	rm -rf "$SMALL"
}

# sweep_case CASE MODE COUNT: where /proc shows no other processes, if that can be: wgkmod looks
# at all of them, and how many there are counts in system calls.
sweep_case() {
	local apart=(unshare --pid --fork --kill-child --mount-proc)
	[[ $(id -u) -eq 0 ]] || apart+=(--map-root-user)
	"${apart[@]}" true 2>/dev/null || apart=()
	[[ -z ${FULL:-} ]] || export TIMEOUT=7200
	run_cmd 0 "${apart[@]}" bash "$BATS_TEST_DIRNAME/sweep/cases.sh" "$@"
	printf '# %s\n' "${output##*$'\n'}" >&3
}

@test "the sweep itself: a call is counted, killed, failed and cut short" {
	local sweep=$TOOLS/sweep file=$BATS_TEST_TMPDIR/file prog=$BATS_TEST_TMPDIR/prog calls
	run_cmd 0 "$sweep" count true
	calls=${output##*$'\n1 '}
	[ "$calls" -gt 5 ]
	run_cmd 137 "$sweep" kill "1.$calls" true
	run_cmd 125 "$sweep" kill "1.$((calls + 1))" true
	run_cmd 125 "$sweep" kill 2.1 true
	run_cmd 125 "$sweep" kill 7 true
	run_cmd 125 "$sweep" short 1.9 true
	# Each call of a shell, and of the program that it starts, which writes a file.
	printf '#!/bin/sh\nsed p %s\nexit $?\n' "$BATS_TEST_FILENAME" >"$prog"
	chmod +x "$prog"
	run_cmd 0 "$sweep" count "$prog"
	calls=${output##*$'\n2 '}
	[ "$calls" -gt 20 ]
	local n failed=0 short=0
	for ((n = 1; n < calls; n++)); do
		rm -f "$BATS_TEST_TMPDIR/log"
		SWEEP_LOG=$BATS_TEST_TMPDIR/log "$sweep" fail "2.$n" 5 "$prog" >"$file" 2>/dev/null || failed=$((failed + 1))
		[[ $(cat "$BATS_TEST_TMPDIR/log") == *" "@(sed|prog) ]]
	done
	for ((n = 1; n < 9; n++)); do
		rm -f "$BATS_TEST_TMPDIR/log"
		SWEEP_LOG=$BATS_TEST_TMPDIR/log "$sweep" short "2.$n" "$prog" >"$file" || continue
		short=$((short + 1))
		cmp "$file" <(sed p "$BATS_TEST_FILENAME")
		assert_equal "$(cat "$BATS_TEST_TMPDIR/log")" "1 sed"
	done
	[[ $failed -gt 10 && $short -ge 1 ]]
}

@test "install, killed" { sweep_case install kill 50; }
@test "upgrade, killed" { sweep_case upgrade kill 50; }
@test "install --replace, killed" { sweep_case replace kill 50; }
@test "remove, killed" { sweep_case remove kill 50; }
@test "forget, killed" { sweep_case forget kill 50; }

@test "install, a call failed" { sweep_case install fail 12; }
@test "upgrade, a call failed" { sweep_case upgrade fail 12; }
@test "install --replace, a call failed" { sweep_case replace fail 12; }
@test "remove, a call failed" { sweep_case remove fail 12; }
@test "forget, a call failed" { sweep_case forget fail 12; }

@test "install, a write cut short" { sweep_case install short all; }
@test "upgrade, a write cut short" { sweep_case upgrade short all; }
@test "install --replace, a write cut short" { sweep_case replace short all; }
@test "remove, a write cut short" { sweep_case remove short all; }
@test "forget, a write cut short" { sweep_case forget short all; }
