#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: changed.sh INDEX TARGET...
#
# Print the targets whose inputs digest is not the one in the published index INDEX, one a line, in the given order.
# What was withdrawn counts as published.  A missing INDEX is an empty one.

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -gt 1 ]] || die "usage: changed.sh INDEX TARGET..."
index=$1
shift

published=
if [[ -e $index ]]; then
	read_index "$index"
	published=$(jq --raw-output '.kernels[], .withdrawn[]? | "\(.target) \(.inputs)"' "$index")
fi
inputs=$("$TOP/scripts/inputs.sh" "$@") || exit 1
paste -d ' ' <(printf '%s\n' "$@") <(printf '%s\n' "$inputs") |
	{ grep -vxFf <(printf '%s\n' "$published") || [[ $? -eq 1 ]]; } | cut -d ' ' -f 1
