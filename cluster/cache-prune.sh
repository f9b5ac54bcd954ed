#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: cache-prune.sh
#
# Remove from the cache each file that no lock in TARGET_DIR or tests/ names, each partial download, and each directory
# of a killed run, if it is older than a day: what other runs are downloading for a lock that is not written yet is
# younger.  A file that is missed later is only downloaded again.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../scripts/lib.sh"
[[ $# -eq 0 ]] || die "usage: cache-prune.sh"
[[ -d $CACHE/sha256 ]] || die "there is no cache '$CACHE'"
own_dir "$CACHE/sha256"
make_tmp "$CACHE"

mapfile -t locks < <(find "$TARGET_DIR" "$TOP/tests" -name '*.lock')
[[ ${#locks[@]} -gt 0 ]] || die "there is no lock in '$TARGET_DIR': nothing is removed"
awk '$2 ~ /^[0-9a-f]+$/ { print $2 }' "${locks[@]}" >"$TMP/kept"
# the blobs of each base image
awk '$3 ~ /^docker:/ { print $2 }' "${locks[@]}" | sort -u | while read -r manifest; do
	[[ ! -f $(cached "$manifest") ]] || image_blobs "$(cached "$manifest")"
done >"$TMP/blobs"
sort -u -o "$TMP/kept" "$TMP/kept" "$TMP/blobs"

find "$CACHE/sha256" -maxdepth 1 -type f -mmin +1440 -printf '%f\n' | sort | comm -23 - "$TMP/kept" >"$TMP/unnamed"
cd "$CACHE/sha256"
size=$(xargs -d '\n' --no-run-if-empty stat -c %s <"$TMP/unnamed" | awk '{ n += $1 } END { print int(n / 1000000) }')
xargs -d '\n' --no-run-if-empty rm -f -- <"$TMP/unnamed"
[[ ! -d $CACHE/partial ]] || find "$CACHE/partial" -type f -mmin +1440 -delete
find "$CACHE" -maxdepth 1 -name '.wgkmod-tmp.*' -mmin +1440 -exec rm -rf -- {} +
say cache "$(wc -l <"$TMP/unnamed") files removed, $size MB; $(find "$CACHE/sha256" -type f | wc -l) are kept"
