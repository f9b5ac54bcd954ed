#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: explain.sh TARGET
#
# Print the closure of one kernel with its reasons.  Build the modules first if they are missing: the symbol
# table decides, in the build, what is delivered.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 1 ]] || die "usage: explain.sh TARGET"
read_target "$1"
"$TOP/scripts/artifacts.sh" "$TARGET" >&2
cat "$OUT/$RELEASE/explain.txt"
