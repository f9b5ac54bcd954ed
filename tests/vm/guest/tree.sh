# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# tree.sh - what a test in the guest asserts about the host's files.  Sourced after lib.sh and
# modules.sh.
# shellcheck disable=SC2154 # modules.sh sets tree

# snapshot [times]: all that can be seen of the kernel's folder, its files' content included; with
# "times" also when they were modified, not the change time, which a clone of hard links cannot keep.
snapshot() {
	(
		cd "$tree" || exit
		find . -printf '%p %y %m %U:%G %l'"${1:+ %T@}"'\n' | sort
		find . -type f -print0 | sort -z | xargs -0 sha256sum
	)
}

# assert_untouched SNAPSHOT-FILE: since that, with times, nothing was written to the kernel's directory, where the state is too.
assert_untouched() {
	local change
	change=$(snapshot times | diff "$1" - | head -n 3) || [[ $? -eq 1 ]]
	[[ -z $change ]] || fail "the kernel's folder was changed: $change"
}

# assert_rpm_clean: every file of the kernel's package is as rpm knows it.
assert_rpm_clean() {
	local package words
	export HOME=/root # where Debian's rpm keeps what it knows
	package=$(rpm --query --file "$tree/modules.order")
	[[ $package == "kernel-core-$(uname -r)" ]] || fail "rpm says that $tree/modules.order is of $package"
	# what the kernel's package asks for to be installed on a machine is not in the VM
	words=$(rpm --verify --nodeps "$package" 2>&1) || fail "rpm --verify $package: $words"
	[[ -z $words ]] || fail "rpm --verify $package: $words"
}

# taken_out: wgkmod, out of the bundle, as /tmp/wgkmod.
taken_out() {
	tar -x -O -f "$1" "$(uname -r)/wgkmod" >/tmp/wgkmod
	chmod 755 /tmp/wgkmod
}
