#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest of 712-compatible-vm.bats, whose kernel is that of the disk under another name: install the bundle for
# the disk's kernel with --compatible, load it, and let two peers use it.  Then offer wgkmod and the kernel a wireguard
# with one other symbol version.  /run/vm/extra has the kernel's Module.symvers, bad.tar and bad.ko.

# shellcheck source=tests/vm/guest/lib.sh
. /run/vm/guest/lib.sh
# shellcheck source=tests/vm/guest/modules.sh
. /run/vm/guest/modules.sh
# shellcheck source=tests/vm/guest/peers.sh
. /run/vm/guest/peers.sh
trap_errors

release=$(uname -r)
other=$(cd /lib/modules && echo *)
extra=/run/vm/extra

install_it() { /tmp/wgkmod install --symvers "$extra/Module.symvers" "$@"; }

# Part of the disk's modules, with the name of the kernel that runs in their vermagic, become its tree.  The
# distribution's signature would not hold any more; without the words at its end it is none.
make_tree() {
	mkdir "$tree"
	(cd "/lib/modules/$other" && cp -a --parents modules.order modules.builtin modules.builtin.modinfo kernel/crypto \
		kernel/lib kernel/arch/x86/crypto kernel/net/ipv4 kernel/net/ipv6 kernel/drivers/net/veth.ko "$tree/")
	find "$tree" -name '*.ko' -exec sed -i \
		"s/vermagic=${other//./\\.} /vermagic=$release /; s/~Module signature appended~$/-/" {} +
	run depmod
}

[[ $release != "$other" ]] || fail "the kernel's name is that of the disk's: $other"
report kernel "$release"
make_tree
assert_built
tar -x -O -f /run/vm/bundle.tar "$other/wgkmod" >/tmp/wgkmod
chmod 755 /tmp/wgkmod
mkdir -p /etc/wgkmod/keys.d
cp /run/vm/run.pub /etc/wgkmod/keys.d/

refused 3 'compatible takes them' install_it /run/vm/bundle.tar
[[ $said =~ ([0-9]+)\ symbol\ versions\ equal,\ none\ different ]] || fail "no evidence in: $said"
report symbol_versions_equal "${BASH_REMATCH[1]}"
run install_it --compatible --load /run/vm/bundle.tar
/tmp/wgkmod status --porcelain >/tmp/status
report built_for "$(sed -n "s/^compatible\t$release\t//p" /tmp/status)"
assert_loaded_set
assert_all_ours
assert_kernel_content
set_up
pings
part_them

run rmmod wireguard
refused 3 'do not fit it' install_it --compatible --allow-unsigned "$extra/bad.tar"
if busybox insmod "$extra/bad.ko"; then fail "the kernel loads a module with another symbol version"; fi
dmesg | grep -q 'disagrees about version of symbol skb_push' || fail "the kernel refuses it for another reason"
report refused wgkmod kernel
