#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod install and verify, where the symbol table names a module of the kernel that the host may not
# have: a distribution packs them apart, and the table is of all that were built.

# shellcheck disable=SC2034,SC2153 # before and MODULES are install.bash's
# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/modules
load sweep/tools
load lib/install

# The kernel's own, and not in the payload.
KERNELS=(net/ipv4/udp_tunnel net/ipv6/ip6_udp_tunnel lib/crypto/libcurve25519-generic)

setup() {
	local module ours=()
	host_make
	MODULES=$ROOT/lib/modules/$RELEASE
	for module in "${SET[@]}"; do
		[[ " ${KERNELS[*]} " == *" $module "* ]] || ours+=("$module")
	done
	for module in "${KERNELS[@]}"; do
		rm "$PAYLOAD/modules/kernel/$module.ko"
	done
	payload_sums "$PAYLOAD"
	symvers_without "$SYMVERS" "${ours[@]}" >"$MODULES/symvers"
	before=$(tree_print "$ROOT")
}

verify_it() { # STATUS
	run_cmd "$1" "$WGKMOD" verify --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
}

kernels_there() {
	local module
	for module in "${KERNELS[@]}"; do
		install -D -m 644 "$STOCK/kernel/$module.ko" "$MODULES/kernel/$module.ko"
	done
	depmod -b "$ROOT" "$RELEASE"
}

missing() { # VERB MODULE SYMBOL OWNER
	assert_line "^wgkmod: cannot $1 'modules/kernel/.*/$2\.ko': '$3', which it needs, is in the kernel's module '$4'," \
		"which is not installed here: install the package that has it$"
}

@test "a missing module of the kernel is refused, by verify too, naming module and symbol" {
	verify_it 3
	missing verify wireguard udp_sock_create4 net/ipv4/udp_tunnel
	refused 3 "do not fit $RELEASE: [0-9]+ problems$"
	missing install wireguard udp_sock_create4 net/ipv4/udp_tunnel
	missing install wireguard udp_sock_create6 net/ipv6/ip6_udp_tunnel
	missing install curve25519-x86_64 curve25519_generic lib/crypto/libcurve25519-generic
}

@test "a module of the kernel that exists is a provider" {
	kernels_there
	verify_it 0
	install_it 0
	assert_line "^wgkmod: 9 modules for $RELEASE installed: [0-9]+ symbol versions equal$"
}

@test "modules of an earlier install of ours are not the kernel's" {
	mv "$PAYLOAD" "$BATS_TEST_TMPDIR/next"
	payload_make "$PAYLOAD"
	mv "$MODULES/symvers" "$BATS_TEST_TMPDIR/" # of a kernel that has what the payload has
	install_it 0
	mv "$BATS_TEST_TMPDIR/symvers" "$MODULES/"
	rm -r "$PAYLOAD"
	mv "$BATS_TEST_TMPDIR/next" "$PAYLOAD"
	before=$(tree_print "$ROOT")
	refused 3 "do not fit $RELEASE: [0-9]+ problems$"
	missing install wireguard udp_sock_create4 net/ipv4/udp_tunnel
}

@test "a provider may be compressed, elsewhere, written with '_', or a link" {
	kernels_there
	xz --check=crc32 "$MODULES/kernel/net/ipv4/udp_tunnel.ko"
	mkdir "$MODULES/updates" "$MODULES/weak-updates" "$ROOT/elsewhere"
	mv "$MODULES/kernel/lib/crypto/libcurve25519-generic.ko" "$MODULES/updates/libcurve25519_generic.ko"
	mv "$MODULES/kernel/net/ipv6/ip6_udp_tunnel.ko" "$ROOT/elsewhere/"
	ln -s ../../../../elsewhere/ip6_udp_tunnel.ko "$MODULES/weak-updates/"
	depmod -b "$ROOT" "$RELEASE"
	grep -q '^weak-updates/ip6_udp_tunnel.ko:' "$MODULES/modules.dep"
	verify_it 0
	# As it is written on a host that is not below another's root.
	ln -sf /elsewhere/ip6_udp_tunnel.ko "$MODULES/weak-updates/"
	verify_it 0
	# A file outside the root is none of it.
	mv "$ROOT/elsewhere" "$BATS_TEST_TMPDIR/"
	ln -sf "$BATS_TEST_TMPDIR/elsewhere/ip6_udp_tunnel.ko" "$MODULES/weak-updates/"
	verify_it 3
	missing verify wireguard udp_sock_create6 net/ipv6/ip6_udp_tunnel
}

@test "a provider that modules.dep lists and the disk lacks is missing" {
	kernels_there
	rm "$MODULES/kernel/net/ipv6/ip6_udp_tunnel.ko"
	verify_it 3
	missing verify wireguard udp_sock_create6 net/ipv6/ip6_udp_tunnel
	assert_line ': 2 problems$'
}

@test "a built-in provider counts; without modules.builtin none does" {
	local module
	for module in "${KERNELS[@]}"; do
		printf 'kernel/%s.ko\n' "$module"
	done >>"$MODULES/modules.builtin"
	verify_it 0
	rm "$MODULES/modules.builtin"
	verify_it 3
	missing verify wireguard udp_sock_create4 net/ipv4/udp_tunnel
	mkdir "$MODULES/modules.builtin"
	verify_it 1
	assert_line "^wgkmod: cannot verify '$RELEASE': its lists of modules: $MODULES/modules.builtin: not a regular file$"
}

@test "providers are checked with --symvers too, not by check, and not without a symbol table" {
	local modules
	mv "$MODULES/symvers" "$BATS_TEST_TMPDIR/symvers"
	run_cmd 3 "$WGKMOD" verify --allow-unsigned --root "$ROOT" --kernel "$RELEASE" \
		--symvers "$BATS_TEST_TMPDIR/symvers" "$PAYLOAD"
	missing verify wireguard udp_sock_create4 net/ipv4/udp_tunnel
	mapfile -t modules < <(find "$PAYLOAD/modules" -name '*.ko')
	run_cmd 0 "$WGKMOD" check --root "$ROOT" --kernel "$RELEASE" --symvers "$BATS_TEST_TMPDIR/symvers" "${modules[@]}"
	verify_it 0
	assert_line 'symbol versions could not be checked: '
}
