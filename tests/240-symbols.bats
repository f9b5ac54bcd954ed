#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Functions of closure.sh and kernel-source.sh on small trees: is a symbol that becomes y inside the modules that are
# built?
# tests/200-closure.bats runs the whole of closure.sh in the builder.

load lib/helpers

# setup: Define the functions of both without running it, and make a small tree.
setup() {
	local name
	export srcarch=x86 work=$BATS_TEST_TMPDIR source=$BATS_TEST_TMPDIR programs=$ROOT_DIR/builder
	for name in values gained objects readers inside_modules; do
		eval "$(awk -v f="$name" '$0 ~ "^" f "\\(\\) {" { on = 1 }
			on { print }
			on && (/^}/ || /^[a-z].*; }$/ || /\| sort; }$/) { exit }' "$ROOT_DIR"/builder/{closure,kernel-source}.sh)"
	done
	printf 'CONFIG_A=y\n' >"$work/before"
	printf 'CONFIG_A=y\nCONFIG_WIREGUARD=m\nCONFIG_FLAG=y\n' >"$work/after"
	mkdir -p "$work/linux"/{drivers/net/wireguard,lib/crypto,include/linux,arch/arm}
	cd "$work/linux" || return
	printf '%s\n' "obj-\$(CONFIG_WIREGUARD) := wireguard.o" 'wireguard-y := main.o' 'wireguard-y += noise.o' \
		>drivers/net/wireguard/Makefile
	printf 'obj-y += blake2s.o\n' >lib/crypto/Makefile
}

# ours yes|no FILE LINE...: Append the lines to FILE; fail unless FLAG is now inside the built modules, or not.
ours() {
	local expected=$1 file=$2 got=no
	shift 2
	printf '%s\n' "$@" >>"$file"
	objects >"$work/objects"
	rm -f "$work/readers-FLAG"
	# as kernel-source.sh does
	tar -C "$work" -cf "$work/linux.tar" linux
	tar -tRf "$work/linux.tar" >"$work/members"
	tr '\0' '\n' <"$work/linux.tar" | grep -ab CONFIG_ >"$work/lines"
	awk -f "$programs/readers.awk" "$work/members" "$work/lines" |
		{ grep -E "^(arch/$srcarch/|[^a]|a[^r])" || [[ $? -eq 1 ]]; } >"$work/readers"
	! inside_modules FLAG || got=yes
	assert_equal "$got" "$expected"
}

@test "a symbol that adds objects or flags to a built module concerns built modules alone" {
	ours yes drivers/net/wireguard/Makefile "ifeq (\$(CONFIG_FLAG),y)" 'CFLAGS_main.o += -DX' 'wireguard-y += a.o' endif
	ours yes drivers/net/wireguard/Makefile 'ifdef CONFIG_FLAG' 'wireguard-y += b.o' endif
	ours yes drivers/net/wireguard/Makefile "wireguard-\$(CONFIG_FLAG) += c.o \\" '	d.o'
}

@test "a symbol that a built module's sources or a header's expression read concerns built modules alone" {
	ours yes drivers/net/wireguard/main.c '#ifdef CONFIG_FLAG'
	ours yes include/linux/x.h '	if (IS_ENABLED(CONFIG_FLAG))'
	ours yes arch/arm/x.c '#ifdef CONFIG_FLAG'
}

@test "a symbol that no file of this architecture reads does not concern built modules alone; nor is a longer name" {
	ours no lib/crypto/blake2s.c 'int x;'
	ours no drivers/net/wireguard/main.c '#ifdef CONFIG_FLAG2'
	ours no arch/arm/x.c '#ifdef CONFIG_FLAG'
}

@test "a symbol that a header reads in an #if does not concern built modules alone" {
	ours no include/linux/x.h '# if IS_ENABLED(CONFIG_FLAG)'
	ours no drivers/net/wireguard/main.c '#ifdef CONFIG_FLAG'
}

@test "a symbol that the kernel's own code reads concerns more than the built modules, even if one of them reads it" {
	ours yes drivers/net/wireguard/main.c '#ifdef CONFIG_FLAG'
	ours no lib/crypto/blake2s.c 'int x = IS_ENABLED(CONFIG_FLAG);'
}

@test "a symbol that adds an object or flags to the kernel itself does not concern built modules alone" {
	ours no lib/crypto/Makefile "ifeq (\$(CONFIG_FLAG),y)" 'CFLAGS_blake2s.o += -DX' endif
	ours no lib/crypto/Makefile "obj-\$(CONFIG_FLAG) += x.o"
}

@test "a symbol whose condition has an object of the kernel itself does not concern built modules alone" {
	ours no lib/crypto/Makefile "ifeq (\$(CONFIG_FLAG),y)" 'obj-y += x.o' endif
}

@test "kconfig.awk prints each select and imply with its condition" {
	printf '%s\n' 'config A' '	select B' '	select C if D || E' '	imply F' 'menu "x"' '	select G' 'menuconfig H' \
		'	imply I if J' >Kconfig
	run_cmd 0 awk -f "$ROOT_DIR/builder/kconfig.awk" Kconfig
	assert_equal "$output" $'A B Kconfig 2 -\nA C Kconfig 3 D || E\nA F Kconfig 4 imply\nH I Kconfig 8 J'
}

@test "kbuild.awk prints each object with the symbol that it depends on" {
	mkdir dir
	# shellcheck disable=SC2016 # make's
	printf '%s\n' 'obj-$(CONFIG_A) += a.o '"\\" '	b.o # no c.o' 'a-y := x.o' 'ifdef CONFIG_B' 'a-y += y.o' \
		'CFLAGS_y.o += -D' endif >dir/Makefile
	run_cmd 0 awk -f "$ROOT_DIR/builder/kbuild.awk" ./dir/Makefile
	assert_equal "$output" \
		"$(printf '%s\n' 'A obj dir a' 'A obj dir b' '- a dir x' '- a dir y' 'B ?a dir y' 'B ?flags dir y')"
}
