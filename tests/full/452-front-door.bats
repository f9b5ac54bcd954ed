#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The commands of make help of which even the short form takes long; 450-front-door.bats runs the others.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load ../lib/helpers

door() { TIMEOUT=${LIMIT:-900} run_cmd 0 make -C "$ROOT_DIR" --no-print-directory "$@"; }

@test "make bench-many COUNT=2 finds two kernels: the second shares the toolchain, both at once have the same bits" {
	local megabytes
	LIMIT=2400 door bench-many COUNT=2
	assert_line '^all at once +[0-9.]+ s +[0-9.]+ s of CPU; [0-9.]+ times faster, the same bits$'
	assert_line '^a hundred, no change +[0-9.]+ s +[0-9.]+ s each$'
	megabytes=$(awk '$1 == "debian11-5.10.0-30-cloud-amd64" { print $4 }' <<<"$output")
	((megabytes > 20 && megabytes <= 80))
}

@test "make powercut, two moments on each file system" {
	needs_root 'to make the disks'
	export POWERCUT_COUNT=2
	LIMIT=1800 door powercut
	assert_line '^powercut +.*9 of 9'
}

@test "make selftest: upstream's own test of WireGuard" {
	LIMIT=2400 door selftest TARGET="$TARGET_NAME"
	assert_line '^selftest +passed '
}
