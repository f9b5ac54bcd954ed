#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: matrix.sh INDEX [TARGET...]
#
# Print the targets (all by default) as the matrix of a CI job: {"include": [{"shard": "debian11-1", "targets": "A B"}]}.
# Leave out targets whose inputs are those of the published index INDEX (a missing file is an empty index), and those
# without a complete lock, which standard error names.
#
#   SHARDS=N   at most N shards, 200 by default: GitHub takes 256 jobs of one matrix, GitLab 200

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -gt 0 ]] || die "usage: matrix.sh INDEX [TARGET...]"
index=$1
shift
SHARDS=${SHARDS:-200}
[[ $SHARDS =~ ^[1-9][0-9]{0,3}$ ]] || die "SHARDS '$SHARDS' is not a number of shards from 1 to 9999"
names=("$@")
[[ $# -gt 0 ]] || mapfile -t names < <(list_targets)

# has_complete_lock TARGET: Return 0 if no digest of the lock is unknown.
has_complete_lock() (
	read_target "$1"
	read_lock "$1" base toolchain source
	[[ " ${LOCK_SHA256[*]} " != *' - '* ]]
)

ready=()
for name in "${names[@]}"; do
	read_target "$name"
	if has_complete_lock "$name"; then
		ready+=("$name")
	else
		printf "matrix: '%s' is left out: its lock is not complete\n" "$name" >&2
	fi
done
changed=
[[ ${#ready[@]} -eq 0 ]] || changed=$("$DELIVERY/changed.sh" "$index" "${ready[@]}")
jq --raw-input --null-input --compact-output --argjson shards "$SHARDS" --from-file "$DELIVERY/matrix.jq" <<<"$changed"
