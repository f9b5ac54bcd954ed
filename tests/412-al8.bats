#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The family rpm from end to end, on the distribution that stands for Alibaba Cloud Linux 3: its
# registry and mirror, lock, fetch, image, build, and what the closure says of each of its kernels.

load lib/helpers
load lib/servers
load lib/al8

setup_file() { al8_setup; }
teardown_file() { servers_stop; }
setup() { export TARGET_DIR=$AL8_TARGETS; }

# built RELEASE: the modules that were delivered.
built() { (cd "$OUT/$1/modules/kernel" && find . -name '*.ko' -printf '%f\n' | sed 's/\.ko$//' | sort | paste -sd ' '); }

@test "make lock pins the image, each package and the source, and again it is the same" {
	local lock=$TARGET_DIR/standin-9.lock
	rm -f "$lock"
	al8 0 lock standin-9
	cp "$lock" "$BATS_TEST_TMPDIR/first"
	assert_equal "$(grep -c '^base ' "$lock")" 1
	grep -E '^toolchain [0-9a-f]{64} Packages/kernel-devel-5.10.223-9.al8.x86_64.rpm$' "$lock"
	grep -E '^toolchain [0-9a-f]{64} Packages/g/gcc-10.2.1-1.al8.x86_64.rpm$' "$lock"
	grep -E '^source [0-9a-f]{64} http://.*/linux-5.10.223.tar.xz$' "$lock"
	grep -E '^vm [0-9a-f]{64} Packages/kernel-core-5.10.223-9.al8.x86_64.rpm$' "$lock"
	al8 0 lock standin-9
	assert_line 'standin-9.lock is up to date'
	cmp "$lock" "$BATS_TEST_TMPDIR/first"
}

@test "fetch, image and build make the four modules that a kernel from 5.10.119 on lacks" {
	al8_lock standin-9
	al8 0 fetch standin-9
	al8 0 artifacts standin-9
	assert_line '^(build|proof) '
	assert_equal "$(built 5.10.223-9.al8.x86_64)" 'curve25519-x86_64 libchacha20poly1305 libcurve25519-generic wireguard'
	run_cmd 0 modprobe --dump-modversions "$OUT/5.10.223-9.al8.x86_64/modules/kernel/drivers/net/wireguard/wireguard.ko"
	assert_line '^0x[0-9a-f]{8}[[:space:]]+module_layout$'
	al8 0 explain standin-9
	assert_line '^CRYPTO_BLAKE2S_X86 +n +m +left out: CRYPTO_ARCH_HAVE_LIB_BLAKE2S would have to be y'
	assert_line '^CRYPTO_CHACHA20_X86_64 +m +m +not built: the kernel has it \(arch/x86/crypto/chacha-x86_64.ko\)'
	assert_line '^NET_UDP_TUNNEL +m +m +not built: the kernel has it \(net/ipv4/udp_tunnel.ko\)'
}

@test "a kernel before 5.10.119 gets blake2s and its accelerated module too: seven" {
	al8_lock standin-8
	al8 0 artifacts standin-8
	assert_equal "$(built 5.10.223-8.al8.x86_64)" \
		'blake2s-x86_64 curve25519-x86_64 libblake2s libblake2s-generic libchacha20poly1305 libcurve25519-generic wireguard'
	al8 0 explain standin-8
	assert_line '^CRYPTO_LIB_BLAKE2S +n +m +built: lib/crypto/libblake2s.ko; selected by WIREGUARD$'
}

@test "a kernel that lacks what must be y is refused, with the symbol" {
	al8_lock standin-7
	al8 2 explain standin-7
	assert_line '5.10.223-7.al8.x86_64 is refused: WireGuard needs CONFIG_DST_CACHE=y, which cannot be added to a running kernel$'
	assert_absent "$OUT/5.10.223-7.al8.x86_64"
}
