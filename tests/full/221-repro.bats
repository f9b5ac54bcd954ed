#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# make repro in full: several builds with different values; and a difference that no variation causes.

load ../lib/helpers
load ../lib/bundle
load ../lib/plants

setup() { needs_root 'make repro makes users and mounts'; }

setup_file() { run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME"; }

@test "five builds, each under other values of all variations, are equal" {
	OUT=$BATS_TEST_TMPDIR/out TIMEOUT=7200 \
		run_cmd 0 make -C "$ROOT_DIR" --no-print-directory repro TARGET="$TARGET_NAME" N=5
	assert_equal "$(grep -c '^repro  *shown ' <<<"$output")" 15
	assert_line '^repro +debian11-5.10.0-32-amd64: 20 files equal in 6 builds; '
}

@test "a difference that no variation causes is reported as such" {
	clone "$BATS_TEST_TMPDIR/copy"
	plant random-build-id "$BATS_TEST_TMPDIR/copy"
	OUT=$BATS_TEST_TMPDIR/out VARY='umask timezone' TIMEOUT=3600 \
		run_cmd 3 "$BATS_TEST_TMPDIR/copy/tests/run/repro.sh" "$TARGET_NAME"
	assert_line '^repro +caused by: none of them: two builds in the same environment differ$'
	image_forget "$BATS_TEST_TMPDIR/copy"
}
