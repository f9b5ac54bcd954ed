#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest: install the build with wgkmod, load it with modprobe, and let two peers use it, in the network
# namespaces "left" and "right", joined by a pair of veth.

# shellcheck source=tests/vm/guest/lib.sh
. /run/vm/guest/lib.sh
# shellcheck source=tests/vm/guest/modules.sh
. /run/vm/guest/modules.sh
# shellcheck source=tests/vm/guest/peers.sh
. /run/vm/guest/peers.sh
trap_errors

report taint_before "$(cat /proc/sys/kernel/tainted)"
assert_built
assert_hidden
install_modules
load_wireguard
assert_loaded_set
assert_all_ours
run /tmp/wgkmod doctor
assert_kernel_content
set_up
pings
transfer
assert_loaded_set
tear_down
assert_kernel_content
