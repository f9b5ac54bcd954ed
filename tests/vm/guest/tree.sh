# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# tree.sh - assertions about the host's files, for tests in the guest.  Sourced after lib.sh and modules.sh.
# shellcheck disable=SC2154 # modules.sh sets tree

# snapshot [times]: Print the state of the kernel's directory, with the contents of its files.  With "times" also
# print modification times, but no change times: a clone of hard links cannot keep these.
snapshot() {
	(
		cd "$tree" || exit
		find . -printf '%p %y %m %U:%G %l'"${1:+ %T@}"'\n' | sort
		find . -type f -print0 | sort -z | xargs -0 sha256sum
	)
}

# assert_untouched SNAPSHOT-FILE: since that, with times, nothing was written to the kernel's directory, where the
# state is too.
assert_untouched() {
	local change
	change=$(snapshot times | diff "$1" - | head -n 3) || [[ $? -eq 1 ]]
	[[ -z $change ]] || fail "the kernel's directory was changed: $change"
}

# assert_rpm_clean: Fail unless rpm --verify finds every file of the kernel's package unchanged.
assert_rpm_clean() {
	local package words
	export HOME=/root # Debian's rpm keeps its database there
	package=$(rpm --query --file "$tree/modules.order")
	[[ $package == "kernel-core-$(uname -r)" ]] || fail "rpm says that $tree/modules.order is of $package"
	# --nodeps: the VM lacks packages that the kernel's package requires on a machine.
	words=$(rpm --verify --nodeps "$package" 2>&1) || fail "rpm --verify $package: $words"
	[[ -z $words ]] || fail "rpm --verify $package: $words"
}

# taken_out BUNDLE: Extract the bundle's wgkmod to /tmp/wgkmod.
taken_out() {
	tar -x -O -f "$1" "$(uname -r)/wgkmod" >/tmp/wgkmod
	chmod 755 /tmp/wgkmod
}
