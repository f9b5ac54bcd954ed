#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: stage.sh TARGET STAGE DIR
#
# Fills the folder DIR with the files of one stage of the target's lock, each verified, under
# their own names; hard links into the cache where DIR is on its file system, else copies.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 3 ]] || die "usage: stage.sh TARGET STAGE DIR"
read_target "$1"
read_lock "$TARGET" "$2"
require_complete_lock "$TARGET"
make_tmp "$CACHE"
mkdir -p "$3"

check_cached
[[ ${#MISSING[@]} -eq 0 ]] ||
	die "'${LOCK_WHERE[MISSING[0]]##*/}' is not in the cache '$CACHE'; run: make fetch TARGET=$TARGET"
# link SHA256 FILE: a cached file under its own name.
link() {
	cp --link --force "$(cached "$1")" "$2" 2>/dev/null || cp "$(cached "$1")" "$2"
}

for i in "${!LOCK_SHA256[@]}"; do
	sha=${LOCK_SHA256[i]} name=${LOCK_WHERE[i]##*/}
	if [[ ${LOCK_WHERE[i]} == docker://* ]]; then
		# skopeo's "dir:" layout
		mkdir -p "$3/image"
		printf 'Directory Transport Version: 1.1\n' >"$3/image/version"
		link "$sha" "$3/image/manifest.json"
		for blob in $(image_blobs "$(cached "$sha")"); do link "$blob" "$3/image/$blob"; done
	else
		link "$sha" "$3/${name//%2b/+}"
	fi
done
