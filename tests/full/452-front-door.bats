#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Every command of make help works.  This file runs those that no other test runs, in a short form if they take
# long, and checks each by a figure that only it prints.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load ../lib/helpers

KERNEL=5.10.0-32-amd64

door() { TIMEOUT=${LIMIT:-900} run_cmd 0 make -C "$ROOT_DIR" --no-print-directory "$@"; }

@test "make bench, one round: the build against the bare compile and by hand, install against depmod" {
	needs_root 'make bench mounts'
	export BENCH_ROUNDS=1
	door bench
	assert_line '^bare compile +[0-9.]+ s +48 runs of the compiler'
	assert_line '^make artifacts +[0-9.]+ s +[0-9.]+ times the bare compile'
	assert_line '^by hand +[0-9.]+ s '
	assert_line '^wgkmod install +[0-9.]+ s .* times depmod \+ syncfs$'
}

@test "make bench-many of two kernels: the second shares the toolchain, and both at once have the same bits" {
	local megabytes
	LIMIT=1800 door bench-many TARGETS="$TARGET_NAME debian11-5.10.0-32-cloud-amd64"
	assert_line '^all at once +[0-9.]+ s +[0-9.]+ times faster, the same bits$'
	megabytes=$(awk '$1 == "debian11-5.10.0-32-cloud-amd64" { print $4 }' <<<"$output")
	((megabytes > 20 && megabytes <= 80))
}

@test "make powercut, two moments on each file system" {
	needs_root 'to make the disks'
	export POWERCUT_COUNT=2
	LIMIT=1800 door powercut
	assert_line '^powercut +.*9 of 9'
}

@test "make repro, one build in another environment" {
	needs_root 'make repro makes users and mounts'
	door repro TARGET="$TARGET_NAME" VARY='umask locale timezone env home'
	assert_line '^repro +equal, 5 variations shown'
}

@test "make rebuild of the bundle: equal" {
	door bundle TARGET="$TARGET_NAME"
	door rebuild BUNDLE="$OUT/$KERNEL/wireguard-$KERNEL.tar"
	assert_line '^rebuild +equal: .*, sha256 [0-9a-f]{64} '
}

@test "make selftest: upstream's own test of WireGuard" {
	LIMIT=2400 door selftest TARGET="$TARGET_NAME"
	assert_line '^selftest +passed '
}
