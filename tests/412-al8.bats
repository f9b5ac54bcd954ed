#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The family rpm from end to end, on the distribution that stands for Alibaba Cloud Linux 3: its
# registry and mirror, lock, fetch, image, build, and what the closure says of each of its kernels.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/servers
load lib/al8

setup_file() { al8_setup; }
teardown_file() { servers_stop; }
setup() { export TARGET_DIR=$AL8_TARGETS; }

# built RELEASE: the modules that were delivered.
built() { find "$OUT/$1/modules/kernel" -name '*.ko' -printf '%f\n' | sed 's/\.ko$//' | sort | paste -sd ' '; }

# config_of N: Print the configuration of the stand-in's kernel N.
config_of() { tar -xOf "$AL8_KERNELS/5.10.223-$1/devel.tar" "usr/src/kernels/5.10.223-$1.al8.x86_64/.config"; }

# set_by FILE: Print the lines of a configuration for what it sets outside of drivers and file systems.
set_by() {
	awk '/^# (Device Drivers|File systems)$/ { skip = 1 }
		/^# end of (Device Drivers|File systems)$/ { skip = 0 }
		!skip && /^CONFIG_/' "$1"
}

@test "the kernels have each line of real.config, and a third of what the real one sets outside of drivers" {
	local taken=$ROOT_DIR/tests/al8/real.config real=$ROOT_DIR/../shared/configs/al8-before-134-13.derived.config
	local number config same all
	sed -n 's/^# \(CONFIG_[A-Z0-9_]*\) is not set$/^\1=/p' "$taken" >"$BATS_TEST_TMPDIR/off"
	for number in 9 8; do
		config=$BATS_TEST_TMPDIR/$number
		config_of "$number" >"$config"
		assert_equal "$(grep '^CONFIG_' "$taken" | grep -vxFf "$config")" ''
		assert_equal "$(grep -f "$BATS_TEST_TMPDIR/off" "$config")" ''
	done
	[[ -f $real ]] || {
		printf '# the real configuration is not beside the repository: it was not compared\n' >&3
		return 0
	}
	set_by "$real" >"$BATS_TEST_TMPDIR/real"
	all=$(wc -l <"$BATS_TEST_TMPDIR/real")
	same=$(grep -cxFf "$BATS_TEST_TMPDIR/real" "$BATS_TEST_TMPDIR/9")
	printf '# %d of %d symbols that the real configuration sets outside of drivers and file systems\n' "$same" "$all" >&3
	assert "$same" -ge 625
}

@test "make lock pins the image, each package and the source, and a second run gives the same lock" {
	local lock=$TARGET_DIR/standin-9.lock
	rm -f "$lock"
	al8 0 lock standin-9
	cp "$lock" "$BATS_TEST_TMPDIR/first"
	assert_equal "$(grep -c '^base ' "$lock")" 1
	grep -E '^toolchain [0-9a-f]{64} Packages/kernel-devel-5.10.223-9.al8.x86_64.rpm$' "$lock"
	assert_line "the kernel was made by 'gcc \(GCC\) 10.2.1 20200825 \(Alibaba 10.2.1-3 2.32\)'$"
	assert_line "the compiler is gcc-10.2.1-3.1.al8.x86_64: 'gcc \(GCC\) 10.2.1 20200825 \(Alibaba 10.2.1-3 2.32\)'," \
		"the kernel's$"
	# of the repositories' two the older, with what is of its version; the image has a newer libgomp
	grep -E '^toolchain [0-9a-f]{64} Packages/g/gcc-10.2.1-3.1.al8.x86_64.rpm$' "$lock"
	grep -E '^toolchain [0-9a-f]{64} Packages/cpp-10.2.1-3.1.al8.x86_64.rpm$' "$lock"
	grep -E '^toolchain [0-9a-f]{64} Packages/libgomp-10.2.1-3.1.al8.x86_64.rpm$' "$lock"
	# the image has a newer one that does not go with xz-devel, and an older one of openssl-libs
	grep -E '^toolchain [0-9a-f]{64} Packages/xz-libs-8-1.al8.x86_64.rpm$' "$lock"
	grep -E '^toolchain [0-9a-f]{64} Packages/openssl-libs-8-1.al8.x86_64.rpm$' "$lock"
	# a module's stream that nobody turned on has a newer one
	grep -E '^toolchain [0-9a-f]{64} Packages/make-4.3-1.al8.x86_64.rpm$' "$lock"
	assert_equal "$(grep -c firmware "$lock")" 0
	grep -E '^source [0-9a-f]{64} http://.*/linux-5.10.223.tar.xz$' "$lock"
	grep -E '^vm [0-9a-f]{64} Packages/kernel-core-5.10.223-9.al8.x86_64.rpm$' "$lock"
	assert_line 'the key [0-9A-F]{40} of wgkmod stand-in; compare it'
	assert_line 'the repository http://.*/updates/x86_64 has [0-9]+ packages, [0-9.]+ M$'
	assert_line 'the image 127.0.0.1:[0-9]+/alinux3/alinux3:3.9.1 is sha256:[0-9a-f]{64}$'
	al8 0 lock standin-9
	assert_line 'standin-9.lock is up to date'
	cmp "$lock" "$BATS_TEST_TMPDIR/first"
}

@test "after make lock, make artifacts needs no network" {
	al8_lock standin-9
	cp -r "$TARGET_DIR" "$BATS_TEST_TMPDIR/targets"
	rm "$BATS_TEST_TMPDIR"/targets/*.lock
	export TARGET_DIR=$BATS_TEST_TMPDIR/targets CACHE=$BATS_TEST_TMPDIR/cache
	al8 0 lock standin-9
	TIMEOUT=900 run_cmd 0 unshare --net "$ROOT_DIR/scripts/fetch.sh" standin-9
	assert_line "^fetch +$(grep -vc '^#' "$TARGET_DIR/standin-9.lock") inputs are in the cache"
	OUT=$BATS_TEST_TMPDIR/out TIMEOUT=900 run_cmd 0 unshare --net make -C "$ROOT_DIR" \
		--no-print-directory artifacts TARGET=standin-9
	assert_line '^build +4 modules in '
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

@test "a kernel-devel that no metadata list is found below a repository" {
	full_only
	rm -f "$TARGET_DIR/standin-7.lock"
	al8 0 lock standin-7
	assert_line 'kernel-devel-5.10.223-7.al8.x86_64 of http://.*/plus/x86_64/Packages$'
	grep -E '^toolchain [0-9a-f]{64} Packages/kernel-devel-5.10.223-7.al8.x86_64.rpm$' "$TARGET_DIR/standin-7.lock"
}

@test "a kernel that lacks what must be y is refused, with the symbol" {
	al8_lock standin-7
	al8 2 explain standin-7
	assert_line '5.10.223-7.al8.x86_64 is refused: WireGuard needs CONFIG_DST_CACHE=y, which cannot be added to a' \
		'running kernel$'
	assert_absent "$OUT/5.10.223-7.al8.x86_64"
}

# of_updates WORDS: a directory of targets in BATS_TEST_TMPDIR, in which standin-9 has the repositories of
# updates alone for its compiler, and the lines of WORDS.
of_updates() {
	local www=$BATS_TEST_TMPDIR/www
	cp -a "$AL8_MIRROR/www" "$www"
	rm "$www"/alinux/3/os/x86_64/Packages/g/gcc-10.2.1-3.1.al8.x86_64.rpm
	run_cmd 0 createrepo_c --quiet --update "$www/alinux/3/os/x86_64"
	http_start_anywhere "$www"
	export TARGET_DIR=$BATS_TEST_TMPDIR/targets
	al8_targets "$TARGET_DIR" "$PORT"
	printf '%s\n' "$1" >>"$TARGET_DIR/standin-9"
}

@test "COMPILER lets another build of the compiler stand in, and both texts are recorded" {
	full_only
	local release=5.10.223-9.al8.x86_64 kernel='gcc (GCC) 10.2.1 20200825 (Alibaba 10.2.1-3 2.32)'
	local other='gcc (GCC) 10.2.1 20200825 (Alibaba 10.2.1-3.9 2.32)' dir=$BATS_TEST_TMPDIR/out
	of_updates "COMPILER = $other"
	al8 0 lock standin-9
	assert_line "the compiler is gcc-10.2.1-3.9.al8.x86_64: '.*', which stands in for '.*-3 2.32\)'$"
	OUT=$dir al8 0 artifacts standin-9
	assert_line "^build +4 modules in .*, compiled by 'gcc \(GCC\) 10.2.1 20200825 \(Alibaba 10.2.1-3.9 2.32\)', which" \
		"stands in for 'gcc \(GCC\) 10.2.1 20200825 \(Alibaba 10.2.1-3 2.32\)'"
	grep -qxF "# Kernel made by: $kernel" "$dir/$release/explain.txt"
	grep -qxF "# Modules made by: $other" "$dir/$release/explain.txt"
	run_cmd 0 jq --compact-output '.predicate.buildDefinition.internalParameters.compilers' "$dir/$release/provenance.json"
	assert_equal "$output" "{\"kernel\":\"$kernel\",\"modules\":\"$other\"}"
	run_cmd 0 jq --raw-output '.predicate.buildDefinition.internalParameters.target.COMPILER' \
		"$dir/$release/provenance.json"
	assert_equal "$output" "$other"
	# without the key, what the lock has is refused by the image too
	sed -i '/^COMPILER/d' "$TARGET_DIR/standin-9"
	OUT=$dir al8 2 explain standin-9
	assert_line 'they differ in the package revision \(10.2.1-3 there, 10.2.1-3.9 here\); .* add this line to the' \
		'target: COMPILER = gcc '
}

@test "a compiler of another snapshot may not stand in" {
	full_only
	of_updates 'COMPILER = gcc (GCC) 10.2.1 20210110 (Alibaba 10.2.1-3.9 2.32)'
	al8 2 lock standin-9
	assert_line '^wgkmod: COMPILER of the target may not stand in: .*: they differ in the snapshot \(20200825 there,' \
		'20210110 here\), package revision .*; a compiler of another version or snapshot may not stand in'
}

@test "without the kernel image for the VM, the lock is complete for the build, and says so" {
	export TARGET_DIR=$BATS_TEST_TMPDIR/targets
	al8_targets "$TARGET_DIR" "$MIRROR_PORT"
	sed -i 's/^VM  .*/VM = kmod no-such-package/' "$TARGET_DIR/standin-9"
	al8 0 lock standin-9
	assert_line '^lock +the lock is complete for the build, but without what only the VM boots: the packages of the' \
		'stage vm cannot be had: no repository has no-such-package: '
	assert_equal "$(cut -d ' ' -f 1 "$TARGET_DIR/standin-9.lock" | sort -u | paste -sd ' ')" '# base source toolchain'
	OUT=$BATS_TEST_TMPDIR/out al8 0 fetch standin-9
}
