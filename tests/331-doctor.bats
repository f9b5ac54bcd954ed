#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod doctor names each cause that shows in a host's files.  What only a running kernel shows is in
# 332-doctor-running.bats and, with a real one, in 710-doctor-vm.bats.

load lib/helpers
load lib/modules
load sweep/tools
load lib/install

OTHER=5.10.0-33-amd64

# doctor CODE [ALSO...]: the first cause is CODE, and the others that it finds are just ALSO.
doctor() {
	run_cmd 3 "$WGKMOD" doctor --root "$ROOT" --kernel "$RELEASE" --porcelain
	assert_equal "$(sed -n 's/^cause\t\([^\t]*\).*/\1/p' <<<"$output")" "$1"
	assert_equal "$(sed -n 's/^also\t\([^\t]*\).*/\1/p' <<<"$output" | paste -sd ' ')" "${*:2}"
}

seen() { assert_line "^(cause|also)"$'\t'"$1"$'\t'".*$2"; } # CODE REGEX

healthy() {
	run_cmd 0 "$WGKMOD" doctor --root "$ROOT" --kernel "$RELEASE"
	assert_equal "$output" "wgkmod: no cause found: WireGuard can be loaded in $RELEASE"
}

# by_hand: the modules lie there, and no wgkmod installed them.
by_hand() {
	local module
	for module in "${SET[@]}"; do
		install -D -m 644 "$STOCK/kernel/$module.ko" "$MODULES/kernel/$module.ko"
	done
	depmod -b "$ROOT" "$RELEASE"
}

WG=kernel/drivers/net/wireguard/wireguard.ko

@test "a healthy host has no cause, whoever installed the modules, and within a second" {
	install_it 0
	healthy
	remove_it 0
	by_hand
	healthy
	TIMEOUT=1 healthy
}

@test "a kernel that has WireGuard built in needs no module" {
	echo "$WG" >>"$MODULES/modules.builtin"
	run_cmd 0 "$WGKMOD" doctor --root "$ROOT" --kernel "$RELEASE"
	assert_equal "$output" "wgkmod: no cause found: WireGuard is built into $RELEASE"
}

@test "never installed: not-installed, with the sentence, the evidence and the next command" {
	doctor not-installed
	run_cmd 3 "$WGKMOD" doctor --root "$ROOT" --kernel "$RELEASE"
	diff - <(printf '%s\n' "$output") <<-TEXT
		cause not-installed: the module was never installed for this kernel
		  seen: no $MODULES/$WG
		  do:   wgkmod install --kernel $RELEASE BUNDLE
	TEXT
	unchanged
}

# other_kernel: OTHER is installed beside RELEASE, and has the modules.
other_kernel() {
	install_it 0
	mv "$MODULES" "$ROOT/lib/modules/$OTHER"
	cp -r "$STOCK" "$MODULES"
	for module in "${SET[@]}"; do rm "$MODULES/kernel/$module.ko"; done
	depmod -b "$ROOT" "$RELEASE"
}

@test "installed for another kernel: other-kernel, which is named" {
	other_kernel
	doctor other-kernel
	seen other-kernel "$OTHER has WireGuard, $RELEASE has not"
}

@test "the kernel's directory is gone, or empty: kernel-gone" {
	install_it 0
	mv "$MODULES" "$BATS_TEST_TMPDIR/gone"
	doctor kernel-gone
	mkdir -p "$MODULES"
	doctor kernel-gone
}

@test "a file of the set is missing or changed, or a run was interrupted: half-installed" {
	install_it 0
	cp -r "$ROOT" "$BATS_TEST_TMPDIR/good"
	rm "$MODULES/$WG"
	doctor half-installed
	seen half-installed "$WG is missing"
	rm -r "$ROOT" && cp -r "$BATS_TEST_TMPDIR/good" "$ROOT"
	printf x >>"$MODULES/$WG"
	doctor half-installed
	seen half-installed "$WG is changed"
	rm -r "$ROOT" && cp -r "$BATS_TEST_TMPDIR/good" "$ROOT"
	mkdir "$ROOT/lib/modules/.wgkmod-$RELEASE"
	doctor half-installed
	seen half-installed 'interrupted'
	rm "$MODULES/.wgkmod/installed"
	echo nonsense >"$MODULES/.wgkmod/installed"
	doctor half-installed
}

@test "a library module is missing: library-missing; a module of the kernel's: needed-missing" {
	by_hand
	rm "$MODULES/kernel/lib/crypto/libchacha.ko"
	doctor library-missing
	seen library-missing 'needs libchacha'
	depmod -b "$ROOT" "$RELEASE"
	doctor library-missing
	by_hand
	rm "$MODULES/kernel/net/ipv4/udp_tunnel.ko"
	depmod -b "$ROOT" "$RELEASE"
	doctor needed-missing
	seen needed-missing 'needs udp_tunnel, which is not there'
}

@test "of another kernel: wrong-vermagic, with both" {
	by_hand
	modinfo_sed "$MODULES/$WG" 's/^vermagic=.* SMP /vermagic=5.10.0-32-rt-amd64 SMP preempt_rt /'
	depmod -b "$ROOT" "$RELEASE"
	doctor wrong-vermagic
	seen wrong-vermagic "version magic '5.10.0-32-rt-amd64 SMP preempt_rt mod_unload modversions ' should be '$VERMAGIC'"
	# with symbol versions the kernel does not compare the release
	by_hand
	modinfo_sed "$MODULES/$WG" 's/^vermagic=5.10.0-32-amd64 /vermagic=5.10.0-31-amd64 /'
	depmod -b "$ROOT" "$RELEASE"
	run_cmd 0 "$WGKMOD" doctor --root "$ROOT" --kernel "$RELEASE"
	assert_line '^note compatible: '
}

@test "built by hand: no-versions; with one wrong version, with and without a table: wrong-versions" {
	by_hand
	objcopy --remove-section __versions "$MODULES/$WG"
	doctor no-versions
	seen no-versions 'no symbol version for module_layout'
	by_hand
	version_drop "$MODULES/$WG" module_layout
	doctor no-versions
	by_hand
	crc_change "$MODULES/$WG" module_layout
	doctor wrong-versions
	seen wrong-versions 'disagrees about version of symbol module_layout'
	by_hand
	crc_change "$MODULES/$WG" udp_tunnel_xmit_skb
	doctor wrong-versions
	by_hand
	crc_change "$MODULES/$WG" skb_push
	mkdir "$MODULES/build"
	cp "$SYMVERS" "$MODULES/build/Module.symvers"
	doctor wrong-versions
	seen wrong-versions 'disagrees about version of symbol skb_push'
}

@test "modprobe's configuration: install-command, also by an alias; blacklisted" {
	install_it 0
	mkdir -p "$ROOT/etc/modprobe.d"
	echo 'install wireguard /bin/true' >"$ROOT/etc/modprobe.d/hardening.conf"
	doctor install-command
	seen install-command "'install wireguard /bin/true'"
	echo 'install udp_tunnel /bin/false' >"$ROOT/etc/modprobe.d/hardening.conf"
	doctor install-command
	echo 'alias wireguard off' >"$ROOT/etc/modprobe.d/hardening.conf"
	doctor install-command
	echo 'blacklist wireguard' >"$ROOT/etc/modprobe.d/hardening.conf"
	doctor blacklisted
	# what a dependency is blacklisted for does not matter
	echo 'blacklist udp_tunnel' >"$ROOT/etc/modprobe.d/hardening.conf"
	healthy
}

@test "no index, an empty or an old one: no-index; old aliases: stale-aliases" {
	cp -r "$MODULES" "$BATS_TEST_TMPDIR/before"
	by_hand
	cp "$BATS_TEST_TMPDIR"/before/modules.* "$MODULES/"
	doctor no-index
	seen no-index "$WG is there, and modprobe finds none"
	: >"$MODULES/modules.dep"
	: >"$MODULES/modules.dep.bin"
	doctor no-index
	rm "$MODULES"/modules.dep*
	doctor no-index
	depmod -b "$ROOT" "$RELEASE"
	cp "$BATS_TEST_TMPDIR"/before/modules.alias* "$MODULES/"
	doctor stale-aliases
	seen stale-aliases 'modules.alias has no rtnl-link-wireguard'
}

@test "compressed, and modprobe is busybox: compressed" {
	by_hand
	xz --check=crc32 "$MODULES/$WG"
	depmod -b "$ROOT" "$RELEASE"
	healthy
	mkdir -p "$ROOT/bin" "$ROOT/sbin"
	touch "$ROOT/bin/busybox"
	ln -s ../bin/busybox "$ROOT/sbin/modprobe"
	doctor compressed
}

@test "of two causes the first is the one that explains all, the other is also" {
	by_hand
	crc_change "$MODULES/$WG" module_layout
	rm "$MODULES/kernel/lib/crypto/libchacha.ko"
	mkdir -p "$ROOT/etc/modprobe.d"
	printf '%s\n' 'install wireguard /bin/true' 'blacklist wireguard' >"$ROOT/etc/modprobe.d/hardening.conf"
	doctor install-command library-missing wrong-versions blacklisted
}

@test "a file's bytes reach the terminal as text, and bad words exit with 2" {
	install_it 0
	mkdir -p "$ROOT/etc/modprobe.d"
	printf 'install wireguard \033[31m\n' >"$ROOT/etc/modprobe.d/x.conf"
	doctor install-command
	assert_line '\\033\[31m'
	run_cmd 2 "$WGKMOD" doctor --root "$ROOT" --load
	run_cmd 2 "$WGKMOD" doctor nonsense
	run_cmd 1 "$WGKMOD" doctor --root "$BATS_TEST_TMPDIR/none"
}
