#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: kernel.sh TARGET MUTANTS
#
# Test with a running kernel, the target's stock kernel in the VM.  Run wgkmod install --load in two cases: it
# succeeds, and the kernel refuses a module.  Then offer the modules in MUTANTS to the kernel: it must load each
# that wgkmod check accepts, else exit with 1.
#
# MUTANTS is a directory of modules, each in a directory of its own.  Its file "list" has lines NUMBER NAME
# DEPENDS for guest/kernel.sh, and its file "verdicts" lines NUMBER yes|no with wgkmod's verdict.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

VM_TIMEOUT=${VM_TIMEOUT:-3600}

# refused_payload DIR: Copy the build's output to DIR, with a wrong version of skb_push in wireguard.
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

# cells MUTANTS: Count the verdicts of wgkmod and the kernel; print each mutant that only wgkmod accepts.
cells() {
	local number verdict said
	while read -r number verdict; do
		said=$(vm_figure "insmod $number")
		[[ $said == yes || $said == no || $said == not-offered ]] || die "the guest says nothing of mutant $number"
		count[$verdict/$said]=$((${count[$verdict/$said]:-0} + 1))
		[[ $verdict/$said != yes/no ]] ||
			say kernel "wgkmod accepts mutant $number, the kernel does not: $(<"$1/$number/what")"
	done <"$1/verdicts"
}

main() {
	local -A count=()
	[[ $# -eq 2 && $1 != -* ]] || die "usage: kernel.sh TARGET MUTANTS"
	read_target "$1"
	[[ $FAMILY == deb ]] || die "this test is only for the family deb; '$TARGET' is of the family $FAMILY"
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
		"taken out again where the kernel refuses a module $(vm_figure load_refused)"
	cells "$2"
	say kernel "$(wc -l <"$2/verdicts") mutants: both accept ${count[yes/yes]:-0}, both refuse ${count[no/no]:-0}," \
		"only the kernel accepts ${count[no/yes]:-0}, only wgkmod accepts ${count[yes/no]:-0};" \
		"not offered, as one of the name cannot be unloaded: $((${count[yes/not-offered]:-0} + ${count[no/not-offered]:-0}))"
	# A mutant that was not offered proves nothing about wgkmod's "yes".
	[[ ${count[yes/no]:-0} -eq 0 && ${count[yes/not-offered]:-0} -eq 0 &&
		${count[yes/yes]:-0} -gt 0 && ${count[no/no]:-0} -gt 0 ]] ||
		die "wgkmod and the kernel do not agree, or the kernel was not asked"
	"$TOP/tests/run/figures.sh" kernel "$(wc -l <"$2/verdicts") changed modules in one boot:" \
		"${count[yes/yes]} accepted and loaded, ${count[yes/no]:-0} accepted and refused by the kernel," \
		"${count[no/yes]:-0} refused that the kernel would load, ${count[no/no]} that neither takes"
	phase_end "passed"
}

main "$@"
