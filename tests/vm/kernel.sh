#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: kernel.sh TARGET MUTANTS
#
# What only a running kernel can tell, in the VM with the target's stock kernel: wgkmod install
# --load, where it succeeds, where the kernel refuses a module and where no interface can be made;
# and whether the kernel loads what wgkmod check accepts.  MUTANTS is a folder of modules, each in a
# folder of its own; a file "list" beside them has lines NUMBER NAME DEPENDS, as guest/kernel.sh
# reads them, and a file "verdicts" NUMBER yes|no, what wgkmod said.  Status 0 only if there is none
# that wgkmod accepts and the kernel does not.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

VM_TIMEOUT=${VM_TIMEOUT:-3600}

# refused_payload DIR: the build's output with another version of skb_push in wireguard.
refused_payload() {
	local dir=$1 module at
	mkdir "$dir"
	cp -r "$OUT/$RELEASE/modules" "$dir/"
	module=$dir/modules/kernel/drivers/net/wireguard/wireguard.ko
	run objcopy --dump-section "__versions=$TMP/versions" "$module"
	at=$(LC_ALL=C grep -obUaP '(?<=\x00)skb_push(?=\x00)' "$TMP/versions" | head -n 1)
	printf '\xff\xff\xff\xff' | dd of="$TMP/versions" bs=1 seek=$((${at%%:*} - 8)) conv=notrunc status=none
	run objcopy --update-section "__versions=$TMP/versions" "$module"
	(cd "$dir" && find modules -type f -print0 | sort -z | xargs -0 sha256sum >SHA256SUMS)
}

# cells: counts what wgkmod and the kernel said of each mutant; prints those that must not be.
cells() {
	local number verdict said
	while read -r number verdict; do
		said=$(vm_figure "insmod $number")
		[[ $said == yes || $said == no || $said == not-offered ]] || die "the guest says nothing of mutant $number"
		count[$verdict/$said]=$((${count[$verdict/$said]:-0} + 1))
		[[ $verdict/$said != yes/no ]] || say kernel "wgkmod accepts mutant $number, the kernel does not: $(<"$1/$number/what")"
	done <"$1/verdicts"
}

main() {
	local -A count=()
	[[ $# -eq 2 && $1 != -* ]] || die "usage: kernel.sh TARGET MUTANTS"
	read_target "$1"
	[[ $FAMILY == deb ]] || die "the VM is there for the family deb; '$TARGET' is of the family $FAMILY"
	# shellcheck source=tests/vm/vm.sh
	. "$TOP/tests/vm/vm.sh"
	vm_require
	make_tmp "$OUT/vm"
	phase_begin kernel
	refused_payload "$TMP/refused"
	cp -r "$2" "$TMP/mutants"
	vm_payload "$OUT/$RELEASE" refused mutants
	vm_disk
	vm_start kernel
	vm_wait
	[[ $VM_VERDICT == pass ]] || die "the test in the kernel failed: $VM_WHY"
	say kernel "install --load: done $(vm_figure load_done);" \
		"taken out again where the kernel refuses a module $(vm_figure load_refused)," \
		"where no interface can be made $(vm_figure load_unusable)"
	cells "$2"
	say kernel "$(wc -l <"$2/verdicts") mutants: both accept ${count[yes/yes]:-0}, both refuse ${count[no/no]:-0}," \
		"only the kernel accepts ${count[no/yes]:-0}, only wgkmod accepts ${count[yes/no]:-0};" \
		"not offered, as one of the name cannot be unloaded: $((${count[yes/not-offered]:-0} + ${count[no/not-offered]:-0}))"
	# what was not offered shows nothing of what wgkmod accepted
	[[ ${count[yes/no]:-0} -eq 0 && ${count[yes/not-offered]:-0} -eq 0 && ${count[yes/yes]:-0} -gt 0 && ${count[no/no]:-0} -gt 0 ]] ||
		die "wgkmod and the kernel do not agree, or the kernel was not asked"
	phase_end "passed"
}

main "$@"
