#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest, whose kernel is rpm's kernel-core: verify and install the signed bundle by the host's symvers.gz,
# load it, run a tunnel, and remove it; then rpm must find the tree unchanged.

# shellcheck source=tests/vm/guest/lib.sh
. /run/vm/guest/lib.sh
# shellcheck source=tests/vm/guest/modules.sh
. /run/vm/guest/modules.sh
# shellcheck source=tests/vm/guest/peers.sh
. /run/vm/guest/peers.sh
# shellcheck source=tests/vm/guest/tree.sh
. /run/vm/guest/tree.sh
trap_errors

bundle=/run/vm/bundle.tar

# Fail unless the host's only symbol table is the packaged one, and wgkmod's proof uses it.
assert_symvers_used() {
	[[ -f $tree/symvers.gz && ! -e $tree/build/Module.symvers ]] ||
		fail "the host has another symbol table than symvers.gz"
	mv "$tree/symvers.gz" /tmp/
	run /tmp/wgkmod verify "$bundle"
	/tmp/wgkmod verify "$bundle" | grep 'could not be checked: there is no symbol table' ||
		fail "without symvers.gz wgkmod does not say what it could not check"
	mv /tmp/symvers.gz "$tree/"
	run /tmp/wgkmod verify "$bundle"
	if /tmp/wgkmod verify "$bundle" | grep 'could not be checked'; then fail "wgkmod did not use symvers.gz"; fi
	report verify "$(/tmp/wgkmod verify "$bundle" | grep 'symbol versions equal')"
}

report taint_before "$(cat /proc/sys/kernel/tainted)"
assert_built
assert_rpm_clean
taken_out "$bundle"
mkdir -p /etc/wgkmod/keys.d
cp /run/vm/run.pub /etc/wgkmod/keys.d/
assert_symvers_used
snapshot >/tmp/before
run /tmp/wgkmod install --load "$bundle"
assert_loaded_set
assert_all_ours
assert_kernel_content
set_up
pings
transfer
tear_down
assert_kernel_content
run /tmp/wgkmod remove
snapshot | diff /tmp/before - || fail "remove did not give back the tree that was there"
assert_rpm_clean
report rpm clean
