#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: build.sh CLONE TARGET UMASK
#
# Do one build of make repro in the environment that run.sh made: artifacts, and the bundle.  Write the values
# of the environment to REPRO_EVIDENCE first.

set -euo pipefail
cd "$1"
umask "$3"

# probe_order: Print the names of twelve files in the order of readdir.
probe_order() {
	mkdir "$OUT/probe"
	(cd "$OUT/probe" && touch a b c d e f g h i j k l)
	find "$OUT/probe" -mindepth 1 -printf '%f ' # the order of readdir
	rm -r "$OUT/probe"
}

mkdir -p "$OUT"
{
	printf 'host.path %s\n' "$PWD"
	printf 'host.uid %s\nhost.gid %s\n' "$(id -u)" "$(id -g)"
	printf 'host.umask %s\n' "$(umask)"
	printf 'host.home %s\n' "$HOME"
	printf 'host.collation %s\n' "$(printf 'b\nA\na\nB\n' | sort | paste -sd ' ')"
	printf 'host.zone %s\n' "$(date +%z)"
	printf 'host.day %s\n' "$(date -u +%F)"
	printf 'host.name %s\nhost.domain %s\n' "$(uname -n)" "$(cat /proc/sys/kernel/domainname)"
	printf 'host.cpus %s\n' "$(nproc)"
	printf 'host.order %s\n' "$(probe_order)"
	printf 'host.fs %s\n' "$(stat -f -c %T .)"
	printf 'host.env %s\n' "$(env | grep -c '^\(KBUILD\|KCFLAGS\|CFLAGS\|SOURCE_DATE_EPOCH\)' || [[ $? -eq 1 ]])"
} >>"$REPRO_EVIDENCE"
"$PWD/scripts/artifacts.sh" "$2"
"$PWD/scripts/bundle.sh" "$2"
