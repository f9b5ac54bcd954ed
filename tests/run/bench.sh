#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bench.sh TARGET
#
# Measure make artifacts with an existing image.  Compare it with the bare compile, which is the CPU time of
# compiler and assembler in that build divided by the number of processors, and with the usual procedure by
# hand, in the same container and with the source ready.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=scripts/lib/podman.sh
. "$TOP/scripts/lib/podman.sh"
[[ $# -eq 1 ]] || die "usage: bench.sh TARGET"
read_target "$1"
[[ $FAMILY == deb ]] || die "the hand procedure of make bench is written for the family deb"

"$TOP/scripts/artifacts.sh" "$TARGET" >&2
builder=$("$TOP/scripts/image.sh" "$TARGET" --name)
phase_begin bench
make_tmp "$OUT"
podman_probe "$builder"
"$TOP/scripts/stage.sh" "$TARGET" source "$TMP/source"
cp "$TOP/tests/run/bench-container.sh" "$TMP/bench.sh"

# took COMMAND...: Run the command, its output to the log, and print its wall-clock time in seconds.
took() {
	local start
	start=$(now_ms)
	"$@" >>"$LOG" 2>&1 || return
	awk -v ms="$(($(now_ms) - start))" 'BEGIN { printf "%.2f\n", ms / 1000 }'
}

# in_builder COMMAND...: Run the command in a container of the builder, with the source and the bench script in
# /bench.
in_builder() {
	"${PODMAN[@]}" run --rm --network=none --pull=never "${PODMAN_LIMITS[@]}" --security-opt=label=disable \
		--tmpfs /build:rw,exec,size=4g --volume "$TMP:/bench:ro" "$builder" "$@" 8>&-
}

mkdir "$TMP/warm" "$TMP/out"
cp "$OUT/.podman" "$TMP/warm/"
cp "$OUT/.podman" "$TMP/out/"
# A first build warms the page cache for the others.
OUT=$TMP/warm "$TOP/scripts/artifacts.sh" "$TARGET" >>"$LOG" 2>&1
build=$(OUT=$TMP/out took "$TOP/scripts/artifacts.sh" "$TARGET")
again=$(OUT=$TMP/out took "$TOP/scripts/artifacts.sh" "$TARGET")
in_builder bash /bench/bench.sh bare >"$TMP/bare" 2>>"$LOG"
in_builder bash /bench/bench.sh hand "$RELEASE" >"$TMP/hand" 2>>"$LOG"
bare=$(awk -v cpus="$(nproc)" '{ printf "%.2f", $1 / cpus }' "$TMP/bare")
hand=$(awk '{ total += $2 } END { printf "%.2f", total }' "$TMP/hand")

# times A B: Print how many times B goes into A.
times() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f times", a / b }'; }

{
	printf '%s, %d processors\n' "$TARGET" "$(nproc)"
	printf 'bare compile          %6.2f s   %d runs of the compiler\n' "$bare" "$(awk '{ print $2 }' "$TMP/bare")"
	printf 'make artifacts        %6.2f s   %s the bare compile; the image was there\n' \
		"$build" "$(times "$build" "$bare")"
	printf 'make artifacts again  %6.2f s   nothing changed\n' "$again"
	printf 'by hand               %6.2f s   %s make artifacts: %s\n' "$hand" "$(times "$hand" "$build")" \
		"$(awk '{ printf "%s%s %.1f", separator, $1, $2; separator = ", " }' "$TMP/hand")"
	printf 'builder image         %6d MB\n' $(($(podman image inspect --format '{{.Size}}' "$builder") / 1000000))
} | tee "$OUT/bench.txt"
"$TOP/tests/run/figures.sh" 'bench build' "$build s against $bare s: $(times "$build" "$bare")"
"$TOP/tests/run/figures.sh" 'bench hand' "$hand s: $(times "$hand" "$build") that"
phase_end "also in $OUT/bench.txt"
