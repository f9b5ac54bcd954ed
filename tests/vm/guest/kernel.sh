#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Test in the guest with a running kernel: offer it each module below /run/vm/mutants; then run install --load
# where it must fail, and where it must succeed.

# shellcheck source=tests/vm/guest/lib.sh
. /run/vm/guest/lib.sh
# shellcheck source=tests/vm/guest/modules.sh
. /run/vm/guest/modules.sh
trap_errors

# expect STATUS REGEX COMMAND...: Run the command; fail unless it exits with STATUS and its output matches.
expect() {
	local expected=$1 regex=$2 words status=0
	shift 2
	words=$("$@" 2>&1) || status=$?
	printf '%s\n' "$words"
	[[ $status -eq $expected && $words =~ $regex ]] ||
		fail "'$*' ended with status $status instead of $expected: $words"
}

# tree_is NAME: The first time, keep the state of the kernel's directory under NAME; later, fail unless it is
# the same: the same files, by inode, size and time, and the same indexes, by content.
tree_is() {
	(cd "$tree" && find . -type f -printf '%p %m %l %i %s %T@\n' -o -printf '%p %y %m %l\n' | sort &&
		sha256sum modules.*) >/tmp/looks
	[[ -e /tmp/$1 ]] || cp /tmp/looks "/tmp/$1"
	cmp /tmp/looks "/tmp/$1" || fail "the kernel's directory differs from the state '$1'"
}

# nothing_of_ours KEPT: Fail if a module of ours is installed, or one that is not in KEPT is loaded.
nothing_of_ours() {
	local left
	tree_is before
	[[ ! -e $tree/.wgkmod ]] || fail "wgkmod has a state left"
	left=$(but "$(ours_loaded)" "$1")
	[[ -z $left ]] || fail "still loaded: $left"
}

# The modules that the mutants were made from; and those that stay loaded: 5.10's libchacha20poly1305 cannot be
# unloaded, nor the modules that it needs.
set=(wireguard ip6_udp_tunnel udp_tunnel libchacha20poly1305 chacha_x86_64 poly1305_x86_64 libchacha libpoly1305
	curve25519_x86_64 libcurve25519_generic libcurve25519 blake2s_x86_64)
kept="libchacha20poly1305 libchacha libpoly1305 chacha_x86_64 poly1305_x86_64"

load() {
	local tainted
	tainted=$(</proc/sys/kernel/tainted) # by mutants
	tree_is before
	expect 5 'disagrees about version of symbol skb_push' \
		/run/vm/out/wgkmod install --load --allow-unsigned /run/vm/refused
	nothing_of_ours "$kept"
	report load_refused yes

	expect 0 'installed: ' /run/vm/out/wgkmod install --load --key /run/vm/run.pub /run/vm/bundle.tar
	[[ -d /sys/module/wireguard ]] || fail "--load ended with 0 and wireguard is not loaded"
	expect 0 'wireguard.ko: intact, loaded' /run/vm/out/wgkmod status
	ip link add wg0 type wireguard
	ip link delete wg0
	report load_done yes
	assert_taint_added "$tainted"
}

# assert_taint_added BEFORE: Fail if the kernel's taint has more than BEFORE, O and E.
assert_taint_added() {
	local taint
	taint=$(</proc/sys/kernel/tainted)
	((!(taint & ~(12288 | $1)))) || fail "taint is $taint:$(taint_letters "$taint"), and was $1"
}

# clear: Unload all modules of the set that can be unloaded, users first.
clear() {
	local name users by what
	while :; do
		what=()
		while read -r name _ users by _; do
			[[ " ${set[*]} " != *" $name "* || $users -ne 0 || $by == *'[permanent]'* ]] || what+=("$name")
		done </proc/modules
		[[ ${#what[@]} -gt 0 ]] || break
		run rmmod "${what[@]}"
	done
}

# need NAME...: Load the modules that are not loaded.
need() {
	local name
	for name; do
		[[ -d /sys/module/${name//-/_} ]] || run modprobe "$name"
	done
}

# offer: Load the dependencies of each mutant's original, then try to load the mutant; report
# "insmod NUMBER yes|no|not-offered" for each.
offer() {
	local number name depends verdict
	run /run/vm/out/wgkmod install --key /run/vm/run.pub /run/vm/bundle.tar
	while read -r number name depends; do
		[[ ! -d /sys/module/${name//-/_} ]] || clear
		# shellcheck disable=SC2086 # words
		[[ $depends == - ]] || need ${depends//,/ }
		verdict=no
		if [[ -d /sys/module/${name//-/_} ]]; then
			verdict=not-offered # loaded for good
		elif insmod "/run/vm/mutants/$number/$name.ko"; then
			verdict=yes
		fi
		report insmod "$number" "$verdict"
	done </run/vm/mutants/list
	clear
	run /run/vm/out/wgkmod remove
}

assert_built
offer
load
