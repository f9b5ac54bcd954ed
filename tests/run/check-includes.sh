#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: check-includes.sh
#
# Check the includes in src/.  A wing, that is a subdirectory, may include only its own files and those of the
# wings below it.  The verbs are above all wings, and main.c is above the verbs.  No file may include itself
# through others; a .c and its .h count as one file.  Print each include that breaks a rule, and exit with 1.
set -euo pipefail
cd "$(dirname "$0")/../../src"

find . -name '*.[ch]' -printf '%P\n' | LC_ALL=C sort | xargs awk '
BEGIN {
	levels = split("base fit bundle tree kernel health verbs main", names, " ")
	for (i = 1; i <= levels; i++)
		level[names[i]] = i
}

# Return the wing of a path.
function wing(path) {
	if (path ~ /^main\.c$/)
		return "main"
	return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : "verbs"
}

# Print each circle among the units that unit includes; path has the units on the way to unit.
function visit(unit, path,    count, i, next_ones) {
	state[unit] = "open"
	count = split(needs[unit], next_ones, " ")
	for (i = 1; i <= count; i++) {
		if (state[next_ones[i]] == "open") {
			printf "a circle of includes: %s %s %s\n", path, unit, next_ones[i]
			bad = 1
		} else if (!state[next_ones[i]]) {
			visit(next_ones[i], path " " unit)
		}
	}
	state[unit] = "done"
}

FNR == 1 && !(wing(FILENAME) in level) {
	printf "%s: no wing has the name %s\n", FILENAME, wing(FILENAME)
	bad = 1
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	from = FILENAME
	to = part[2]
	if (!(wing(to) in level) || level[wing(to)] > level[wing(from)]) {
		printf "%s:%d: %s may not include %s\n", from, FNR, wing(from), to
		bad = 1
	}
	sub(/\.[ch]$/, "", from)
	sub(/\.[ch]$/, "", to)
	if (from != to)
		needs[from] = needs[from] " " to
	units[from] = 1
}

END {
	for (unit in units)
		if (!state[unit])
			visit(unit, "")
	exit bad
}' || exit 1
