#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: page.sh INDEX en|zh-CN
#
# Print the catalogue page of an index in that language.

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 2 && $2 =~ ^(en|zh-CN)$ ]] || die "usage: page.sh INDEX en|zh-CN"
read_index "$1"
jq --raw-output --arg language "$2" --from-file "$DELIVERY/page.jq" "$1"
