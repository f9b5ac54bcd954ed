# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# lib.sh - what the scripts for a cluster share.  Sourced, never run; sources scripts/lib.sh.

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# require_list FILE: Exit unless FILE is a list: the name of a target on each line.
require_list() {
	[[ -f $1 ]] || die "there is no list '$1' (LIST=): a file with the name of a target on each line"
	[[ $(list_size "$1") -gt 0 ]] || die "the list '$1' is empty"
}

# list_names FILE: Print the first word of each line of the list, without the carriage return of some editors.
list_names() { awk '{ sub(/\r$/, ""); print $1 }' "$1"; }

# list_size FILE: Print the number of the last line of the list that has a name.
list_size() { list_names "$1" | awk 'NF { n = NR } END { print n + 0 }'; }
