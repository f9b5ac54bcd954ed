#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: figures.sh NAME TEXT...
#        figures.sh
#
# Keep the figures that the documents print.  A command that measures something calls figures.sh with the NAME of
# the figure and the TEXT, and a line is added to out/figures.txt.  Whole numbers of four digits and more get commas.
#
# Without operands, take over what the commands wrote: docs/figures.txt has the last TEXT of each NAME, after a tab.
# For each NAME in it that out/figures.txt has too, replace the TEXT, there and in the documents.
# tests/460-figures.bats fails if a document prints another figure than docs/figures.txt has.
set -euo pipefail
cd "$(dirname "$0")/../.."
OUT=${OUT:-out}
tab=$'\t'

if [[ $# -gt 0 ]]; then
	[[ $# -gt 1 ]] || {
		printf 'usage: figures.sh [NAME TEXT...]\n' >&2
		exit 2
	}
	mkdir -p "$OUT"
	text=$(sed -E ':again; s/(^|[ (])([0-9]+)([0-9]{3})([ ,;)]|$)/\1\2,\3\4/; t again' <<<"${*:2}")
	printf '%s\t%s\n' "$1" "$text" >>"$OUT/figures.txt"
	exit
fi

[[ -f $OUT/figures.txt ]] || {
	printf "wgkmod: there is no '%s': run the commands that measure first, for example make bench\n" "$OUT/figures.txt" >&2
	exit 1
}
while IFS=$tab read -r name old; do
	new=$(awk -F '\t' -v name="$name" '$1 == name { text = $2 } END { print text }' "$OUT/figures.txt")
	[[ -n $new && $new != "$old" ]] || continue
	printf '%s: %s\n' "$name" "$new"
	for document in docs/figures.txt README.md README.zh-CN.md docs/*.md; do
		OLD=$old NEW=$new awk '{
			at = index($0, ENVIRON["OLD"])
			if (at)
				$0 = substr($0, 1, at - 1) ENVIRON["NEW"] substr($0, at + length(ENVIRON["OLD"]))
			print
		}' "$document" >"$OUT/figures.new"
		cmp -s "$OUT/figures.new" "$document" || cat "$OUT/figures.new" >"$document"
	done
done < <(grep -v '^#' docs/figures.txt)
