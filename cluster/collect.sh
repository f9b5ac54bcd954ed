#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: collect.sh LIST DEST
#
# Verify what one.sh put into DEST for each target of LIST: every file by its digest, and that it was made from the
# inputs of this clone.  Write DEST/kernels, a line "RELEASE TARGET SHA256" for each, where SHA256 is the digest of its
# SHA256SUMS: the same for the same bits, in whatever order and on whatever machine they were made.  Name the targets
# that are missing, and exit with 1 if there are any.

# shellcheck source=cluster/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 2 ]] || die "usage: collect.sh LIST DEST"
list=$1 dest=$(realpath -m -- "$2")
require_list "$list"
[[ -d $dest ]] || die "there is no directory '$dest' (DEST=)"
make_tmp "$dest"
missing=()
while read -r name; do
	read_target "$name"
	inputs=$("$TOP/scripts/inputs.sh" "$TARGET")
	if [[ -f $dest/.made/$TARGET && -f $dest/$RELEASE/provenance.json ]] && check_sums "$dest/$RELEASE" &&
		[[ $(inputs_of_provenance "$dest/$RELEASE/provenance.json") == "$inputs" ]]; then
		printf '%s %s %s\n' "$RELEASE" "$TARGET" "$(digest_of "$dest/$RELEASE/SHA256SUMS")"
	else
		missing+=("$name")
	fi
done < <(list_names "$list" | awk 'NF && !seen[$0]++') >"$TMP/kernels"
sort -V -o "$TMP/kernels" "$TMP/kernels"
mv -T "$TMP/kernels" "$dest/kernels"
say collect "$(wc -l <"$dest/kernels") kernels in $dest, ${#missing[@]} missing"
[[ ${#missing[@]} -eq 0 ]] || die "missing, or not made from the inputs of this clone: ${missing[*]}"
