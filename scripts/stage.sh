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
for i in "${!LOCK_SHA256[@]}"; do
	[[ ${LOCK_WHERE[i]} != docker://* ]] || continue
	name=${LOCK_WHERE[i]##*/}
	cp --link --force "$(cached "${LOCK_SHA256[i]}")" "$3/${name//%2b/+}" 2>/dev/null ||
		cp "$(cached "${LOCK_SHA256[i]}")" "$3/${name//%2b/+}"
done
