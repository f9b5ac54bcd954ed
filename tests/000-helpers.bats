#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The helpers themselves: each must be able to fail.

load lib/helpers

# fails COMMAND...: Fail if the command succeeds; a bare "! command" asserts nothing in bats.
fails() {
	if "$@" >/dev/null 2>&1; then return 1; fi
}

@test "run_cmd fails on any other exit status, and on a timeout" {
	run_cmd 3 bash -c 'exit 3'
	fails run_cmd 0 bash -c 'exit 3'
	fails run_cmd 1 true
	TIMEOUT=1 fails run_cmd 0 sleep 5
}

@test "run_cmd keeps both streams" {
	run_cmd 0 bash -c 'echo one; echo two >&2'
	assert_line '^one$'
	assert_line '^two$'
}

@test "assert, assert_line, refute_line, assert_equal and assert_absent fail" {
	assert 2 -gt 1
	fails assert 1 -gt 1
	fails assert -e "$BATS_TEST_TMPDIR/missing"
	output=$'a\nb c'
	assert_line '^b' 'c$'
	fails assert_line '^c$'
	fails assert_line '^b' 'a$'
	refute_line '^c$'
	fails refute_line '^b'
	fails assert_equal a b
	touch "$BATS_TEST_TMPDIR/f"
	fails assert_absent "$BATS_TEST_TMPDIR/f"
	ln -s nowhere "$BATS_TEST_TMPDIR/l"
	fails assert_absent "$BATS_TEST_TMPDIR/l"
}

@test "flip changes one bit and no length" {
	printf 'abc' >"$BATS_TEST_TMPDIR/f"
	flip "$BATS_TEST_TMPDIR/f" 1
	assert_equal "$(cat "$BATS_TEST_TMPDIR/f")" acc
}

@test "kill_at kills before a call, notices that the command ended, and fails if the command failed" {
	kill_at 2 cat bash -c 'cat /dev/null'
	assert_equal "$KILLED" ''
	kill_at 1 cat bash -c 'cat /dev/null; exit 3'
	assert_equal "$KILLED" 1
	fails kill_at 2 cat bash -c 'cat /dev/null; exit 3'
}

@test "needs_root skips for a non-root user, in the words that check.sh looks for" {
	# shellcheck disable=SC2317 # needs_root calls them
	skip() { printf 'skip %s\n' "$1"; }
	# shellcheck disable=SC2317
	id() { echo 1000; }
	assert_equal "$(needs_root 'to mount')" 'skip needs root: to mount'
	id() { echo 0; }
	assert_equal "$(needs_root 'to mount')" ''
}

@test "full_only skips without FULL=1, in the words of check.sh, which counts it as left, and fails one" {
	local dir=$BATS_TEST_TMPDIR/check
	skip() { printf 'skip %s\n' "$1"; }
	assert_equal "$(FULL='' full_only)" 'skip only make check-full runs it'
	assert_equal "$(FULL=1 full_only)" ''
	printf '#!/usr/bin/env bats\nload %s\n@test "short" { :; }\n@test "long" { full_only; false; }\n' \
		"$ROOT_DIR/tests/lib/helpers" >"$BATS_TEST_TMPDIR/some.bats"
	mkdir -p "$dir/check"
	cp -a "$OUT/check"/{obj,libwgkmod.a,version,wgkmod} "$dir/check/" # compiled already
	OUT=$dir FULL='' run_cmd 0 "$ROOT_DIR/tests/run/check.sh" "$BATS_TEST_TMPDIR/some.bats"
	assert_line '^1 left to make check-full:$'
	assert_line '^1 passed, 0 failed$'
	OUT=$dir FULL=1 run_cmd 1 "$ROOT_DIR/tests/run/check.sh" "$BATS_TEST_TMPDIR/some.bats"
	assert_line '^1 passed, 1 failed$'
}
