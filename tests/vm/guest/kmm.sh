#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest: what Kernel Module Management runs (internal/pod/workerpodmanager.go and internal/worker/modprobe.go of
# kubernetes-sigs/kernel-module-management), on a fresh boot: the init container in the image, then the worker.

# shellcheck source=tests/vm/guest/lib.sh
. /run/vm/guest/lib.sh
# shellcheck source=tests/vm/guest/modules.sh
. /run/vm/guest/modules.sh
# shellcheck source=tests/vm/guest/peers.sh
. /run/vm/guest/peers.sh
trap_errors

image=/run/vm/image
kernel=$(uname -r)

# init_container: Run KMM's lines in the image; its /tmp is the volume that the worker sees, read-only.
init_container() {
	run chroot "$image" /bin/sh -c 'exit 0'
	run chroot "$image" /bin/sh -c \
		"mkdir -p /tmp/opt/lib/modules; cp -R /opt/lib/modules/$kernel /tmp/opt/lib/modules;"
	mkdir /tmp/opt
	run busybox mount -o bind "$image/tmp/opt" /tmp/opt
	run busybox mount -o remount,bind,ro /tmp/opt
}

# worker: Load wireguard as KMM's worker does, and report what modprobe loaded.
worker() {
	local words
	words=$(modprobe -vd /tmp/opt wireguard 2>&1) || fail "modprobe -vd /tmp/opt wireguard: $words"
	printf '%s\n' "$words"
	report insmods "$(grep -c '^insmod ' <<<"$words")"
	report in_tree "$(grep -c '^insmod .*/host/' <<<"$words")"
	# shellcheck disable=SC2046 # words
	report in_tree_names "$(names $(sed -n 's/^insmod \([^ ]*\/host\/[^ ]*\).*/\1/p' <<<"$words"))"
}

assert_built
assert_hidden
if grep -qE '^(udp_tunnel|libchacha|wireguard) ' /proc/modules; then fail 'this is no fresh boot'; fi
init_container
worker
set_up
pings
transfer
part_them
assert_kernel_content
run modprobe -rvd /tmp/opt wireguard
if grep -q '^wireguard ' /proc/modules; then fail 'wireguard is still loaded'; fi
