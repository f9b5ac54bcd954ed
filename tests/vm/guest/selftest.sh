#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest: install the build with wgkmod, and run the kernel's own test, netns.sh, against it.

# shellcheck source=tests/vm/guest/lib.sh
. /run/vm/guest/lib.sh
# shellcheck source=tests/vm/guest/modules.sh
. /run/vm/guest/modules.sh
trap_errors

# The last line of netns.sh if all of it passed.
last='Objects that were created were also destroyed.'

# prepare: Check the programs that netns.sh needs, and load conntrack.
prepare() {
	local program missing=
	[[ -e /usr/sbin/iptables ]] || ln -s iptables-nft /usr/sbin/iptables # Debian's package does so in a script
	for program in iperf3 ping ping6 ncat iptables ss wg ip; do
		command -v "$program" >/dev/null || missing+=" $program"
	done
	[[ -z $missing ]] || fail "netns.sh needs$missing: VM of the target does not name the packages"
	run modprobe nf_conntrack
}

# watch_objects: Let the module log the objects that it makes and destroys; netns.sh counts them at its end.
watch_objects() {
	local word control=/proc/dynamic_debug/control
	[[ -w $control ]] || fail "the kernel has no dynamic debug: netns.sh could not see what is left behind"
	for word in created destroyed; do
		printf 'module wireguard format "%s" +p\n' "$word" >"$control"
	done
}

# netns: Run netns.sh with its output on the console.  Its standard input never ends: netns.sh sleeps on it.
netns() {
	local start watcher status=0
	mkfifo /tmp/never
	: >/tmp/netns.log
	tail -n +1 -f /tmp/netns.log &
	watcher=$!
	start=$(now_ms)
	bash /run/vm/netns.sh <>/tmp/never >/tmp/netns.log 2>&1 || status=$?
	report netns_s "$(seconds $(($(now_ms) - start)))"
	kill "$watcher"
	sed 's/\x1b\[[0-9;]*m//g' /tmp/netns.log >/tmp/netns
	[[ $status -eq 0 ]] ||
		fail "netns.sh ended with status $status; its last step: $(grep '^\[+\]' /tmp/netns | grep -v 'del' | tail -n 1)"
	grep -qxF "[+] $last" /tmp/netns || fail "netns.sh ended with status 0, but not with '$last'"
	report steps "$(grep -c '^\[+\]' /tmp/netns)"
}

# assert_objects: Fail if netns.sh had no objects to count.
assert_objects() {
	local made gone
	made=$(dmesg | grep -cE 'wireguard: wg[0-9]+: .*created') ||
		fail "the kernel never said that WireGuard made anything"
	gone=$(dmesg | grep -cE 'wireguard: wg[0-9]+: .*destroyed') ||
		fail "the kernel never said that WireGuard destroyed anything"
	report objects "$made/$gone"
}

assert_built
assert_hidden
prepare
install_modules
load_wireguard
watch_objects
assert_loaded_set
assert_all_ours
netns
assert_objects
assert_kernel_content
unload_ours
