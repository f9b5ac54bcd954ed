#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod doctor on the running system: containers, rights, a missing modprobe, the surroundings of a tunnel.  As
# in 320-running.bats, wgkmod gets a system of its own, where / is our root; the container is a real one.

load lib/helpers
load lib/modules
load sweep/tools
load lib/install
load lib/inside

# doctor CODE [ALSO...]: inside, the first cause is CODE, and the others that it finds are just ALSO.
doctor() {
	inside 3 doctor --porcelain
	assert_equal "$(sed -n 's/^cause\t\([^\t]*\).*/\1/p' <<<"$output")" "$1"
	assert_equal "$(sed -n 's/^also\t\([^\t]*\).*/\1/p' <<<"$output" | paste -sd ' ')" "${*:2}"
}

seen() { assert_line "^(cause|also|note)"$'\t'"$1"$'\t'".*$2"; } # CODE REGEX

healthy() {
	inside 0 doctor
	assert_line '^wgkmod: no cause found: WireGuard (can be|is) loaded in '
	refute_line '^(cause|also) '
}

installed_inside() {
	inside_make
	echo '6,1,1,-;an old word' >"$ROOT/dev/kmsg"
	mkdir -p "$ROOT/run" "$ROOT/etc/wireguard"
	inside 0 install --allow-unsigned /out
}

@test "healthy before and after the module is loaded; its taint is a note" {
	installed_inside
	healthy
	cp -r "$ROOT/fake/wireguard" "$ROOT/sys/module/"
	echo OE >"$ROOT/sys/module/wireguard/taint"
	healthy
	assert_line '^note taint: '
	# what is loaded works, whatever became of the files; only versions that are missing still count
	rm "$MODULES/modules.dep.bin"
	healthy
}

@test "no modprobe in PATH: no-modprobe" {
	installed_inside
	rm "$ROOT/bin/modprobe"
	doctor no-modprobe
}

@test "in a container of a whole system: container-host; in one of an application: container-rights" {
	installed_inside
	mkdir -p "$ROOT/run/systemd"
	echo lxc >"$ROOT/run/systemd/container"
	doctor container-host
	rm "$ROOT/run/systemd/container"
	touch "$ROOT/run/.containerenv"
	# it has CAP_SYS_MODULE and /lib/modules
	healthy
	mv "$ROOT/lib/modules" "$ROOT/lib/modules.away"
	doctor container-rights kernel-gone
	seen container-rights '/run/.containerenv is there; /lib/modules is not'
}

@test "a kernel that was booted before: rebooted, which names it" {
	local other=5.10.0-33-amd64
	inside_make
	cp -r "$STOCK" "$ROOT/lib/modules/$other"
	depmod -b "$ROOT" "$other"
	mkdir -p "$ROOT/var/log"
	doctor other-kernel
	boots "$other" "$RELEASE"
	doctor rebooted other-kernel
	seen rebooted "$other ran before the last boot, and has WireGuard"
	boots "$other" "$RELEASE" "$RELEASE"
	doctor other-kernel
}

# boots RELEASE...: wtmp has these boots: struct utmp of utmp(5), 384 bytes, with the release in ut_host.
boots() {
	local one
	for one; do
		printf '\002\000\000\000\000\000\000\000~'
		head -c 31 /dev/zero
		printf '~~\000\000reboot'
		head -c 26 /dev/zero
		printf '%s' "$one"
		head -c $((384 - 76 - ${#one})) /dev/zero
	done >"$ROOT/var/log/wtmp"
}

@test "signatures, lockdown and modules_disabled, each with its evidence" {
	inside_make
	find "$ROOT/out" -name '*.ko' -exec objcopy --strip-debug {} \;
	payload_sums "$ROOT/out"
	mkdir -p "$ROOT/sys/module/module/parameters" "$ROOT/sys/kernel/security"
	inside 0 install --allow-unsigned /out
	echo Y >"$ROOT/sys/module/module/parameters/sig_enforce"
	: >"$ROOT/fake/keys"
	doctor not-signed
	rm "$ROOT/sys/module/module/parameters/sig_enforce"
	echo 'none [integrity] confidentiality' >"$ROOT/sys/kernel/security/lockdown"
	doctor lockdown
	rm "$ROOT/sys/kernel/security/lockdown"
	echo 1 >"$ROOT/fake/modules_disabled"
	doctor modules-disabled
	rm "$ROOT/fake/modules_disabled"
	echo 'quiet module_blacklist=other,wireguard' >"$ROOT/fake/cmdline"
	doctor blacklisted
}

@test "signed by a key that the kernel does not have: key-unknown" {
	# the distribution's modules carry the signature of its kernel
	installed_inside
	mkdir -p "$ROOT/sys/module/module/parameters"
	echo Y >"$ROOT/sys/module/module/parameters/sig_enforce"
	printf '0000000b I------     1 perm 1f0b0000     0     0 asymmetri another key: 12ab: X509.rsa 01234567 []\n' >"$ROOT/fake/keys"
	doctor key-unknown
	seen key-unknown "is signed by '.+', and /proc/keys has no such key"
}

@test "the kernel's log tells BTF; a line from before the last change of the modules does not count" {
	installed_inside
	echo '3,7,1,-;failed to validate module [wireguard] BTF: -22' >"$ROOT/dev/kmsg"
	healthy
	echo '3,7,99999999999999,-;failed to validate module [wireguard] BTF: -22' >"$ROOT/dev/kmsg"
	doctor wrong-btf
	seen wrong-btf 'failed to validate module \[wireguard\] BTF: -22'
}

@test "--load: what modprobe and the kernel say; nothing is loaded without it" {
	installed_inside
	modprobe_says 'echo loaded >>/tmp/loads; exit 1'
	healthy
	assert_absent "$ROOT/tmp/loads"
	modprobe_says 'echo "modprobe: ERROR: could not insert: Key was rejected by service" >&2; exit 1'
	inside 3 doctor --load --porcelain
	seen key-unknown 'Key was rejected by service'
	modprobe_says 'printf "3,2,2,-;wireguard: disagrees about version of symbol x\n" >>/dev/kmsg; exit 1'
	inside 3 doctor --load --porcelain
	seen wrong-versions 'disagrees about version of symbol x'
	echo '6,1,1,-;an old word' >"$ROOT/dev/kmsg"
	modprobe_says 'exit 0'
	inside 3 doctor --load --porcelain
	seen unexplained 'modprobe ended with 0, and nothing is loaded'
	modprobe_says 'cp -r /fake/wireguard /sys/module/'
	inside 0 doctor --load
}

@test "wireguard-go, IPv6 and the packet filter are not the module's fault, and keys are not shown" {
	installed_inside
	cp -r "$ROOT/fake/wireguard" "$ROOT/sys/module/"
	mkdir -p "$ROOT/run/wireguard"
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$ROOT/run/wireguard/wg0.sock"
	doctor userspace
	rm "$ROOT/run/wireguard/wg0.sock"
	printf '%s\n' '[Interface]' 'PrivateKey = c2VjcmV0' 'Address = 10.0.0.2/24' '[Peer]' 'AllowedIPs = 10.0.0.0/24' \
		>"$ROOT/etc/wireguard/wg0.conf"
	healthy
	sed -i 's,^AllowedIPs.*,AllowedIPs = 0.0.0.0/0,' "$ROOT/etc/wireguard/wg0.conf"
	doctor netfilter
	refute_line 'c2VjcmV0'
	cp "$ROOT/bin/sh" "$ROOT/bin/nft"
	healthy
	sed -i 's,^Address.*,Address = 10.0.0.2/24\, fd00::2/64,' "$ROOT/etc/wireguard/wg0.conf"
	NO_IPV6=1 doctor ipv6-off
	seen ipv6-off 'fd00::2/64'
	refute_line 'c2VjcmV0'
}

@test "another user than root is told what he cannot see, and loads nothing" {
	needs_root 'to become another user'
	installed_inside
	chmod -R a+rX "$ROOT" "$BATS_TEST_TMPDIR"
	chmod 700 "$ROOT/etc/wireguard"
	chmod 600 "$ROOT/dev/kmsg"
	INSIDE_AS=65534 inside 1 doctor
	assert_line "^not seen: the kernel's log, /dev/kmsg: Permission denied$"
	assert_line '^not seen: /etc/wireguard: Permission denied$'
	refute_line '^cause '
}

@test "in a real container without capabilities: container-rights; with them it looks on" {
	installed_inside
	rm -r "$ROOT/lib/modules"
	cp "$WGKMOD" "$ROOT/bin/wgkmod"
	in_container() { # STATUS OPTION...
		run_cmd "$1" bash -c 'in_container_run "$@"' - "$ROOT" "${@:2}"
	}
	in_container_run() {
		(
			# shellcheck source=scripts/lib.sh
			. "$ROOT_DIR/scripts/lib.sh"
			# shellcheck source=scripts/lib/podman.sh
			. "$ROOT_DIR/scripts/lib/podman.sh"
			root=$1 way=
			shift
			while read -r way; do
				podman_way "$way"
				if "${PODMAN[@]}" run --rm --network=none "${PODMAN_LIMITS[@]}" --rootfs "$root" /bin/wgkmod --version \
					>/dev/null 2>&1; then break; fi
			done < <(podman_ways)
			"${PODMAN[@]}" run --rm --network=none "${PODMAN_LIMITS[@]}" "$@" --rootfs "$root" /bin/wgkmod doctor --porcelain
		)
	}
	export -f in_container_run
	in_container 3 --cap-drop=all
	assert_line "^cause"$'\t'"container-rights"$'\t'"/run/.containerenv is there; CAP_SYS_MODULE is not, and /lib/modules is not"$'\t'
	mkdir -p "$ROOT/lib/modules"
	in_container 3
	assert_line "^cause"$'\t'"container-rights"$'\t'"/run/.containerenv is there; CAP_SYS_MODULE is not"$'\t'
	in_container 3 --cap-add=SYS_MODULE
	refute_line 'container-rights'
	assert_line '^cause'$'\t''kernel-gone'
}
