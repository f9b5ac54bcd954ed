#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest, whose kernel takes signed modules only (module.sig_enforce=1): what is not signed by a
# key of the kernel's is refused by wgkmod before it writes; what is, loads and taints nothing but O.
# The bundles are /run/vm/extra/NAME.tar.

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

# refuses NAME REGEX: verify and install refuse the bundle, with a sentence, and nothing is written.
refuses() {
	refused 4 "$2" /tmp/wgkmod verify --allow-unsigned "$extra/$1.tar"
	refused 4 "$2" /tmp/wgkmod install --allow-unsigned "$extra/$1.tar"
	assert_untouched /tmp/before
	report "$1" "$(grep -m 1 'cannot install' <<<"$said")"
}

# kernel_refuses NAME REGEX: the kernel itself, asked to load one of its modules, says no.
kernel_refuses() {
	local words
	mkdir -p "/tmp/$1"
	tar -x -C "/tmp/$1" -f "$extra/$1.tar"
	words=$(insmod "/tmp/$1/$(uname -r)/modules/kernel/lib/crypto/libcurve25519-generic.ko" 2>&1) &&
		fail "the kernel takes the module of $1"
	[[ $words =~ $2 ]] || fail "the kernel does not refuse the module of $1 for its signature: $words"
}

[[ $(</sys/module/module/parameters/sig_enforce) == Y ]] || fail "the kernel does not enforce signatures"
report taint_before "$(cat /proc/sys/kernel/tainted)"
assert_built
taken_out /run/vm/bundle.tar
snapshot times >/tmp/before
refuses unsigned 'the kernel accepts only signed modules .* and it is not signed'
refuses other 'which signed these, is not in its keyrings .builtin_trusted_keys'
refuses nameless 'without a signing_key.x509 in the bundle'
kernel_refuses unsigned 'Required key not available|Key was rejected'
kernel_refuses other 'Required key not available|Key was rejected'
kernel_refuses damaged 'Key was rejected|Bad message'
assert_untouched /tmp/before

mkdir -p /etc/wgkmod/keys.d
cp /run/vm/run.pub /etc/wgkmod/keys.d/
run /tmp/wgkmod verify /run/vm/bundle.tar
report verify "$(/tmp/wgkmod verify /run/vm/bundle.tar | grep 'signed for the kernel')"
run /tmp/wgkmod install --load /run/vm/bundle.tar
assert_loaded_set
assert_all_ours
assert_kernel_content
taint=$(</proc/sys/kernel/tainted)
[[ $taint -eq 4096 ]] || fail "taint is $taint:$(taint_letters "$taint"), not O alone"
set_up
pings
tear_down
