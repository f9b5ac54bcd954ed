#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest of 711-guard-vm.bats, after a reboot into another kernel: load WireGuard as its modules are, and let two
# peers use it.  Report "tunnel yes" when they have, or "tunnel none" if the kernel has no WireGuard.

# shellcheck source=tests/vm/guest/lib.sh
. /run/vm/guest/lib.sh
# shellcheck source=tests/vm/guest/peers.sh
. /run/vm/guest/peers.sh
trap_errors

if ! modprobe wireguard; then
	refused 1 'Module wireguard not found' modprobe wireguard
	report tunnel none
	exit
fi
set_up
pings
report tunnel yes
