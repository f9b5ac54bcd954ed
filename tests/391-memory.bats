#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# A sample of make fuzz and make memory, so that they are known to work, and to fail: some seconds of
# each fuzz target, one file of tests under the sanitizers and valgrind.

load lib/helpers

fuzz() { # STATUS CLONE NAME...
	FUZZ_SECONDS=2 OUT=$BATS_TEST_TMPDIR run_cmd "$1" "$2/tests/run/fuzz.sh" "${@:3}"
}

memory() { # STATUS CLONE
	OUT=$BATS_TEST_TMPDIR run_cmd "$1" env -u WGKMOD -u BATS_RUN_TMPDIR -u BATS_TEST_DESCRIPTION \
		"$2/tests/run/memory.sh" "$2/tests/302-unversioned.bats"
}

@test "a few seconds of each fuzz target, without a finding" {
	full_only
	local name names
	mapfile -t names < <(cd "$ROOT_DIR/tests/fuzz" && printf '%s\n' *.c)
	assert "${#names[@]}" -ge 5
	fuzz 0 "$ROOT_DIR"
	for name in "${names[@]%.c}"; do
		assert_line "^$name +[1-9][0-9]{2,} runs, no finding "
	done
}

@test "a fuzz target that finds something fails, and says where" {
	full_only
	clone "$BATS_TEST_TMPDIR/clone"
	sed -i 's/if (symbol.st_name >= strings)/if (false \&\& symbol.st_name >= strings)/' \
		"$BATS_TEST_TMPDIR/clone/src/fit/elf_rules.c"
	grep -q 'if (false && symbol' "$BATS_TEST_TMPDIR/clone/src/fit/elf_rules.c"
	fuzz 1 "$BATS_TEST_TMPDIR/clone" module
	assert_line "^module +a finding: see .*/module-\\*$"
	assert -n "$(find "$BATS_TEST_TMPDIR/fuzz" -name 'module-crash-*')"
}

@test "the tests of one verb under ASan and UBSan, and under valgrind" {
	full_only
	local name
	memory 0 "$ROOT_DIR"
	for name in sanitizers valgrind; do
		assert_line "^memory +$name: [1-9][0-9]* of [0-9]+ tests passed, .* 0 findings \\([1-9][0-9]* runs of wgkmod\\)$"
	done
}

@test "a leak is a finding" {
	full_only
	clone "$BATS_TEST_TMPDIR/clone"
	sed -i 's/^\tfree(sv->text);$//' "$BATS_TEST_TMPDIR/clone/src/fit/symvers.c"
	memory 1 "$BATS_TEST_TMPDIR/clone"
	assert_line '^memory +sanitizers: .* [1-9][0-9]* findings'
	grep -rq LeakSanitizer "$BATS_TEST_TMPDIR/memory"
}
