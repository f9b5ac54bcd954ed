#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The closure, computed in the real builder on configurations made for these tests.

load lib/helpers
load lib/builder

setup_file() { builder_setup; }

# after LINE: Print the lines of output after LINE.
after() { sed -n "/^$1\$/,\$p" <<<"$output" | tail -n +2; }

# A symbol that would have to become y.
cannot='which cannot be added to a running kernel'

@test "a kernel like Alibaba Cloud Linux 3's from 5.10.119 on: four modules, blake2s-x86_64 left out" {
	full_only
	in_builder 0 '
		closure wireguard libchacha20poly1305 libcurve25519 libcurve25519-generic curve25519-x86_64 \
			curve25519-generic blake2s-x86_64
		delivered=$(build)
		echo delivered:; echo "$delivered"'
	by='selected by WIREGUARD \(if X86 && 64BIT\)$'
	assert_line "^CRYPTO_BLAKE2S_X86 +n +m +left out: CRYPTO_ARCH_HAVE_LIB_BLAKE2S would have to be y, $cannot; $by"
	assert_line "^CRYPTO_CHACHA20_X86_64 +m +m +not built: the kernel has it \(arch/x86/crypto/chacha-x86_64.ko\); $by"
	assert_line '^WIREGUARD +n +m +built: drivers/net/wireguard/wireguard.ko; asked for$'
	assert_equal "$(after delivered:)" "$(printf '%s\n' arch/x86/crypto/curve25519-x86_64 \
		drivers/net/wireguard/wireguard lib/crypto/libchacha20poly1305 lib/crypto/libcurve25519-generic)"
}

# Before 5.10.119 blake2s was tristate, in modules of its own, like the other libraries.
before_5_10_119='
	edit_source "/^config CRYPTO_ARCH_HAVE_LIB_BLAKE2S/,/help/s/bool/tristate/" lib/crypto/Kconfig
	edit_source "/^config CRYPTO_LIB_BLAKE2S_GENERIC/,/help/s/def_bool.*/tristate/" lib/crypto/Kconfig
	edit_source "/^config CRYPTO_ARCH_HAVE_LIB_CHACHA/i\
config CRYPTO_LIB_BLAKE2S\n\
	tristate\n\
	depends on CRYPTO_ARCH_HAVE_LIB_BLAKE2S || !CRYPTO_ARCH_HAVE_LIB_BLAKE2S\n\
	select CRYPTO_LIB_BLAKE2S_GENERIC if CRYPTO_ARCH_HAVE_LIB_BLAKE2S=n\n" lib/crypto/Kconfig
	edit_source "s/^\tselect CRYPTO_LIB_CHACHA20POLY1305/&\n\tselect CRYPTO_LIB_BLAKE2S/" drivers/net/Kconfig
	edit_source "s/^obj-y\(.*libblake2s.o\)/obj-\$(CONFIG_CRYPTO_LIB_BLAKE2S)\1/" lib/crypto/Makefile
	edit_source "/libblake2s.o\$/a obj-\$(CONFIG_CRYPTO_LIB_BLAKE2S_GENERIC) += libblake2s-generic.o" lib/crypto/Makefile
	sed -i "/CONFIG_CRYPTO_\(ARCH_HAVE_\)\?LIB_BLAKE2S\(_GENERIC\)\?[= ]/d" $devel/.config
	printf "CONFIG_CRYPTO_%s=m\n" LIB_BLAKE2S ARCH_HAVE_LIB_BLAKE2S LIB_BLAKE2S_GENERIC >>$devel/.config'

@test "a kernel like Alibaba Cloud Linux 3's before 5.10.119: blake2s and its accelerated module too" {
	full_only
	in_builder 0 "$before_5_10_119"'
		closure wireguard libchacha20poly1305 libcurve25519 libcurve25519-generic curve25519-x86_64 \
			curve25519-generic blake2s-x86_64 libblake2s libblake2s-generic blake2s_generic
		echo built:; cat /kernel/modules'
	assert_line '^CRYPTO_LIB_BLAKE2S +n +m +built: lib/crypto/libblake2s.ko; selected by WIREGUARD$'
	assert_line '^CRYPTO_LIB_BLAKE2S_GENERIC +n +m +built: lib/crypto/libblake2s-generic.ko; .* by .*CRYPTO_LIB_BLAKE2S'
	assert_equal "$(after built: | grep -v '/libcurve25519$')" "$(printf '%s\n' \
		arch/x86/crypto/blake2s-x86_64 arch/x86/crypto/curve25519-x86_64 drivers/net/wireguard/wireguard \
		lib/crypto/libblake2s lib/crypto/libblake2s-generic lib/crypto/libchacha20poly1305 \
		lib/crypto/libcurve25519-generic)"
}

@test "a kernel is refused if a symbol that WireGuard cannot do without would have to be y" {
	full_only
	in_builder 1 '
		edit_source "s/^config WIREGUARD\$/config PADATA_LIKE\n\tbool\n\n&/" drivers/net/Kconfig
		edit_source "s/^\tselect DST_CACHE/&\n\tselect PADATA_LIKE/" drivers/net/Kconfig
		closure wireguard'
	assert_line "5.10.0-32-amd64 is refused: WireGuard needs CONFIG_PADATA_LIKE=y, $cannot$"
}

@test "a kernel without IPv4 networking cannot have WireGuard, and the dependency is named" {
	in_builder 1 '
		edit_source "s/^\tdepends on NET && INET\$/\tdepends on NET \&\& INET \&\& NO_SUCH/" drivers/net/Kconfig
		closure wireguard'
	assert_line 'cannot have WireGuard as a module: depends on NET && INET && NO_SUCH'
}

@test "a kernel that has WireGuard is refused" {
	in_builder 1 closure
	assert_line '5.10.0-32-amd64 has WireGuard already \(CONFIG_WIREGUARD is set\)$'
}

@test "HIDE of a module that no Makefile makes, or that another module needs, is refused" {
	in_builder 1 'closure wireguard libnothing'
	assert_line "HIDE names 'libnothing', but no Makefile of its source makes that module$"
	in_builder 1 'closure wireguard libchacha'
	assert_line 'HIDE wants CONFIG_CRYPTO_LIB_CHACHA_GENERIC off, but it stays; it is selected by .*CRYPTO_CHACHA20'
}

@test "another compiler than the kernel's is refused with both versions, in the image and in the build" {
	in_builder 1 '
		sed -i "s/^CONFIG_CC_VERSION_TEXT=.*/CONFIG_CC_VERSION_TEXT=\"gcc-10 (Other 1) 10.2.1 20200825\"/" $devel/.config
		closure wireguard'
	assert_line "the kernel was made by 'gcc-10 \(Other 1\) 10.2.1 20200825', but the compiler here is 'gcc-10 \(Debian "
	in_builder 1 '
		closure wireguard >/dev/null
		sed -i "s/^CONFIG_CC_VERSION_TEXT=.*/CONFIG_CC_VERSION_TEXT=\"gcc-10 (Other 1) 10.2.1 20200825\"/" $devel/.config
		build'
	assert_line "the kernel was made by 'gcc-10 \(Other 1\) 10.2.1 20200825', but the compiler here is 'gcc-10 \(Debian "
}

@test "a source of another version than the kernel's is refused" {
	in_builder 1 '
		edit_source "s/^SUBLEVEL = .*/SUBLEVEL = 218/" Makefile
		closure wireguard'
	assert_line 'is a 5.10.223, but the source is of 5.10.218$'
}

@test "a kernel-devel without Module.symvers is refused, in the image and in the build" {
	in_builder 1 '
		rm $devel/Module.symvers
		closure wireguard'
	assert_line "there is no '.*/Module.symvers': without it modules carry no symbol versions$"
	in_builder 1 '
		closure wireguard >/dev/null
		rm $devel/Module.symvers
		build'
	assert_line "Module.symvers': without it modules carry no symbol versions$"
}

@test "the build tree of another release is refused" {
	in_builder 1 '
		sed -i "s/5.10.0-32/5.10.0-31/" $devel/include/generated/utsrelease.h
		closure wireguard'
	assert_line 'is the build tree of 5.10.0-31-amd64, not of 5.10.0-32-amd64$'
}

@test "a symbol that no provider has stops the build" {
	in_builder 1 '
		closure wireguard >/dev/null
		sed -i "/\tdst_cache_get_ip4\t/d" $devel/Module.symvers
		build'
	assert_line 'dst_cache_get_ip4'
}

@test "a warning of modpost stops the build" {
	full_only
	in_builder 1 '
		edit_source "" Makefile
		closure wireguard >/dev/null
		sed -i "/MODULE_LICENSE/d" /kernel/slice/drivers/net/wireguard/main.c
		build'
	assert_line 'wgkmod: kbuild warned: WARNING|missing MODULE_LICENSE'
}

@test "a symbol that is y by default refuses the kernel, without a loop" {
	full_only
	in_builder 1 '
		edit_source "s/^config WIREGUARD\$/config DEFAULT_LIKE\n\tbool\n\tdefault WIREGUARD != n\n\n&/" drivers/net/Kconfig
		edit_source "s/^\tselect DST_CACHE/&\n\tselect DEFAULT_LIKE if X86/" drivers/net/Kconfig
		closure wireguard'
	assert_line "refused: WireGuard needs CONFIG_DEFAULT_LIKE=y, $cannot$"
}

# A symbol that WIREGUARD=m turns to y; each test adds a reader of it.
flag='echo CONFIG_WG_FLAG=y >>$devel/.config
	edit_source "s/^config WIREGUARD\$/config WG_FLAG\n\tbool\n\tdefault WIREGUARD != n\n\n&/" drivers/net/Kconfig'
accepted='^WG_FLAG +n +y +set: it says how the others are built, and has no module of its own; by its default$'
refused="refused: WireGuard needs CONFIG_WG_FLAG=y, $cannot$"

@test "a symbol that becomes y and only changes built modules is set, and they are built with it" {
	in_builder 0 "$flag"'
		wg=drivers/net/wireguard
		edit_source "\$ a ifeq (\$(CONFIG_WG_FLAG),y)\nCFLAGS_main.o += -DWG_FLAGGED" $wg/Makefile
		edit_source "\$ a wireguard-y += flagged.o\nendif" $wg/Makefile
		cp /build/tree/linux-source-5.10/$wg/{version.h,flagged.c}
		edit_source "1i #ifndef WG_FLAGGED\n#error CONFIG_WG_FLAG did not reach make\n#endif" $wg/main.c
		edit_source "1i #ifndef CONFIG_WG_FLAG\n#error CONFIG_WG_FLAG did not reach C\n#endif" $wg/main.c
		closure wireguard
		build >/dev/null'
	assert_line "$accepted"
}

@test "a symbol that becomes y and that headers read only in expressions is set" {
	full_only
	in_builder 0 "$flag"'
		edit_source "\$ a static inline int wg_flag(void) { return IS_ENABLED(CONFIG_WG_FLAG); }" \
			drivers/net/wireguard/queueing.h
		closure wireguard'
	assert_line "$accepted"
}

@test "a symbol that becomes y and that a header's #if, or the kernel's own code (FULL=1: Makefile) reads is refused" {
	in_builder 1 "$flag"'
		edit_source "\$ a #ifdef CONFIG_WG_FLAG\n#endif" drivers/net/wireguard/queueing.h
		closure wireguard'
	assert_line "$refused"
	in_builder 1 "$flag"'
		edit_source "\$ a static int flag = IS_ENABLED(CONFIG_WG_FLAG);" lib/crypto/blake2s.c
		closure wireguard'
	assert_line "$refused"
	[[ -n ${FULL:-} ]] || return 0
	in_builder 1 "$flag"'
		edit_source "\$ a ifeq (\$(CONFIG_WG_FLAG),y)\nobj-y += flagged.o\nendif" lib/crypto/Makefile
		closure wireguard'
	assert_line "$refused"
}

@test "the refusal of HIDE names the other modules to hide" {
	in_builder 1 'closure wireguard libchacha chacha-x86_64 chacha_generic'
	assert_line 'HIDE wants .* off, but it stays; it is selected by .*CRYPTO_ADIANTUM \(crypto/adiantum\)'
}
