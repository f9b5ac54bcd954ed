#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# An array job of a real Slurm over twelve kernels.

load ../lib/helpers
load ../lib/servers
load ../lib/slurm

setup_file() {
	"$ROOT_DIR/scripts/install-deps.sh" @cluster
	export ALONE=$BATS_FILE_TMPDIR/alone LIST=$BATS_FILE_TMPDIR/list
	"$ROOT_DIR/tests/run/find-kernels.sh" 12 "$BATS_FILE_TMPDIR/targets" >"$LIST"
}
teardown_file() { slurm_stop; }
setup() { export TARGET_DIR=$BATS_FILE_TMPDIR/targets; }

@test "an array job over twelve kernels, one task killed in the middle and queued again: the bits of other builds" {
	local names
	[[ $EUID -eq 0 ]] || skip 'needs root'
	mapfile -t names <"$LIST"
	OUT=$ALONE TIMEOUT=3600 run_cmd 0 "$ROOT_DIR/cluster/many.sh" artifacts "${names[@]}"
	slurm_start
	array_job "$LIST" "$BATS_TEST_TMPDIR/dest"
	assert_line '^collect +12 kernels in .*, 0 missing'
	assert_equal_to_alone "$BATS_TEST_TMPDIR/dest"
}
