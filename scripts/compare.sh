#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: compare.sh A B [REPORT]
#
# Compare two directories, or two bundles, bit by bit: contents and execute permission of each file.
# Exit with 0 if they are equal.  Exit with 3 if not: print a line for each file that differs, and write
# diffoscope's output for the first of them to REPORT.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 2 || $# -eq 3 ]] || die "usage: compare.sh A B [REPORT]"
make_tmp "$OUT"
shown=5 # number of files that REPORT covers

# open_up NAME PATH: Set NAME to PATH if it is a directory, else to a directory with the archive's files.
open_up() {
	if [[ -d $2 ]]; then
		printf -v "$1" %s "$(realpath "$2")"
	else
		mkdir "$TMP/$1"
		tar -x --no-same-owner --no-same-permissions -C "$TMP/$1" -f "$2" || die "cannot unpack '$2'"
		printf -v "$1" %s "$TMP/$1"
	fi
}

# listing DIR: Print "PATH SHA256 MODE" for each file.
listing() {
	(cd "$1" && find . -type f -printf '%P\n' | sort | while IFS= read -r file; do
		printf '%s %s %s\n' "$file" "$(sha256sum <"$file" | cut -d ' ' -f 1)" \
			"$([[ -x $file ]] && printf executable || printf plain)"
	done)
}

if [[ -f $1 && -f $2 ]] && cmp -s "$1" "$2"; then exit 0; fi
open_up a "$1"
open_up b "$2"
# shellcheck disable=SC2154 # open_up set them
join -a 1 -a 2 -e - -o 0,1.2,2.2,1.3,2.3 <(listing "$a") <(listing "$b") | awk '
	$2 == "-" { print "only in the second: " $1; next }
	$3 == "-" { print "only in the first: " $1; next }
	$2 != $3 { print "differs: " $1; next }
	$4 != $5 { print "mode differs: " $1 }' >"$TMP/differs"
if [[ ! -s $TMP/differs ]]; then
	[[ -f $1 ]] || exit 0
	printf 'differs: the archive itself, all files in it are equal\n' >"$TMP/differs"
fi
cat "$TMP/differs"
[[ $# -eq 3 ]] || not_equal
{
	sed -n 's/^differs: //p' "$TMP/differs" | sed -n "1,${shown}p" | while IFS= read -r file; do
		if [[ -f $a/$file && -f $b/$file ]]; then
			diffoscope --text - "$a/$file" "$b/$file" 2>&1 || [[ $? -eq 1 ]]
		else
			diffoscope --text - "$1" "$2" 2>&1 || [[ $? -eq 1 ]]
		fi
	done
} >"$3"
not_equal
