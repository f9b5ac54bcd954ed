#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: explain.sh TARGET
#
# Prints the closure of one kernel with its reasons.  The last word on what is delivered is the
# symbol table's, so the modules are built first where they are not there.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 1 ]] || die "usage: explain.sh TARGET"
read_target "$1"
"$TOP/scripts/artifacts.sh" "$TARGET" >&2
cat "$OUT/$RELEASE/explain.txt"
