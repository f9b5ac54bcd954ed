#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bench-many.sh TARGET...
#
# Measure what each further kernel costs.  In an empty image store, with the cache filled, build the targets one after
# the other: seconds for the image, seconds for the build, MB that the store grows by, MB to download that no target
# before needed, and the medians.  Then build all of them at once in another empty store, compare the bits, and run that
# again with nothing changed: for these targets, and for a hundred targets that differ in their names alone.  Thirty and
# more kernels make figures of the documents.

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
	printf '%s\n' "${LOCK_SHA256[@]}" |
		awk 'FILENAME != "-" { seen[$0] = 1; next } !seen[$0]++' "$TMP/counted" - >"$TMP/new"
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

# middle COLUMN: Print the median of the column of the lines of standard input.
middle() { sort -n -k "$1,$1" | awk -v column="$1" '{ value[NR] = $column } END { print value[int((NR + 1) / 2)] }'; }

# each FROM TO: Print the medians of what the kernels FROM to TO cost, or nothing if there is no kernel FROM.
each() {
	sed -n "$1,$2p" "$TMP/costs" >"$TMP/some"
	[[ -s $TMP/some ]] || return 0
	printf 'kernels %d to %d: image %s s, build %s s, %s MB\n' "$1" $(($1 - 1 + $(wc -l <"$TMP/some"))) \
		"$(middle 1 <"$TMP/some")" "$(middle 2 <"$TMP/some")" "$(middle 3 <"$TMP/some")"
}

# bits DIR: Print the digests of all modules that were built in DIR.
bits() { (cd "$1" && cat ./*/SHA256SUMS | grep -E ' (modules|debug)/' | sort); }

{
	printf '%d processors\n' "$(nproc)"
	printf '%-34s %8s %8s %6s %8s\n' kernel 'image s' 'build s' MB 'download'
	own_storage "$TMP/alone"
	: >"$TMP/counted"
	worked=$(busy) before=$(megabytes "$TMP/alone")
	for name; do
		"$TOP/scripts/fetch.sh" "$name" base toolchain source >>"$LOG" 8>&-
		image=$(OUT=$TMP/out-alone took "$TOP/scripts/image.sh" "$name")
		build=$(OUT=$TMP/out-alone took "$TOP/scripts/artifacts.sh" "$name")
		after=$(megabytes "$TMP/alone")
		printf '%-34s %8s %8s %6d %8d\n' "$name" "$image" "$build" $((after - before)) "$(downloads "$name")"
		printf '%s %s %d\n' "$image" "$build" $((after - before)) >>"$TMP/costs"
		before=$after
	done
	alone=$(awk '{ sum += $1 + $2 } END { print sum }' "$TMP/costs")
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
	{
		each 1 1
		each 2 10
		each 11 "$#"
	} | tee "$TMP/each"
	faster=$(awk -v a="$alone" -v b="$together" 'BEGIN { printf "%.2f times faster", a / b }')
	unchanged=$(awk -v s="$many" 'BEGIN { printf "%.3f s each", s / 100 }')
	printf 'one after the other   %9.1f s  %.1f s of CPU\n' "$alone" "$cpu_alone"
	printf 'all at once           %9.1f s  %.1f s of CPU; %s, the same bits\n' "$together" "$cpu_together" "$faster"
	printf 'nothing changed       %9.2f s\n' "$again"
	printf 'a hundred, no change  %9.2f s  %s\n' "$many" "$unchanged"
	if [[ $# -ge 30 ]]; then
		"$TOP/tests/run/figures.sh" 'bench many kernels' "$(paste -sd ';' "$TMP/each" | sed 's/;/; /g')"
		"$TOP/tests/run/figures.sh" 'bench many at once' "$# at once $together s, one after the other $alone s: $faster"
		"$TOP/tests/run/figures.sh" 'bench many unchanged' "$unchanged"
	fi
} | tee "$results"
phase_end "also in $results"
