#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: targets.sh
#
# List the known targets: the kernel, the family, and the state of the lock.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

printf '%-28s %-28s %-6s %s\n' TARGET KERNEL FAMILY LOCK
for name in $(list_targets); do
	(
		read_target "$name"
		read_lock "$name"
		unknown=$(printf '%s\n' "${LOCK_SHA256[@]}" | awk '$1 == "-" { n++ } END { print n + 0 }')
		state="complete, ${#LOCK_SHA256[@]} inputs"
		[[ $unknown -eq 0 ]] || state="not complete, $unknown digests unknown: make lock TARGET=$name"
		printf '%-28s %-28s %-6s %s\n' "$name" "$RELEASE" "$FAMILY" "$state"
	)
done
