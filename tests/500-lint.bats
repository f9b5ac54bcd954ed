#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The linters find nothing.

load lib/helpers

@test "shellcheck, clang-format, gcc -fanalyzer, cppcheck and clang-tidy find nothing" {
	TIMEOUT=900 run_cmd 0 make -C "$ROOT_DIR" --no-print-directory lint
}

@test "an include of a higher wing, and a circle of includes, are findings" {
	local dir=$BATS_TEST_TMPDIR/clone
	clone "$dir"
	run_cmd 0 "$dir/tests/run/check-includes.sh"
	echo '#include "tree/state.h"' >>"$dir/src/fit/symvers.c"
	echo '#include "fit/module.h"' >>"$dir/src/fit/elf.h"
	run_cmd 1 "$dir/tests/run/check-includes.sh"
	assert_line '^fit/symvers.c:[0-9]+: fit may not include tree/state.h$'
	assert_line '^a circle of includes: .*fit/module .*fit/elf fit/module$'
}

@test "every source file names its licence" {
	local file files
	cd "$ROOT_DIR"
	run_cmd 0 git ls-files --cached --others --exclude-standard '*.[ch]' '*.py' '*.spec' '*.sh' '*.bats' '*.bash' \
		'*Makefile' '*Containerfile' 'crypto/*'
	mapfile -t files <<<"$output"
	assert "${#files[@]}" -gt 100
	for file in "${files[@]}"; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only' || fail "$file does not"
	done
}

@test "no document has a placeholder" {
	cd "$ROOT_DIR"
	output=$(git grep -nE '@@[A-Z-]+@@' -- '*.md') || [[ $? -eq 1 ]]
	assert_equal "$output" ''
}
