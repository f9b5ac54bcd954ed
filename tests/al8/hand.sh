#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: hand.sh RELEASE
#
# The procedure that people follow by hand, step by step, in a container with the compiler: /hand
# holds linux.tar.xz (the vanilla source; and before.tar.xz, what stands in place of its files for a
# kernel before 5.10.119) and config, the kernel's.  What they then copy into /lib/modules goes to
# /hand/modules.

set -euo pipefail
umask 022
export LC_ALL=C
release=$1
make=(make -s "-j$(nproc)" CC=gcc-10 HOSTCC=gcc-10 KBUILD_MODPOST_WARN=1 "LOCALVERSION=-${release#*-}")

mkdir /build/linux
tar -xJf /hand/linux.tar.xz -C /build/linux --strip-components=1
[[ ! -f /hand/before.tar.xz ]] || tar -xJf /hand/before.tar.xz -C /build/linux --strip-components=1
cd /build/linux
cp /hand/config .config
"${make[@]}" modules_prepare
"${make[@]}" M=drivers/net/wireguard CONFIG_WIREGUARD=m modules
"${make[@]}" M=lib/crypto CONFIG_CRYPTO_LIB_CURVE25519=m CONFIG_CRYPTO_LIB_CURVE25519_GENERIC=m \
	CONFIG_CRYPTO_LIB_BLAKE2S=m CONFIG_CRYPTO_LIB_BLAKE2S_GENERIC=m CONFIG_CRYPTO_LIB_CHACHA20POLY1305=m modules
mkdir -p /hand/modules/kernel/{drivers/net/wireguard,lib/crypto}
cp drivers/net/wireguard/wireguard.ko /hand/modules/kernel/drivers/net/wireguard/
for name in libblake2s libblake2s-generic libchacha20poly1305 libcurve25519-generic; do
	[[ ! -f lib/crypto/$name.ko ]] || cp "lib/crypto/$name.ko" /hand/modules/kernel/lib/crypto/
done
