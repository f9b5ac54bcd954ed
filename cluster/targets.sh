#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: targets.sh [--unlocked]
#
# Print the names of the targets that can be built, one a line: those whose lock is complete for the build.  Say on
# standard error how many others there are.  With --unlocked, print all.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../scripts/lib.sh"
[[ $# -eq 0 || $* == --unlocked ]] || die "usage: targets.sh [--unlocked]"
left_out=0
for name in $(list_targets); do
	if [[ $# -eq 0 ]] && grep -qE '^(base|toolchain|source) - ' "$TARGET_DIR/$name.lock"; then
		((++left_out))
	else
		printf '%s\n' "$name"
	fi
done
[[ $left_out -eq 0 ]] || say targets "$left_out left out, as their locks are not complete (make targets)" >&2
