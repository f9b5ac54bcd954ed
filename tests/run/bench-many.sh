#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bench-many.sh TARGET...
#
# Measure what each further kernel costs.  In an empty image store, with the cache filled, build the targets one after
# the other: seconds for the image, seconds for the build, MB that the store grows by.  Then build all of them at once
# in another empty store, compare the bits, and run that again with nothing changed.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=scripts/lib/podman.sh
. "$TOP/scripts/lib/podman.sh"
[[ $# -gt 0 ]] || die "usage: bench-many.sh TARGET..."
TARGET=many
phase_begin bench
make_tmp "$OUT"
results=$OUT/bench-many.txt

# took COMMAND...: Run the command, its output to the log, and print its wall-clock time in seconds.
took() {
	local start
	start=$(now_ms)
	"$@" >>"$LOG" 2>&1 8>&- || return
	awk -v ms="$(($(now_ms) - start))" 'BEGIN { printf "%.1f\n", ms / 1000 }'
}

# megabytes STORE: Print the size of the image store on disk.
megabytes() { du -sm "$1" | cut -f 1; }

# bits DIR: Print the digests of all modules that were built in DIR.
bits() { (cd "$1" && cat ./*/SHA256SUMS | grep -E ' (modules|debug)/' | sort); }

{
	printf '%d processors\n' "$(nproc)"
	printf '%-34s %8s %8s %6s\n' kernel 'image s' 'build s' MB
	own_storage "$TMP/alone"
	sum=0 before=$(megabytes "$TMP/alone")
	for name; do
		"$TOP/scripts/fetch.sh" "$name" base toolchain source >>"$LOG" 8>&-
		image=$(OUT=$TMP/out-alone took "$TOP/scripts/image.sh" "$name")
		build=$(OUT=$TMP/out-alone took "$TOP/scripts/artifacts.sh" "$name")
		after=$(megabytes "$TMP/alone")
		printf '%-34s %8s %8s %6d\n' "$name" "$image" "$build" $((after - before))
		before=$after
		sum=$(awk -v a="$sum" -v b="$image" -v c="$build" 'BEGIN { print a + b + c }')
	done
	own_storage "$TMP/together"
	together=$(OUT=$TMP/out-together took "$TOP/cluster/many.sh" artifacts "$@")
	again=$(OUT=$TMP/out-together took "$TOP/cluster/many.sh" artifacts "$@")
	bits "$TMP/out-alone" >"$TMP/bits-alone"
	bits "$TMP/out-together" | cmp - "$TMP/bits-alone" || die "built together, the modules have other bits"
	awk -v n="$#" -v sum="$sum" -v together="$together" -v again="$again" 'BEGIN {
		printf "one after the other   %7.1f s\n", sum
		printf "all at once           %7.1f s   %.2f times faster, the same bits\n", together, sum / together
		printf "nothing changed       %7.2f s   %.3f s each\n", again, again / n }'
} | tee "$results"
phase_end "also in $results"
