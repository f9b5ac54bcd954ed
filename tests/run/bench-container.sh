#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bench-container.sh bare | hand RELEASE
#
# Measure inside the builder, for bench.sh.  bare: build, and print the seconds of CPU that compiler and
# assembler took, and the number of their runs.  hand: follow the usual procedure by hand, with the source
# ready, and print "STEP SECONDS" lines.

set -euo pipefail
export LC_ALL=C
cc=$(cat /kernel/cc)

# bare: Print the CPU time of all runs of the compiler for a source file; the assembler is its child.  Kbuild's
# tests of the compiler, on /dev/null or a pipe, do not count.
bare() {
	mkdir /build/bin
	cat >"/build/bin/$cc" <<-EOF
		#!/bin/bash
		case " \$* " in *' /dev/null '* | *' - '* | *' --version '*) exec $(command -v "$cc") "\$@" ;; esac
		exec 3>&2
		TIMEFORMAT='%3U %3S'
		{ time $(command -v "$cc") "\$@" 2>&3 3>&-; } 2>>/build/times
	EOF
	chmod +x "/build/bin/$cc"
	sed 's,^export HOME=\$build PATH=,&/build/bin:,' /wgkmod/build.sh >/build/build.sh
	if cmp -s /wgkmod/build.sh /build/build.sh; then
		printf 'bench: build.sh does not set PATH where this script looks for it\n' >&2
		exit 1
	fi
	bash /build/build.sh >/build/made.tar
	awk '{ s += $1 + $2 } END { printf "%.2f %d\n", s, NR }' /build/times
}

# step NAME COMMAND...: Run the command and print NAME and its seconds.
step() {
	local name=$1 start=$EPOCHREALTIME
	shift
	"$@" >&2
	awk -v n="$name" -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%s %.2f\n", n, b - a }'
}

unpack() { tar -xJf /build/linux.tar.xz -C /build/linux --strip-components=1; }

# hand RELEASE: Build WireGuard and its crypto modules as people do without wgkmod.
hand() {
	local release=$1 m=(make -s -j"$(nproc)" CC="$cc" HOSTCC="$cc" KBUILD_MODPOST_WARN=1)
	mkdir /build/linux
	dpkg-deb --fsys-tarfile /bench/source/*.deb |
		tar -xO --wildcards './usr/src/linux-source-*.tar.xz' >/build/linux.tar.xz
	step unpack unpack
	cd /build/linux
	# BTF would need python3 and pahole; it does not change modules in 5.10.
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
