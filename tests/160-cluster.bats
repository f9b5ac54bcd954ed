#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The same bits from a cluster: make one and make collect, and an array job of a real Slurm on this machine.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/servers
load lib/slurm

TARGETS=(debian11-5.10.0-32-amd64 debian11-5.10.0-32-cloud-amd64)

setup_file() {
	"$ROOT_DIR/scripts/install-deps.sh" @cluster
	export ALONE=$BATS_FILE_TMPDIR/alone LIST=$BATS_FILE_TMPDIR/list
	printf '%s\n' "${TARGETS[@]}" >"$LIST"
	# Each target by a build of its own: what the others have to be equal to.
	mkdir "$ALONE"
	for name in "${TARGETS[@]}"; do
		TIMEOUT=900 OUT=$ALONE run_cmd 0 "$ROOT_DIR/scripts/artifacts.sh" "$name"
	done
}

teardown_file() { slurm_stop; }

setup() { export DEST=$BATS_TEST_TMPDIR/dest; }

one() { OUT=$ALONE run_cmd "$1" make -C "$ROOT_DIR" --no-print-directory one LIST="$LIST" INDEX="$2" DEST="$DEST"; }
collect() { OUT=$ALONE run_cmd "$1" make -C "$ROOT_DIR" --no-print-directory collect LIST="$LIST" DEST="$DEST"; }

# bits DIR: Print a line for each file below DIR, with its inode and its digest.
bits() { (cd "$1" && find . -type f -printf '%i ' -exec sha256sum {} \; | sort); }

@test "make one puts a kernel into DEST once, and make collect names what is missing, altered or older" {
	local before
	one 0 1
	assert_line "^one +${TARGETS[0]} is in $DEST \("
	collect 2
	assert_line "missing, or not made from the inputs of this clone: ${TARGETS[1]}$"
	one 0 2
	before=$(bits "$DEST")
	one 0 2
	assert_line "^one +${TARGETS[1]} is in $DEST$"
	assert_equal "$(bits "$DEST")" "$before"
	collect 0
	assert_line "^collect +2 kernels in $DEST, 0 missing"
	assert_equal_to_alone "$DEST"
	assert_equal "$(wc -l <"$DEST/kernels")" 2
	flip "$DEST/5.10.0-32-amd64/wgkmod" 100
	collect 2
	assert_line "inputs of this clone: ${TARGETS[0]}$"
	one 0 1
	collect 0
	cp -r "$ROOT_DIR/targets" "$BATS_TEST_TMPDIR/targets"
	sed -i 's/^BTF .*/&\nCOMPILER = x/' "$BATS_TEST_TMPDIR/targets/${TARGETS[1]}"
	TARGET_DIR=$BATS_TEST_TMPDIR/targets collect 2
	assert_line "inputs of this clone: ${TARGETS[1]}$"
}

@test "make one refuses a list, a line or a target that is not there" {
	LIST=/nowhere one 2 1
	assert_line "^wgkmod: there is no list '/nowhere'"
	one 2 0
	assert_line "^wgkmod: INDEX '0' is not the number of a line"
	one 2 3
	assert_line "has no line 3$"
	echo nosuch >"$BATS_TEST_TMPDIR/list"
	LIST=$BATS_TEST_TMPDIR/list one 2 1
	assert_line "unknown target 'nosuch'"
	assert_absent "$DEST"
}

@test "make one that is killed at any rename leaves DEST as it was or whole, and the next run finishes it" {
	local n
	for n in {1..20}; do
		rm -rf "$DEST"
		OUT=$ALONE kill_at "$n" 'mv cp tar rm' "$ROOT_DIR/cluster/one.sh" "$LIST" 1 "$DEST"
		[[ -n $KILLED ]] || break
		[[ ! -e $DEST/5.10.0-32-amd64 ]] || (cd "$DEST/5.10.0-32-amd64" && sha256sum --check --quiet SHA256SUMS)
		one 0 1
		cmp "$ALONE/5.10.0-32-amd64/SHA256SUMS" "$DEST/5.10.0-32-amd64/SHA256SUMS"
	done
	[[ -z $KILLED && $n -gt 4 ]]
}

@test "the Indexed Job for Kubernetes has an index for each line, and its command builds that line" {
	local job=$BATS_TEST_TMPDIR/job.json index said
	"$ROOT_DIR/cluster/kubernetes/job.sh" "$LIST" registry/wgkmod claim >"$job"
	assert_equal "$(jq -r '.kind, .spec.completionMode, .spec.completions' "$job" | paste -sd ' ')" 'Job Indexed 2'
	said=$(jq -r '.spec.template.spec.containers[0].command[2]' "$job")
	for index in 0 1; do
		cd "$ROOT_DIR"
		OUT=$ALONE JOB_COMPLETION_INDEX=$index run_cmd 0 \
			bash -euc "$(sed "s,/shared/list,$LIST,; s,/shared/dest,$DEST," <<<"$said")"
		assert_line "^one +${TARGETS[index]} is in $DEST"
	done
	collect 0
	run_cmd 1 "$ROOT_DIR/cluster/kubernetes/job.sh" /nowhere registry/wgkmod claim
	assert_line "there is no list '/nowhere'"
	: >"$BATS_TEST_TMPDIR/list"
	run_cmd 1 "$ROOT_DIR/cluster/kubernetes/job.sh" "$BATS_TEST_TMPDIR/list" registry/wgkmod claim
	assert_line "the list '.*' is empty$"
	printf '%s\r\n%s' "${TARGETS[@]}" >"$BATS_TEST_TMPDIR/list" # as some editors leave it
	"$ROOT_DIR/cluster/kubernetes/job.sh" "$BATS_TEST_TMPDIR/list" registry/wgkmod claim >"$job"
	assert_equal "$(jq .spec.completions "$job")" 2
	for index in 1 2; do
		LIST=$BATS_TEST_TMPDIR/list one 0 "$index"
		assert_line "^one +${TARGETS[index - 1]} is in $DEST"
	done
}

@test "an array job of Slurm, one task killed in the middle and queued again: the bits of the builds alone" {
	[[ $EUID -eq 0 ]] || skip 'needs root'
	slurm_start
	array_job "$LIST" "$DEST"
	assert_line "^collect +2 kernels in $DEST, 0 missing"
	assert_equal_to_alone "$DEST"
}
