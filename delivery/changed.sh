#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: changed.sh INDEX TARGET...
#
# Print the targets whose inputs digest is not the one in the published index INDEX, one a line, in the given order.
# A missing INDEX is an empty one.

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -gt 1 ]] || die "usage: changed.sh INDEX TARGET..."
index=$1
shift

published=
if [[ -e $index ]]; then
	read_index "$index"
	published=$(jq --raw-output '.kernels[] | "\(.target) \(.inputs)"' "$index")
fi
# one line a target, on all processors: each takes a tenth of a second
inputs=$(printf '%s\n' "$@" | xargs -d '\n' -P "$(nproc)" -I '{}' \
	bash -c 'digest=$("$1" "$2") && printf "%s %s\n" "$2" "$digest"' - "$TOP/scripts/inputs.sh" '{}') || exit 1
for target; do
	line=$(awk -v target="$target" '$1 == target' <<<"$inputs" | head -n 1)
	grep -qxF "$line" <<<"$published" || printf '%s\n' "$target"
done
