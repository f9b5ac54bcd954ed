#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bench-container.sh bare | hand RELEASE
#
# Inside the builder, for bench.sh.  bare: builds, then runs each compiler and assembler command of
# that build once more, one after the other; prints the seconds of CPU and how many they were.
# hand: the procedure that people follow, with the source at hand; prints "STEP SECONDS" lines.

set -euo pipefail
export LC_ALL=C
cc=$(cat /kernel/cc)

bare() {
	local file command n=0
	bash /wgkmod/build.sh >/build/made.tar
	while read -r file; do
		command=$(sed -n '1s/^cmd_[^ ]* := //p' "$file")
		command=${command%%;*}
		[[ $command == *"$cc "*' -c '* ]] || continue
		printf '%s\n' "$command"
		n=$((n + 1))
	done < <(find /build/src -name '.*.o.cmd' | sort) >/build/commands
	cd "$(readlink -f /kernel/devel)"
	[[ $(wc -l </build/commands) -gt 0 ]]
	bash -euc '. /build/commands; times >/build/times' >&2
	awk -v n="$(wc -l </build/commands)" '
		function seconds(t) { split(t, p, /[ms]/); return p[1] * 60 + p[2] }
		NR == 2 { printf "%.2f %d\n", seconds($1) + seconds($2), n }' /build/times
}

# step NAME COMMAND...
step() {
	local name=$1 start=$EPOCHREALTIME
	shift
	"$@" >&2
	awk -v n="$name" -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%s %.2f\n", n, b - a }'
}

unpack() { tar -xJf /build/linux.tar.xz -C /build/linux --strip-components=1; }

hand() {
	local release=$1 m=(make -s -j"$(nproc)" CC="$cc" HOSTCC="$cc" KBUILD_MODPOST_WARN=1)
	mkdir /build/linux
	dpkg-deb --fsys-tarfile /bench/source/*.deb | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' >/build/linux.tar.xz
	step unpack unpack
	cd /build/linux
	# BTF would want python3 and pahole here; it changes nothing of modules in 5.10
	sed 's/^CONFIG_DEBUG_INFO_BTF=y/# CONFIG_DEBUG_INFO_BTF is not set/' \
		"/usr/src/linux-headers-$release/.config" >.config
	step modules_prepare "${m[@]}" LOCALVERSION=-hand modules_prepare
	step wireguard "${m[@]}" M=drivers/net/wireguard CONFIG_WIREGUARD=m modules
	step crypto "${m[@]}" M=lib/crypto CONFIG_CRYPTO_LIB_CURVE25519=m CONFIG_CRYPTO_LIB_CURVE25519_GENERIC=m \
		CONFIG_CRYPTO_LIB_BLAKE2S=m CONFIG_CRYPTO_LIB_BLAKE2S_GENERIC=m CONFIG_CRYPTO_LIB_CHACHA20POLY1305=m modules
}

case $1 in
bare) bare ;;
hand) hand "$2" ;;
esac
