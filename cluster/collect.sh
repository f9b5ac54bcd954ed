#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: collect.sh LIST DEST
#
# Verify what one.sh put into DEST for each target of LIST: every file by its digest, and that it was made from the
# inputs of this clone.  Write DEST/kernels, a line "RELEASE TARGET SHA256" for each, where SHA256 is the digest of its
# SHA256SUMS: the same for the same bits, in whatever order and on whatever machine they were made.  Name the targets
# that are missing, and exit with 1 if there are any.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../scripts/lib.sh"
[[ $# -eq 2 ]] || die "usage: collect.sh LIST DEST"
list=$1 dest=$(realpath -m -- "$2")
[[ -f $list ]] || die "there is no list '$list' (LIST=): a file with the name of a target on each line"
[[ -d $dest ]] || die "there is no directory '$dest' (DEST=)"
make_tmp "$dest"
missing=()
while read -r name; do
	read_target "$name"
	builder=$("$TOP/scripts/image.sh" "$TARGET" --name)
	if [[ -f $dest/.made/$TARGET ]] && [[ $(head -n 1 "$dest/.made/$TARGET") == "$builder" ]] &&
		check_sums "$dest/$RELEASE"; then
		printf '%s %s %s\n' "$RELEASE" "$TARGET" "$(sha256sum <"$dest/$RELEASE/SHA256SUMS" | cut -d ' ' -f 1)"
	else
		missing+=("$name")
	fi
done < <(awk 'NF && !seen[$1]++ { print $1 }' "$list") >"$TMP/kernels"
sort -V -o "$TMP/kernels" "$TMP/kernels"
mv -T "$TMP/kernels" "$dest/kernels"
say collect "$(wc -l <"$dest/kernels") kernels in $dest, ${#missing[@]} missing"
[[ ${#missing[@]} -eq 0 ]] || die "missing, or not made from the inputs of this clone: ${missing[*]}"
