#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bench-many.sh TARGET...
#
# Measure what each further kernel costs.  In an empty image store, with the cache filled, build the targets one after
# the other: seconds for the image, seconds for the build, MB that the store grows by, MB to download that no target
# before needed.  Then build all of them at once in another empty store, compare the bits, and run that again with
# nothing changed: for these targets, and for a hundred targets that differ in their names alone.

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

# downloads TARGET: Print the MB of the target's inputs that no call before has counted.
downloads() {
	TARGET=$1
	read_lock "$1" base toolchain source
	printf '%s\n' "${LOCK_SHA256[@]}" | awk 'FILENAME != "-" { seen[$0] = 1; next } !seen[$0]++' "$TMP/counted" - >"$TMP/new"
	cat "$TMP/new" >>"$TMP/counted"
	while read -r sha256; do stat -c %s "$(cached "$sha256")"; done <"$TMP/new" |
		awk '{ bytes += $1 } END { printf "%.0f\n", bytes / 1000000 }'
}

# busy: Print the seconds that the processors of this machine have worked since it started.
busy() { awk -v hz="$(getconf CLK_TCK)" '$1 == "cpu" { printf "%.1f\n", ($2 + $3 + $4) / hz }' /proc/stat; }

# hundred TARGET: Make a hundred targets, with another name each, of one that is built.  Print their names.
hundred() {
	local n
	mkdir "$TMP/targets"
	for n in {001..100}; do
		cp "$TARGET_DIR/$1" "$TMP/targets/$n-$1"
		cp "$TARGET_DIR/$1.lock" "$TMP/targets/$n-$1.lock"
		cp "$TMP/out-together/.made/$1" "$TMP/out-together/.made/$n-$1"
		printf '%s\n' "$n-$1"
	done
}

# bits DIR: Print the digests of all modules that were built in DIR.
bits() { (cd "$1" && cat ./*/SHA256SUMS | grep -E ' (modules|debug)/' | sort); }

{
	printf '%d processors\n' "$(nproc)"
	printf '%-34s %8s %8s %6s %8s\n' kernel 'image s' 'build s' MB 'download'
	own_storage "$TMP/alone"
	: >"$TMP/counted"
	n=0 worked=$(busy) before=$(megabytes "$TMP/alone")
	for name; do
		"$TOP/scripts/fetch.sh" "$name" base toolchain source >>"$LOG" 8>&-
		image=$(OUT=$TMP/out-alone took "$TOP/scripts/image.sh" "$name")
		build=$(OUT=$TMP/out-alone took "$TOP/scripts/artifacts.sh" "$name")
		after=$(megabytes "$TMP/alone")
		printf '%-34s %8s %8s %6d %8d\n' "$name" "$image" "$build" $((after - before)) "$(downloads "$name")"
		before=$after
		printf '%d %s %s\n' "$((++n))" "$image" "$build" >>"$TMP/costs"
	done
	alone=$(awk '{ sum += $2 + $3 } END { print sum }' "$TMP/costs")
	cpu_alone=$(awk -v a="$worked" -v b="$(busy)" 'BEGIN { print b - a }')
	own_storage "$TMP/together"
	worked=$(busy)
	together=$(OUT=$TMP/out-together took "$TOP/cluster/many.sh" artifacts "$@")
	cpu_together=$(awk -v a="$worked" -v b="$(busy)" 'BEGIN { print b - a }')
	again=$(OUT=$TMP/out-together took "$TOP/cluster/many.sh" artifacts "$@")
	bits "$TMP/out-alone" >"$TMP/bits-alone"
	bits "$TMP/out-together" | cmp - "$TMP/bits-alone" || die "built together, the modules have other bits"
	mapfile -t names < <(hundred "$1")
	[[ ${#names[@]} -eq 100 ]] || die "there are ${#names[@]} targets instead of a hundred"
	many=$(TARGET_DIR=$TMP/targets OUT=$TMP/out-together took "$TOP/cluster/many.sh" artifacts "${names[@]}")
	awk 'NR > 1 { if (NR <= 10) { early += $2 + $3; e++ } else { late += $2 + $3; l++ } }
		END {
			if (e) printf "kernels 2 to %-3d       %7.1f s each\n", 1 + e, early / e
			if (l) printf "kernels 11 to %-3d      %7.1f s each\n", 10 + l, late / l
		}' "$TMP/costs"
	awk -v n="$#" -v alone="$alone" -v together="$together" -v again="$again" -v many="$many" \
		-v cpu_alone="$cpu_alone" -v cpu_together="$cpu_together" 'BEGIN {
			printf "one after the other   %9.1f s  %.1f s of CPU\n", alone, cpu_alone
			printf "all at once           %9.1f s  %.1f s of CPU; %.2f times faster, the same bits\n", together,
				cpu_together, alone / together
			printf "nothing changed       %9.2f s  %.3f s each\n", again, again / n
			printf "a hundred, no change  %9.2f s  %.3f s each\n", many, many / 100 }'
} | tee "$results"
phase_end "also in $results"
