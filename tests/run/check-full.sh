#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: check-full.sh GOAL...
#
# Run make for each GOAL (words: a target and its variables), also after one failed, and print a line for each
# at the end.  Exit with 1 if one failed.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
cd "$TOP"
[[ $# -gt 0 ]] || die "usage: check-full.sh GOAL..."
failed=0 lines=()
for goal; do
	read -ra words <<<"$goal"
	SECONDS=0 verdict=passed
	make --no-print-directory "${words[@]}" </dev/null || {
		verdict=FAILED
		failed=$((failed + 1))
	}
	lines+=("$(printf '%-50s %s %6d s' "make $goal" "$verdict" "$SECONDS")")
done
printf '\n'
printf '%s\n' "${lines[@]}"
[[ $failed -eq 0 ]] || die "$failed of $# failed"
