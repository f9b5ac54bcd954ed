#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The distribution's real configuration under Kconfig files of the same series: what the closure makes of
# it, and what it says of a source that is not the kernel's.

load lib/helpers
load lib/builder

# The whole configuration as before WireGuard was shipped, where it lies beside the repository; else its
# few lines that decide, on top of the builder's own.
CONFIG=$ROOT_DIR/../shared/configs/al8-before-134-13.derived.config
# The file that a host of the distribution had, with WireGuard.
VERBATIM=$ROOT_DIR/../shared/configs/al8-5.10.134-16.1.x86_64.config

setup_file() {
	builder_setup
	cp "$ROOT_DIR/tests/al8/real.config" "$BATS_FILE_TMPDIR/fixtures/lines"
	if [[ -f $CONFIG ]]; then cp "$CONFIG" "$BATS_FILE_TMPDIR/fixtures/whole"; fi
	if [[ -f $VERBATIM ]]; then cp "$VERBATIM" "$BATS_FILE_TMPDIR/fixtures/verbatim"; fi
}

# What stands in the builder in place of the kernel's configuration.  From 5.10.119 on, of which the builder's
# Kconfig files are, blake2s is in the kernel.
real='
	text=$(grep ^CONFIG_CC_VERSION_TEXT= $devel/.config)
	if [[ -f /fixtures/whole ]]; then
		sed "s/^CONFIG_CC_VERSION_TEXT=.*/$text/" /fixtures/whole >/build/config
	else
		cat $devel/.config /fixtures/lines >/build/config
	fi
	echo CONFIG_CRYPTO_LIB_BLAKE2S_GENERIC=y >>/build/config
	cp /build/config $devel/.config
'

# The hidden symbols that are built, as arguments of closure.
hidden='wireguard libchacha20poly1305 libcurve25519 libcurve25519-generic curve25519-x86_64 curve25519-generic'

@test "the lines of real.config are those of the real configuration" {
	[[ -f $CONFIG ]] || return 0
	run_cmd 0 grep -vxFf "$CONFIG" "$ROOT_DIR/tests/al8/real.config"
	refute_line CONFIG_
	assert "$(grep -c CONFIG_ "$ROOT_DIR/tests/al8/real.config")" -gt 80
}

@test "the closure on the real configuration: four modules, blake2s-x86_64 left out" {
	local libs='lib/crypto/libchacha20poly1305 lib/crypto/libcurve25519-generic'
	in_builder 0 "$real"'closure; echo built:; cat /kernel/modules'
	assert_line '^WIREGUARD +n +m +built: drivers/net/wireguard/wireguard.ko; asked for$'
	assert_equal "$(sed -n '/^built:$/,$p' <<<"$output" | grep -v '/libcurve25519$' | paste -sd ' ')" \
		"built: arch/x86/crypto/curve25519-x86_64 drivers/net/wireguard/wireguard $libs"
	assert_line '^CRYPTO_BLAKE2S_X86 +n +m +left out: CRYPTO_ARCH_HAVE_LIB_BLAKE2S would have to be y, which cannot be' \
		'added to a running kernel'
	assert_line '^# Of its other symbols the source has [0-9]+ otherwise: '
}

@test "the configuration of a later kernel, as it is: it has WireGuard; with that hidden, the same four modules" {
	local libs='lib/crypto/libchacha20poly1305 lib/crypto/libcurve25519-generic' verbatim
	verbatim='text=$(grep ^CONFIG_CC_VERSION_TEXT= $devel/.config)
		sed "s/^CONFIG_CC_VERSION_TEXT=.*/$text/" /fixtures/verbatim >/build/config
		cp /build/config $devel/.config
	'
	[[ -f $VERBATIM ]] || return 0
	in_builder 1 "$verbatim"'closure'
	assert_line '^wgkmod: 5.10.0-32-amd64 has WireGuard already \(CONFIG_WIREGUARD is set\)$'
	in_builder 0 "$verbatim"'closure wireguard libchacha20poly1305 libcurve25519 libcurve25519-generic curve25519-x86_64
		echo built:; cat /kernel/modules'
	assert_equal "$(sed -n '/^built:$/,$p' <<<"$output" | grep -v '/libcurve25519$' | paste -sd ' ')" \
		"built: arch/x86/crypto/curve25519-x86_64 drivers/net/wireguard/wireguard $libs"
}

@test "a source whose Kconfig gives a symbol of the closure another value is refused" {
	in_builder 1 "$real"'sed -i "/^CONFIG_CRYPTO_LIB_BLAKE2S_GENERIC=/d" $devel/.config; closure'
	assert_line '^wgkmod: 5.10.0-32-amd64 has CONFIG_CRYPTO_LIB_BLAKE2S_GENERIC=n, but Kconfig of the source makes it' \
		'y: the source is not that of this kernel \([0-9]+ symbols differ\)$'
}

@test "the kernel's own source reproduces its configuration, and no warning is printed" {
	in_builder 0 "closure $hidden"
	refute_line 'the source has [0-9]+ otherwise'
}

# ---- kbuild's warnings -----------------------------------------------------------------

@test "a section mismatch in our modules stops the build, in full or (FULL=1) as a count" {
	local full modes=('echo CONFIG_DEBUG_SECTION_MISMATCH=y | tee -a $devel/.config >>$devel/include/config/auto.conf;')
	[[ -z ${FULL:-} ]] || modes+=('')
	for full in "${modes[@]}"; do
		in_builder 1 "$full"'
			early="static noinline int __init al8_early(void) { return get_random_u32(); }"
			late="int al8_late(void);\nint noinline al8_late(void) { return al8_early(); }"
			edit_source "s/^MODULE_LICENSE/$early\n$late\n&/" drivers/net/wireguard/main.c
			closure '"$hidden"'; build'
		assert_line '^wgkmod: kbuild warned: WARNING: modpost: .*[Ss]ection mismatch'
	done
}

@test "a harmless warning is shown, and the modules are built" {
	in_builder 0 '
		edit_source "s/^MODULE_LICENSE/#warning nothing to see here\n&/" drivers/net/wireguard/main.c
		closure '"$hidden"'; build'
	assert_line '^wgkmod: kbuild warned, but the modules still fit: .*warning: #warning nothing to see here'
	assert_line '^drivers/net/wireguard/wireguard$'
}

@test "without a compiler's stand-in named, another text of it is refused; with it both texts are in explain.txt" {
	local own='gcc-10 (Debian 10.2.1-6) 10.2.1 20210110'
	in_builder 1 'sed -i "s/(Debian 10.2.1-6)/(Debian 10.2.1-5)/" $devel/.config; closure wireguard'
	assert_line "the kernel was made by 'gcc-10 \(Debian 10.2.1-5\) 10.2.1 20210110', but the compiler here is 'gcc-10" \
		"\(Debian 10.2.1-6\) 10.2.1 20210110': they differ in the package revision \(10.2.1-5 there, 10.2.1-6 here\); .*" \
		"COMPILER = gcc-10 \(Debian 10.2.1-6\) 10.2.1 20210110$"
	in_builder 0 'sed -i "s/(Debian 10.2.1-6)/(Debian 10.2.1-5)/" $devel/.config
		COMPILER="'"$own"'" closure '"$hidden"'; cat /kernel/stands-in'
	assert_line "^# Kernel made by: gcc-10 \(Debian 10.2.1-5\) 10.2.1 20210110$"
	assert_line "^# Modules made by: gcc-10 \(Debian 10.2.1-6\) 10.2.1 20210110$"
	in_builder 1 'sed -i "s/20210110/20200825/" $devel/.config; COMPILER="'"$own"'" closure wireguard'
	assert_line 'they differ in the snapshot \(20200825 there, 20210110 here\); a compiler of another version or' \
		'snapshot may not stand in'
}
