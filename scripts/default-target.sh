#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: default-target.sh FALLBACK
#
# Print the target to use if the user names none: that of the running kernel, else FALLBACK.  Say so on
# standard error.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 1 ]] || die "usage: default-target.sh FALLBACK"

running=$(uname -r)
for name in $(list_targets); do
	if awk -F '[ \t]*=[ \t]*' -v r="$running" '$1 == "RELEASE" && $2 "" == r { found = 1 }
		END { exit !found }' "$TARGET_DIR/$name"; then
		printf 'wgkmod: TARGET=%s, the running kernel\n' "$name" >&2
		printf '%s\n' "$name"
		exit 0
	fi
done
printf 'wgkmod: TARGET=%s, as targets/ does not have the running kernel %s\n' "$1" "$running" >&2
printf '%s\n' "$1"
