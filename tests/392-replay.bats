#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# tests/vm/replay.c, which makes of a log of writes the disk that a power cut leaves: what make
# powercut shows is worth as much as that.  The logs are made here, in dm-log-writes' format.

load lib/helpers

SECTORS=64 BYTES=4096 # sectors of the disk, and of each

setup_file() {
	export REPLAY=$BATS_FILE_TMPDIR/replay
	run_cmd 0 cc -std=gnu11 -O2 -Wall -Wextra -Werror -o "$REPLAY" "$ROOT_DIR/tests/vm/replay.c"
}

setup() {
	LOG=$BATS_TEST_TMPDIR/log IMAGE=$BATS_TEST_TMPDIR/image
	{
		numbers $((0x6a736677736872)) 1 0 $BYTES
		zeros $((BYTES - 32))
	} >"$LOG"
	fill . $((SECTORS * BYTES)) >"$IMAGE"
}

# numbers N...: as the log has them, 64 bits, little endian.
numbers() {
	local n i
	for n; do
		for ((i = 0; i < 8; i++)); do
			# shellcheck disable=SC2059 # the format is the byte
			printf "\\x$(printf %02x $((n >> 8 * i & 255)))"
		done
	done
}
zeros() { head -c "$1" /dev/zero; }
fill() { zeros "$2" | tr '\0' "$1"; } # CHARACTER BYTES

# entry SECTOR SECTORS FLAGS: the head of an entry of the log.
entry() {
	{
		numbers "$1" "$2" "$3" 0
		zeros $((BYTES - 32))
	} >>"$LOG"
}
# wrote SECTOR SECTORS CHARACTER [FLAGS]: a write of so many sectors of this character.
wrote() {
	entry "$1" "$2" "${4:-0}"
	fill "$3" $(($2 * BYTES)) >>"$LOG"
}
flushed() { entry 0 0 1; }

# disk: a character for each sector of the image, "?" for one that is not all of one.
disk() {
	tr '\0' 0 <"$IMAGE" | fold -b -w "$BYTES" | LC_ALL=C tr -s '!-~' |
		awk '{ printf "%s", length($0) == 1 ? $0 : "?" } END { print "" }'
}

replay() { # SEED [COUNT]
	run_cmd 0 "$REPLAY" "$LOG" "$IMAGE" "$@"
}

@test "flushed writes are on the disk in their order, whatever the seed" {
	local seed
	wrote 1 2 a
	wrote 2 1 b
	flushed
	wrote 5 1 c
	run_cmd 0 "$REPLAY" "$LOG"
	assert_equal "$output" 4
	for seed in 1 2 3 4 5 6 7 8; do
		fill . $((SECTORS * BYTES)) >"$IMAGE"
		replay "$seed"
		assert_line '^2 [01] [01] [01]$'
		disk | grep -qx '\.ab\.\.[.c]\.*'
	done
}

@test "of unflushed writes some are kept, some lost, and some torn at a sector" {
	local i looks
	for ((i = 0; i < 15; i++)); do wrote $((i * 4)) 4 a; done
	replay 1
	read -ra looks <<<"$output"
	assert_equal $((looks[1] + looks[2] + looks[3])) 15
	assert_equal "${looks[0]}" 0
	assert "${looks[1]}" -gt 0
	assert "${looks[2]}" -gt 0
	assert "${looks[3]}" -gt 0
	# of each the first sectors
	disk | fold -w 4 | grep -vEx 'a*\.*' && fail 'not torn from the end'
	assert_equal "$(disk | fold -w 4 | grep -c aaaa)" "${looks[1]}"
	cp "$IMAGE" "$IMAGE.first"
	fill . $((SECTORS * BYTES)) >"$IMAGE"
	replay 1
	cmp "$IMAGE" "$IMAGE.first"
	fill . $((SECTORS * BYTES)) >"$IMAGE"
	replay 2
	run_cmd 1 cmp -s "$IMAGE" "$IMAGE.first"
}

@test "a write with FUA is on the disk, with its zeros" {
	local seed
	wrote 3 2 a 2
	entry 6 2 2
	zeros $((2 * BYTES)) >>"$LOG"
	for seed in 1 2 3 4 5 6 7 8; do
		fill . $((SECTORS * BYTES)) >"$IMAGE"
		replay "$seed"
		assert_equal "$output" '2 0 0 0'
		disk | grep -qx '\.\.\.aa\.00\.*'
	done
}

@test "the log goes on after the hole of a write in flight" {
	local seed
	zeros $((3 * BYTES)) >>"$LOG"
	wrote 1 1 a
	flushed
	for seed in 1 2 3 4; do
		fill . $((SECTORS * BYTES)) >"$IMAGE"
		replay "$seed"
		disk | grep -qx '\.a\.*'
	done
}

@test "a write whose log was cut short yields only bytes that were written" {
	local seed
	wrote 1 1 a
	flushed
	wrote 8 8 b
	truncate -s -$((4 * BYTES)) "$LOG"
	for seed in 1 2 3 4 5 6; do
		fill . $((SECTORS * BYTES)) >"$IMAGE"
		replay "$seed"
		disk | grep -qx '\.a\.*b*\.*'
	done
}

@test "after the given count nothing is written, and no flush counts" {
	local seed lost=
	wrote 1 1 a
	wrote 2 1 b
	flushed
	for seed in 1 2 3 4 5 6 7 8; do
		fill . $((SECTORS * BYTES)) >"$IMAGE"
		replay "$seed" 1
		disk | grep -qx '\.[a.]\.*'
		disk | grep -q a || lost=1
	done
	assert -n "$lost"
	replay 1 3
	disk | grep -qx '\.ab\.*'
}

@test "an invalid log, or one of another block size, is refused" {
	printf x >>"$LOG"
	flushed
	run_cmd 1 "$REPLAY" "$LOG"
	fill x $((2 * BYTES)) >"$LOG"
	run_cmd 1 "$REPLAY" "$LOG"
	assert_line 'not a log of writes$'
	{
		numbers $((0x6a736677736872)) 1 0 512
		zeros $((BYTES - 32))
	} >"$LOG"
	run_cmd 1 "$REPLAY" "$LOG"
	assert_line 'its blocks are not of 4096 bytes$'
}
