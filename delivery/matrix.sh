#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: matrix.sh INDEX [TARGET...]
#
# Print the targets as the matrix of a CI job:
# {"include": [{"shard": "debian11-1", "targets": "A B"}]}.
# Leave out targets whose inputs are those of the published index INDEX; a missing file is an empty index.
#
#   SHARDS=N   at most N shards, 200 by default: GitHub takes 256 jobs of one matrix, GitLab 200

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -gt 0 ]] || die "usage: matrix.sh INDEX [TARGET...]"
index=$1
shift
SHARDS=${SHARDS:-200}
[[ $SHARDS =~ ^[1-9][0-9]{0,3}$ ]] || die "SHARDS '$SHARDS' is not a number of shards from 1 to 9999"
changed=
[[ $# -eq 0 ]] || changed=$("$DELIVERY/changed.sh" "$index" "$@")
jq --raw-input --null-input --compact-output --argjson shards "$SHARDS" --from-file "$DELIVERY/matrix.jq" <<<"$changed"
