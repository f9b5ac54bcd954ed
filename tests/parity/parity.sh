#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: parity.sh TARGET
#
# Compare the modules in out/RELEASE/ (make artifacts) with those in the distribution's own kernel package.
# tests/parity/parity.c says what is compared and what may differ.  Exit with 0 only if the code of each module
# is the same.  Reads the stage "kernel" of the lock from the cache.
#
# The figures go to out/proofs/parity-TARGET as KEY=VALUE lines, for the table of all targets.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

# vendor_module MODULE: Copy the kernel's own kernel/MODULE.ko to TMP/vendor.ko, uncompressed.
vendor_module() {
	local file found=()
	for file in "$TMP/kernel"{,/usr}"/lib/modules/$RELEASE/kernel/$1.ko"{,.gz,.xz,.zst}; do
		[[ ! -f $file ]] || found+=("$file")
	done
	[[ ${#found[@]} -eq 1 ]] || die "the kernel package of $RELEASE has ${#found[@]} modules kernel/$1.ko, not one"
	plain_module "${found[0]}" >"$TMP/vendor.ko"
}

# compare MODULE: Compare one module; add its figures to TMP/equal.
compare() {
	local module=$1 status=0
	vendor_module "$module"
	"$OUT/parity/parity" "${module##*/}" "$OUT/$RELEASE/modules/kernel/$module.ko" "$TMP/vendor.ko" \
		>"$TMP/said" || status=$?
	cat "$TMP/said" >>"$LOG"
	[[ -z $V && $status -eq 0 ]] || cat "$TMP/said"
	[[ $status -le 1 ]] || die "$module.ko cannot be compared"
	grep -a ': equal ' "$TMP/said" >>"$TMP/equal" || [[ $? -eq 1 ]]
	return "$status"
}

# total KEY: Print the sum of KEY= over the modules.
total() { grep -o " $1=[0-9]*" "$TMP/equal" | awk -F = '{ n += $2 } END { print n + 0 }'; }

main() {
	local module sums failed=0 n=0 differing
	[[ $# -eq 1 && $1 != -* ]] || die "usage: parity.sh TARGET"
	read_target "$1"
	[[ -n $KERNEL_IMAGE && -n $HIDE ]] ||
		die "'$TARGET' names no kernel that ships these modules itself (KERNEL_IMAGE and HIDE)"
	sums=$OUT/$RELEASE/SHA256SUMS
	[[ -f $sums ]] || die "there is no '$sums'; run: make artifacts TARGET=$TARGET"
	make_tmp "$OUT"
	phase_begin parity
	mkdir "$TMP/kernel"
	run make --no-print-directory -C "$TOP/tests/parity" O="$OUT/parity"
	"$TOP/scripts/stage.sh" "$TARGET" kernel "$TMP/packages"
	run family_unpack "$TMP/packages" "$TMP/kernel"
	: >"$TMP/equal"
	while read -r module; do
		((++n))
		compare "$module" || ((++failed))
	done < <(sed -n 's,^[0-9a-f]* [ *]modules/kernel/\(.*\)\.ko$,\1,p' "$sums")
	[[ $n -gt 0 ]] || die "'$sums' names no module"
	[[ $failed -eq 0 ]] || die "$failed of $n modules are not the code that $RELEASE ships"
	differing=$(sed -n 's/.* differing=//p' "$TMP/equal" | tr ',' '\n' | sort | uniq -c |
		awk -v n="$n" '{ print $2 ($1 == n ? "" : ":" $1) }' | paste -sd ,)
	mkdir -p "$OUT/proofs"
	printf '%s\n' "modules=$n" "sections=$(total sections)" "bytes=$(total bytes)" "relocations=$(total relocations)" \
		"symbols=$(total symbols)" "crcs=$(total crcs)" "modinfo=$(total modinfo)" "differing=$differing" \
		>"$OUT/proofs/parity-$TARGET"
	"$TOP/tests/run/figures.sh" "parity $TARGET" "$n | $(total sections) | $(total bytes) | $(total relocations) |" \
		"$(total symbols) | $(total crcs)"
	say parity "$n modules of $RELEASE are the vendor's code: $(total sections) sections of $(total bytes) bytes," \
		"$(total relocations) relocations, $(total symbols) symbols, $(total crcs) CRCs equal"
	phase_end "may differ and does: $differing"
}

main "$@"
