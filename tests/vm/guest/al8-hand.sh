#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest: install the modules that the procedure by hand made (/run/vm/extra/hand, with paths below the
# kernel's directory), and try to install modules of ours for another structure.  Report the results, which the
# test on the host checks:
#
#	other          wgkmod's first sentence about /run/vm/extra/other.tar, if that exists
#	hand_versions  number of symbol versions of the kernel's that the modules by hand have
#	hand_modprobe  "loaded", or modprobe's message
#	hand_kernel    the kernel's first message about them
#	hand_loaded    those of them that are loaded afterwards
#	hand_doctor    the cause that wgkmod doctor names, and what it saw, as it prints them for programs
#	hand_ping      "answered" or "no answer", through a tunnel with them
#	hand_handshake time of the last handshake, 0 for never

# shellcheck source=tests/vm/guest/lib.sh
. /run/vm/guest/lib.sh
# shellcheck source=tests/vm/guest/modules.sh
. /run/vm/guest/modules.sh
# shellcheck source=tests/vm/guest/peers.sh
. /run/vm/guest/peers.sh
# shellcheck source=tests/vm/guest/tree.sh
. /run/vm/guest/tree.sh
trap_errors

extra=/run/vm/extra

# by_hand: Copy the modules into the kernel's directory as people do, and load them.
by_hand() {
	local words
	mapfile -t files < <(find "$extra/hand" -name '*.ko')
	[[ ${#files[@]} -ge 3 ]] || fail "the procedure by hand made only ${#files[@]} modules"
	for file in "${files[@]}"; do modprobe --dump-modversions "$file"; done | cut -f 2 | sort -u >/tmp/versions
	gzip -dc "$tree/symvers.gz" | cut -f 2 | sort -u >/tmp/exports
	grep -qx printk /tmp/exports || fail "$tree/symvers.gz does not list the kernel's symbols"
	report hand_versions "$(comm -12 /tmp/versions /tmp/exports | wc -l)"
	cp -r "$extra/hand/." "$tree/"
	run depmod -a
	words=$(modprobe wireguard 2>&1) && words=loaded
	report hand_modprobe "$words"
	dmesg >/tmp/dmesg
	report hand_kernel "$(matching 'no symbol version|Unknown symbol|disagrees' /tmp/dmesg | sed 's/^\[[^]]*\] //')"
	report hand_loaded "$(both "$(loaded)" "$(names "${files[@]}")")"
}

# ping_by_hand: Set up a tunnel with these modules, and send one ping through it.
ping_by_hand() {
	set_up
	if left busybox ping -c 1 -W 10 10.9.0.2; then report hand_ping answered; else report hand_ping 'no answer'; fi
	report hand_handshake "$(left wg show wg0 latest-handshakes | cut -f 2)"
	part_them
}

assert_built
snapshot times >/tmp/before
if [[ -f $extra/other.tar ]]; then
	taken_out "$extra/other.tar"
	refused 3 'setup_udp_tunnel_sock' /tmp/wgkmod install --allow-unsigned "$extra/other.tar"
	assert_untouched /tmp/before
	report other "$(grep -m 1 'setup_udp_tunnel_sock' <<<"$said")"
fi
by_hand
doctor=$(/run/vm/out/wgkmod doctor --porcelain) || [[ $? -eq 3 ]]
report hand_doctor "$(sed -n 's/^cause\t//p' <<<"$doctor" | tr '\t' ' ')"
if grep -q '^wireguard ' /proc/modules; then ping_by_hand; fi
