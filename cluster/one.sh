#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: one.sh LIST INDEX DEST
#
# Build the target on line INDEX (from 1) of the file LIST, and put it into DEST, which may be shared with other
# machines: DEST/RELEASE/ as make artifacts has it in OUT, and DEST/.made/TARGET, what it was made from.  The build
# itself is in OUT, which must be this machine's own.  Any number of runs may be at work in DEST, also on the same line,
# and each may be killed and run again: a directory enters DEST whole, by one rename.  If DEST has the same bits, write
# nothing.

# shellcheck source=cluster/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 3 ]] || die "usage: one.sh LIST INDEX DEST"
list=$1 index=$2 dest=$(realpath -m -- "$3")
require_list "$list"
[[ $index =~ ^[1-9][0-9]*$ ]] || die "INDEX '$index' is not the number of a line, from 1"
name=$(list_names "$list" | sed -n "${index}p")
[[ -n $name ]] || die "the list '$list' has no line $index"
read_target "$name"
"$TOP/scripts/artifacts.sh" "$TARGET"
require_output
own_dir "$dest" "$dest/.made"

# is_there: Return 0 if DEST has the bits of OUT.
is_there() {
	cmp -s "$OUT/.made/$TARGET" "$dest/.made/$TARGET" && cmp -s "$OUT/$RELEASE/SHA256SUMS" "$dest/$RELEASE/SHA256SUMS" &&
		check_sums "$dest/$RELEASE"
}

if is_there; then
	say one "$TARGET is in $dest"
	exit 0
fi
PHASE_START=$(now_ms)
make_tmp "$dest"
mkdir "$TMP/new"
(cd "$OUT/$RELEASE" && { printf '%s\n' SHA256SUMS && cut -c 67- SHA256SUMS; } | tar -c -T -) | tar -x -C "$TMP/new"
check_sums "$TMP/new" || die "what was copied to '$dest' is not what was built; run it again"
cp "$OUT/.made/$TARGET" "$TMP/made"
find "$TMP/new" -type f -exec sync -d {} +
# The statement goes first and comes last: without it collect.sh takes the target for not built.
rm -f "$dest/.made/$TARGET"
[[ ! -e $dest/$RELEASE ]] || mv -T "$dest/$RELEASE" "$TMP/old"
mv -T "$TMP/new" "$dest/$RELEASE" || is_there || die "'$dest/$RELEASE' was changed by another run; run it again"
mv -T "$TMP/made" "$dest/.made/$TARGET"
say one "$TARGET is in $dest ($(seconds_since "$PHASE_START"))"
