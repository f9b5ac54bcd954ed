#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest: be a host with sshd on QEMU's user network, until somebody makes the file /tmp/end.  Then two peers use
# the modules that were installed and loaded by then.  /run/vm/extra has the keys and the sshd's configuration.

# shellcheck source=tests/vm/guest/lib.sh
. /run/vm/guest/lib.sh
# shellcheck source=tests/vm/guest/modules.sh
. /run/vm/guest/modules.sh
# shellcheck source=tests/vm/guest/peers.sh
. /run/vm/guest/peers.sh
trap_errors

assert_built
assert_hidden
run modprobe virtio_net
run ip address add 10.0.2.15/24 dev eth0
run ip link set eth0 up
echo 'sshd:x:100:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
mkdir -p /run/sshd /usr/local/sbin # a script of base-files makes the latter
chmod 600 /run/vm/extra/host
run /usr/sbin/sshd -f /run/vm/extra/sshd_config
report ready
while [[ ! -e /tmp/end ]]; do sleep 1; done

assert_loaded_set
assert_all_ours
set_up
pings
transfer
assert_kernel_content
