#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest: wgkmod installs what was built, and the kernel's own test, netns.sh, runs against it.

# shellcheck source=tests/vm/guest/lib.sh
. /run/vm/guest/lib.sh
# shellcheck source=tests/vm/guest/modules.sh
. /run/vm/guest/modules.sh
trap_errors

# The last words of netns.sh, when all of it passed.
last='Objects that were created were also destroyed.'

# prepare: what netns.sh takes for granted: its programs, and a kernel that has conntrack.
prepare() {
	local program missing=
	[[ -e /usr/sbin/iptables ]] || ln -s iptables-nft /usr/sbin/iptables # what Debian's package would do
	for program in iperf3 ping ping6 ncat iptables ss wg ip; do
		command -v "$program" >/dev/null || missing+=" $program"
	done
	[[ -z $missing ]] || fail "netns.sh needs$missing: VM of the target does not name the packages"
	run modprobe nf_conntrack
}

# watch_objects: has the module say what it makes and destroys; the end of netns.sh counts that.
watch_objects() {
	local word control=/proc/dynamic_debug/control
	[[ -w $control ]] || fail "the kernel has no dynamic debug: netns.sh could not see what is left behind"
	for word in created destroyed; do
		printf 'module wireguard format "%s" +p\n' "$word" >"$control"
	done
}

# netns: runs it, its output on the console; standard input never ends, as netns.sh sleeps on it.
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
	[[ $status -eq 0 ]] || fail "netns.sh ended with status $status; its last step: $(grep '^\[+\]' /tmp/netns | grep -v 'del' | tail -n 1)"
	grep -qxF "[+] $last" /tmp/netns || fail "netns.sh ended with status 0, but not with '$last'"
	report steps "$(grep -c '^\[+\]' /tmp/netns)"
}

# assert_objects: that netns.sh had objects to count.
assert_objects() {
	local made gone
	made=$(dmesg | grep -cE 'wireguard: wg[0-9]+: .*created') || fail "the kernel never said that WireGuard made anything"
	gone=$(dmesg | grep -cE 'wireguard: wg[0-9]+: .*destroyed') || fail "the kernel never said that WireGuard destroyed anything"
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
