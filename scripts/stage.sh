#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: stage.sh TARGET STAGE DIR
#
# Copy the files of one stage of the target's lock from the cache to DIR, under their own names.  Verify the
# copies, not the cache's files: whoever may write into the cache cannot change a copy.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 3 ]] || die "usage: stage.sh TARGET STAGE DIR"
read_target "$1"
read_lock "$TARGET" "$2"
require_complete_lock "$TARGET"
mkdir -p "$3"

sums= # what verify reads: "SHA256  FILE", one a line

# copy SHA256 FILE: Copy the input with that digest to FILE, and add both to sums.
copy() {
	local file
	file=$(cached "$1")
	[[ -f $file ]] || die "'${2##*/}' is not in the cache '$CACHE'; run: make fetch TARGET=$TARGET"
	cp --reflink=auto --no-preserve=mode --remove-destination "$file" "$2"
	sums+="$1  $2"$'\n'
}

# verify: Exit if a copy does not have its digest.
verify() {
	local failed sha
	[[ -n $sums ]] || return 0
	failed=$(sha256sum --check --quiet --strict <<<"${sums%$'\n'}" 2>/dev/null) && return
	sha=${sums%%"  ${failed%%: FAILED*}"$'\n'*}
	die_damaged "$(cached "${sha##*$'\n'}")"
}

for i in "${!LOCK_SHA256[@]}"; do
	sha=${LOCK_SHA256[i]} name=${LOCK_WHERE[i]##*/}
	if [[ ${LOCK_WHERE[i]} == docker://* ]]; then
		# skopeo's "dir:" layout
		mkdir -p "$3/image"
		printf 'Directory Transport Version: 1.1\n' >"$3/image/version"
		copy "$sha" "$3/image/manifest.json"
		verify
		blobs=$(image_blobs "$3/image/manifest.json") || die "the image manifest '$(cached "$sha")' cannot be read"
		for blob in $blobs; do copy "$blob" "$3/image/$blob"; done
	else
		copy "$sha" "$3/${name//%2b/+}"
	fi
done
verify
