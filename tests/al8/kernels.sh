#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: kernels.sh
#
# Compiles the stand-in's kernels.  Runs in a container that has the compiler, as /al8/kernels.sh;
# /kernels holds linux.tar.xz and al8.pem (the key that signs modules, and its certificate), and gets:
#
#	5.10.223-9  core.tar devel.tar          WireGuard and the libraries that al8 lacks left out
#	5.10.223-8  core.tar devel.tar          as before 5.10.119: blake2s is a library, not exported by
#	                                        the kernel; takes modules without symbol versions; one
#	                                        field more in udp_tunnel_sock_cfg
#	            other-devel.tar             the same without the last two
#	            linux.tar.xz                of its source, what a build of WireGuard reads
#	5.10.223-7  devel.tar                   without DST_CACHE, which cannot be a module
#
# The four come out of one object tree, changed in place, so that each takes little more than a link.

set -euo pipefail
umask 022
export LC_ALL=C TZ=UTC
export KBUILD_BUILD_USER=al8 KBUILD_BUILD_HOST=al8 KBUILD_BUILD_TIMESTAMP='2024-08-10 00:00:00 UTC'

tree=/kernels/linux
# what says of itself that it is the distribution's compiler of then
mkdir /tmp/bin
sed 's/REVISION/3/' /al8/gcc >/tmp/bin/gcc
chmod +x /tmp/bin/gcc
PATH=/tmp/bin:$PATH
make=(make -s CC=gcc HOSTCC=gcc "-j$(($(nproc) + 1))")

# name_release RELEASE: as the distribution does it: by the Makefile's EXTRAVERSION.
name_release() {
	release=5.10.223-$1.al8.x86_64 out=/kernels/5.10.223-$1
	sed -i "s/^EXTRAVERSION =.*/EXTRAVERSION = -$1.al8.x86_64/" Makefile
	mkdir -p "$out"
}

configure() {
	local line
	"${make[@]}" tinyconfig >/dev/null
	scripts/kconfig/merge_config.sh -m .config /al8/real.config /al8/kernel.config >/dev/null
	"${make[@]}" olddefconfig >/dev/null
	while read -r line; do
		grep -qxF -- "$line" .config || [[ $line == '# '* && $(grep -c "^CONFIG_${line:9:-11}=" .config) -eq 0 ]] || {
			printf 'kernels.sh: Kconfig did not take %s\n' "$line" >&2
			exit 1
		}
	done < <(grep -hE '^(CONFIG_|# CONFIG_.* is not set$)' /al8/{real,kernel}.config)
}

# pack_core: what kernel-core has, as core.tar; the modules signed, as the distribution's are.
pack_core() {
	local dir=/kernels/core modules=/kernels/core/lib/modules/$release ko
	"${make[@]}" modules_install INSTALL_MOD_PATH="$dir" 2>/dev/null
	while IFS= read -r -d '' ko; do
		scripts/sign-file sha256 certs/al8.pem certs/al8.pem "$ko"
	done < <(find "$modules" -name '*.ko' -print0)
	ln -snf "/usr/src/kernels/$release" "$modules/build"
	ln -snf build "$modules/source"
	install -m 644 .config "$modules/config"
	install -m 644 System.map "$modules/System.map"
	gzip -nc Module.symvers >"$modules/symvers.gz"
	install -D -m 755 arch/x86/boot/bzImage "$modules/vmlinuz"
	install -D -m 755 arch/x86/boot/bzImage "$dir/boot/vmlinuz-$release"
	install -D -m 644 .config "$dir/boot/config-$release"
	tar -C "$dir" --owner=0 --group=0 -cf "$out/core.tar" .
	rm -rf "$dir"
}

# pack_devel FILE: what kernel-devel has: Makefiles and Kconfigs (no Kbuild files), headers, host tools; no
# source.
pack_devel() {
	{
		find . -type f \( -name 'Makefile*' -o -name 'Kconfig*' \) -printf '%P\n'
		find scripts include arch/x86/include ! -type d ! -path '*/include-prefixes/*'
		printf '%s\n' .config Module.symvers System.map tools/objtool/objtool
	} | grep -v -e '\.[coa]$' -e '\.cmd$' | sort -u >/kernels/devel.list
	tar --no-recursion --owner=0 --group=0 --transform="flags=rSH;s,^,usr/src/kernels/$release/," \
		-T /kernels/devel.list -cf "$out/$1"
}

# before_5_10_119: blake2s as it was: in modules of its own.  The kernel keeps a copy for /dev/random
# and exports nothing of it.
before_5_10_119() {
	sed -i '/^config CRYPTO_ARCH_HAVE_LIB_BLAKE2S/,/help/s/bool/tristate/
		/^config CRYPTO_LIB_BLAKE2S_GENERIC/,/help/s/def_bool.*/tristate/
		/^config CRYPTO_ARCH_HAVE_LIB_CHACHA/i\
config CRYPTO_LIB_BLAKE2S\
	tristate\
	depends on CRYPTO_ARCH_HAVE_LIB_BLAKE2S || !CRYPTO_ARCH_HAVE_LIB_BLAKE2S\
	select CRYPTO_LIB_BLAKE2S_GENERIC if CRYPTO_ARCH_HAVE_LIB_BLAKE2S=n\
' lib/crypto/Kconfig
	sed -i 's/^\tselect CRYPTO_LIB_CHACHA20POLY1305/&\n\tselect CRYPTO_LIB_BLAKE2S/' drivers/net/Kconfig
	sed -i '/libblake2s-y.*selftest/d
		s/^libblake2s-\$(CONFIG_CRYPTO_LIB_BLAKE2S_GENERIC).*/libblake2s-generic-y := blake2s-generic.o/
		s/^obj-y\(.*libblake2s.o\)/obj-y += blake2s-builtin.o\
CFLAGS_blake2s-builtin.o := -D__DISABLE_EXPORTS\
obj-$(CONFIG_CRYPTO_LIB_BLAKE2S)\1\
obj-$(CONFIG_CRYPTO_LIB_BLAKE2S_GENERIC) += libblake2s-generic.o/' lib/crypto/Makefile
	# without an accelerated module the generic one serves
	sed -i '0,/^#include/s//#ifndef CONFIG_CRYPTO_ARCH_HAVE_LIB_BLAKE2S_MODULE\
#define blake2s_compress blake2s_compress_generic\
#endif\
&/' lib/crypto/blake2s.c
	printf '#include "blake2s-generic.c"\n#include "blake2s.c"\n' >lib/crypto/blake2s-builtin.c
	sed -i '/^blake2s-x86_64-y/d
		/libblake2s-x86_64.o/d
		s/^libblake2s-x86_64-y/blake2s-x86_64-y/' arch/x86/crypto/Makefile
}

# source_before_5_10_119: the same done to what a build of WireGuard reads of the source.
source_before_5_10_119() {
	local dir=/kernels/source
	mkdir "$dir"
	tar -C "$dir" -xf /kernels/linux.tar --wildcards '*/Kconfig*' '*/Makefile*' '*/Kbuild*' '*/scripts' \
		'*/drivers/net/wireguard' '*/lib/crypto' '*/arch/x86/crypto'
	(cd "$dir"/* && before_5_10_119)
	(cd "$dir" && tar --sort=name --owner=0 --group=0 -c -- *) | xz -T0 -1 >"$out/linux.tar.xz"
	rm -rf "$dir"
}

# other_structure: a field more, before those that WireGuard fills in.
other_structure() {
	sed -i '/^struct udp_tunnel_sock_cfg {/,/^}/s/^\t__u8  encap_type;/&\n\tvoid *al8_reserved;/' include/net/udp_tunnel.h
	grep -q al8_reserved include/net/udp_tunnel.h
}

# take_unversioned: a module that brings no version of a symbol is warned of and taken, as 5.10.60 did.
take_unversioned() {
	sed -i '/no symbol version for/{n;s/return 0;/return 1;/}' kernel/module.c
	grep -A 1 'no symbol version for' kernel/module.c | grep -q 'return 1;'
}

# without_dst_cache: kernel-devel of a kernel with nothing that takes a tunnel's cache of routes.
without_dst_cache() {
	sed -i 's/^CONFIG_\(NET_IPIP\|IPV6_TUNNEL\|VXLAN\|GENEVE\|IPV6_SIT\|NET_UDP_TUNNEL\|NET_IP_TUNNEL\|INET_TUNNEL\|DST_CACHE\)=.*/# CONFIG_\1 is not set/' .config
	"${make[@]}" olddefconfig >/dev/null
	[[ $(grep -c '^CONFIG_DST_CACHE=' .config) -eq 0 ]]
	"${make[@]}" modules_prepare
	sed -i '/\t\(dst_cache_\|setup_udp_tunnel\|udp_tunnel\)/d' Module.symvers
}

cd /kernels
xz -dc linux.tar.xz >linux.tar
mkdir "$tree"
tar -xf linux.tar -C "$tree" --strip-components=1
cd "$tree"
cp /kernels/al8.pem certs/al8.pem
sed -n '/BEGIN CERTIFICATE/,$p' certs/al8.pem >certs/modsign_alinux.pem

name_release 9
configure
"${make[@]}" bzImage modules
pack_core
pack_devel devel.tar

name_release 8
source_before_5_10_119
before_5_10_119
"${make[@]}" olddefconfig >/dev/null
"${make[@]}" bzImage modules
pack_devel other-devel.tar
other_structure
take_unversioned
"${make[@]}" bzImage modules
pack_core
pack_devel devel.tar

name_release 7
without_dst_cache
pack_devel devel.tar
