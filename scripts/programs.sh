#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: programs.sh TARGET [lock]
#
# Print the programs that the target's family needs on this machine; with "lock", those that make lock needs.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 1 || ($# -eq 2 && $2 == lock) ]] || die "usage: programs.sh TARGET [lock]"
read_target "$1"
if [[ $# -eq 2 ]]; then
	printf '%s\n' "$family_lock_programs"
else
	printf '%s\n' "$family_programs"
fi
