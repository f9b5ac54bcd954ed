#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod, killed before each of its system calls, and with each of them failed once: the
# kernel's directory is the old one or the new one, and the same command again ends as if
# nothing had happened.  A sample with a fixed seed; all of it with FULL=1.

load lib/helpers
load lib/modules
load lib/bundle
load sweep/tools

setup_file() {
	modules_setup
	tools_setup
	small_setup
}

teardown_file() {
	rm -rf "$SMALL"
}

sweep_case() { # CASE MODE COUNT
	[[ -z ${FULL:-} ]] || export TIMEOUT=7200
	run_cmd 0 bash "$BATS_TEST_DIRNAME/sweep/cases.sh" "$@"
	printf '# %s\n' "${output##*$'\n'}" >&3
	[[ ${output##*$'\n'} =~ ^[a-z-]+,\ [a-z]+:\ ([0-9]+)\ times ]]
	[[ -z ${FULL:-} ]] || figure "sweep $1 $2" "$1: ${BASH_REMATCH[1]} times $2"
}

@test "the sweep itself: a call is counted, killed, failed and cut short" {
	local sweep=$TOOLS/sweep file=$BATS_TEST_TMPDIR/file prog=$BATS_TEST_TMPDIR/prog log=$BATS_TEST_TMPDIR/log own all n
	local failed=0 short=0
	run_cmd 0 "$sweep" count true
	all=${output##*$'\n'all }
	assert "$all" -gt 5
	run_cmd 137 "$sweep" kill "$all" true
	run_cmd 125 "$sweep" kill "$((all + 1))" true
	run_cmd 125 "$sweep" kill x true
	run_cmd 125 "$sweep" short 9 true
	# A kill counts what every process does, the rest what the command itself does.
	printf '#!/bin/sh\n/bin/true\nexit $?\n' >"$prog"
	chmod +x "$prog"
	run_cmd 0 "$sweep" count "$prog"
	all=${output##*$'\n'all }
	own=$(sed -n 's/^own //p' <<<"$output")
	assert "$all" -gt "$((own + 5))"
	assert "$own" -gt 5
	SWEEP_LOG=$log run_cmd 137 "$sweep" kill $((all - 4)) "$prog"
	run_cmd 125 "$sweep" fail $((own + 1)) 5 "$prog"
	# Each call of a program that writes a file.
	run_cmd 0 "$sweep" count sed p "$BATS_TEST_FILENAME"
	own=$(sed -n 's/^own //p' <<<"$output")
	for ((n = 1; n < own; n++)); do
		rm -f "$log"
		SWEEP_LOG=$log "$sweep" fail "$n" 5 sed p "$BATS_TEST_FILENAME" >"$file" 2>/dev/null || failed=$((failed + 1))
		[[ $(cat "$log") == *" sed" ]] || fail "$(cat "$log")"
	done
	for ((n = 1; n < 9; n++)); do
		rm -f "$log"
		SWEEP_LOG=$log "$sweep" short "$n" sed p "$BATS_TEST_FILENAME" >"$file" || continue
		short=$((short + 1))
		cmp "$file" <(sed p "$BATS_TEST_FILENAME")
		assert_equal "$(cat "$log")" "1 sed"
	done
	assert "$failed" -gt 10
	assert "$short" -ge 1
}

@test "install, killed" { sweep_case install kill 25; }
@test "upgrade, killed" { sweep_case upgrade kill 25; }
@test "install --replace, killed" { sweep_case replace kill 25; }
@test "remove, killed" { sweep_case remove kill 25; }

# hook_setup: what the cases of the hook need: a signed bundle, its key, and the scripts in the places that name them.
hook_setup() {
	local key=$BATS_TEST_TMPDIR/key
	key_make "$key"
	bundle_make "$SMALL/one" "$SMALL/bundle.tar"
	key_sign "$key" "$SMALL/bundle.tar"
	install -D -m 644 "$key.pub" "$SMALL/etc/wgkmod/keys.d/key.pub"
	install -D "$ROOT_DIR/hooks/debian" "$SMALL/prerm.d/wgkmod"
	cp "$ROOT_DIR/hooks/10-wgkmod.install" "$SMALL/"
}

@test "the hook of a kernel that comes, killed: its installation goes on" {
	hook_setup
	sweep_case hook-add kill 25
}

@test "the hook of a kernel for which depmod has not run yet, killed: its installation goes on" {
	hook_setup
	sweep_case hook-new kill 25
}

@test "the hook of a kernel that goes, killed: its removal goes on" {
	hook_setup
	sweep_case hook-remove kill 25
}

@test "install, a call failed" { sweep_case install fail 8; }
@test "upgrade, a call failed" { sweep_case upgrade fail 8; }
@test "install --replace, a call failed" { sweep_case replace fail 8; }
@test "remove, a call failed" { sweep_case remove fail 8; }

@test "install, a write cut short" { sweep_case install short all; }
@test "upgrade, a write cut short" { sweep_case upgrade short all; }
@test "install --replace, a write cut short" { sweep_case replace short all; }
@test "remove, a write cut short" { sweep_case remove short all; }
