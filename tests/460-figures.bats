#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The figures of the documents are those that commands wrote.

load lib/helpers

# unknown DIR: Print each place in the documents of DIR that has a figure which docs/figures.txt has not: the last
# cell of a row of docs/proofs.md, all cells but the first of a row of a target, a line of make demo in a README.
unknown() {
	local line cell text texts
	mapfile -t texts < <(sed '/^#/d; s/^[^\t]*\t//' "$1/docs/figures.txt")
	while IFS= read -r line; do
		cell=${line% |}
		case $line in
		'| `debian'*) cell=${line#*|*|} ;;
		'| '*) cell=${cell##* | } ;;
		*) cell=${line#tunnel } ;;
		esac
		for text in "${texts[@]}"; do cell=${cell//"$text"/}; done
		# what stands in code is a command or a name
		while [[ $cell =~ ^([^\`]*)\`[^\`]*\`(.*) ]]; do cell=${BASH_REMATCH[1]}${BASH_REMATCH[2]}; done
		[[ ! $cell =~ [0-9] ]] || printf '%s\n' "$line"
	done < <(grep -E '^\| .* \| .* \| .* \|$' "$1/docs/proofs.md" &&
		grep -h '^tunnel ' "$1/README.md" "$1/README.zh-CN.md")
}

@test "each figure in docs/proofs.md and of make demo in the READMEs is one that a command wrote" {
	assert "$(grep -c '| last figure |' "$ROOT_DIR/docs/proofs.md")" -gt 5
	assert_equal "$(unknown "$ROOT_DIR")" ''
}

@test "each figure is in a document, and a command writes it" {
	local name text word
	cd "$ROOT_DIR"
	while IFS=$'\t' read -r name text; do
		grep -qF -- "$text" README.md docs/*.md || fail "no document has '$text'"
		word=${name%% *}
		grep -qE "(figure|figures\.sh\"?) ['\"]?($word|\\\$proof)\b" tests/*.bats tests/full/*.bats tests/*/*.sh ||
			fail "nothing writes '$name'"
	done < <(grep -v '^#' docs/figures.txt)
	assert_equal "$(grep -v '^#' docs/figures.txt | cut -f 2 | sort | uniq -d)" ''
}

@test "a figure that was changed by hand is found, in each place" {
	local dir=$BATS_TEST_TMPDIR/clone
	clone "$dir"
	sed -i 's/1,000 of 1,000 sequences/1,001 of 1,001 sequences/; s/238,043/238,044/' "$dir/docs/proofs.md"
	sed -i '/^tunnel/s/6.62/9.99/' "$dir/README.zh-CN.md"
	output=$(unknown "$dir")
	assert_line '1,001 of 1,001'
	assert_line '^. `debian11-5.10.0-32-amd64` .* 238,044 '
	assert_line '^tunnel .*9.99'
	assert_equal "$(wc -l <<<"$output")" 3
}

@test "make figures takes what commands wrote over into the documents, and nothing else" {
	local dir=$BATS_TEST_TMPDIR/clone
	clone "$dir"
	run_cmd 1 env OUT="$dir/out" "$dir/tests/run/figures.sh"
	run_cmd 2 env OUT="$dir/out" "$dir/tests/run/figures.sh" name
	OUT=$dir/out run_cmd 0 "$dir/tests/run/figures.sh" sequences 999 of 999 sequences
	OUT=$dir/out run_cmd 0 "$dir/tests/run/figures.sh" sequences 1002 of 1002 sequences
	OUT=$dir/out run_cmd 0 "$dir/tests/run/figures.sh" "tunnel speed $TARGET_NAME" 'others & others\1'
	OUT=$dir/out run_cmd 0 "$dir/tests/run/figures.sh" 'not in a document' 12345
	OUT=$dir/out run_cmd 0 make -C "$dir" --no-print-directory figures
	assert_line '^sequences: 1,002 of 1,002 sequences$'
	assert_equal "$(wc -l <<<"$output")" 2
	assert_equal "$(unknown "$dir")" ''
	grep -qF '| 1,002 of 1,002 sequences |' "$dir/docs/proofs.md"
	assert_equal "$(grep -lF 'others & others\1' "$dir"/*.md "$dir"/docs/* | wc -l)" 4
	assert_equal "$(diff -r "$ROOT_DIR/docs" "$dir/docs" | grep -c '^>')" 4
}
