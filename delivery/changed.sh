#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: changed.sh INDEX TARGET...
#
# Print the targets whose inputs digest is not the one in the published index INDEX, one a line, in the given order.
# Leave out a kernel that was withdrawn and not published again, whatever its inputs are.  A missing INDEX is an empty
# one.

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -gt 1 ]] || die "usage: changed.sh INDEX TARGET..."
index=$1
shift

# without FILE: Print the lines of standard input that FILE does not have.
without() { grep -vxFf "$1" || [[ $? -eq 1 ]]; }

published='' withdrawn=''
if [[ -e $index ]]; then
	read_index "$index"
	published=$(jq --raw-output '.kernels[] | "\(.target) \(.inputs)"' "$index")
	withdrawn=$(jq --raw-output '[.kernels[].target] as $published
		| .withdrawn[]?.target | select(IN($published[]) | not)' "$index")
fi
inputs=$("$TOP/scripts/inputs.sh" "$@") || exit 1
paste -d ' ' <(printf '%s\n' "$@") <(printf '%s\n' "$inputs") | without <(printf '%s\n' "$published") |
	cut -d ' ' -f 1 | without <(printf '%s\n' "$withdrawn")
