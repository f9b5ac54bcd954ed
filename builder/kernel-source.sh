#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: kernel-source.sh SOURCEDIR DIR
#
# Unpack the kernel source in SOURCEDIR once for all kernels of its version, and write what closure.sh reads to DIR.
# Runs in the container while the image is made.
#
#	kconfig.tar  Kconfig files, scripts and what make needs for them, with Kconfig's program (kconfig.c) compiled
#	objects      the objects that depend on symbols of Kconfig, by the Makefiles (kbuild.awk)
#	code.tar.gz  the directories in which WireGuard and all that it can select are
#	readers      "FILE TEXT" for each line of the C and assembler sources that reads a symbol of Kconfig

set -euo pipefail
umask 022
export LC_ALL=C TZ=UTC
# shellcheck source=/dev/null
. /wgkmod/family.sh

source=$1 out=$2
srcarch=x86
programs=$(cd "${0%/*}" && pwd)
code=(crypto lib net drivers/net/wireguard "arch/$srcarch/crypto" "arch/$srcarch/lib")
work=$(mktemp -d)
tree=$work/linux
trap 'rm -rf "$work"' EXIT
mkdir -p "$tree" "$out"

# Three programs read the archive of 1 GB at once, while one processor decompresses it.
mkfifo "$work/names" "$work/text"
tar -tR <"$work/names" >"$work/members" &
names=$!
# tr ends tar's header with a newline, so that the first line of a file starts where the file does.
tr '\0' '\n' <"$work/text" | grep -ab CONFIG_ >"$work/lines" &
text=$!
family_source "$source"/* | tee "$work/names" "$work/text" |
	tar -x -C "$tree" --strip-components=1 --wildcards --no-wildcards-match-slash --anchored \
		'*/scripts' "${code[@]/#/*/}" --wildcards-match-slash '*/Kconfig*' '*/Makefile*' '*/Kbuild*'
wait "$names"
wait "$text"
awk -f "$programs/readers.awk" "$work/members" "$work/lines" | grep -E "^(arch/$srcarch/|[^a]|a[^r])" >"$out/readers"

# objects: Print the objects that depend on symbols in the Makefiles.
objects() {
	find . \( -name Makefile -o -name Kbuild \) \( ! -path './arch/*' -o -path "./arch/$srcarch/*" \) | sort |
		xargs awk -f "$programs/kbuild.awk"
}

cd "$tree"
objects >"$out/objects"
for dir in "${code[@]}"; do
	[[ ! -d $dir ]] || printf '%s\n' "$dir"
done | tar -cf - -T - | gzip -1 >"$out/code.tar.gz"
cc=$(family_compiler)
# Compile Kconfig's program, and run it on nothing.
cp "$programs/kconfig.c" scripts/kconfig/conf.c
make -s -j"$(nproc)" ARCH=$srcarch CC="$cc" HOSTCC="$cc" KCONFIG_CONFIG="$work/config" KBUILD_KCONFIG=/dev/null \
	allnoconfig >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
# Kconfig reads files of other architectures too, from 6.1 on.
{
	find . -path ./scripts -prune -o -name 'Kconfig*' ! -type d -print
	find "arch/$srcarch" -maxdepth 1 -name 'Makefile*'
	printf '%s\n' ./Makefile ./scripts
} | tar -cf "$out/kconfig.tar" -T -
