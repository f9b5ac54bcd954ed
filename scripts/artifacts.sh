#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: artifacts.sh TARGET
#
# Do the whole job for one kernel: fetch, image, build, proof.  The result is out/RELEASE/.  If the same
# inputs made it already, only verify it.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/lib/podman.sh
. "$TOP/scripts/lib/podman.sh"
[[ $# -eq 1 ]] || die "usage: artifacts.sh TARGET"
read_target "$1"
read_lock "$TARGET" base toolchain source
require_complete_lock "$TARGET"

dest=$OUT/$RELEASE
stamp=$OUT/.made/$TARGET

# made_from: Print the inputs: the builder image's name, which has a digest of its contents, and the digests
# of the scripts that run on the host.
made_from() {
	"$TOP/scripts/image.sh" "$TARGET" --name
	(cd "$TOP" && host_files | xargs sha256sum)
}

# is_made INPUTS: Return 0 if out/RELEASE/ was made from INPUTS and has not changed since.  A bundle, which
# make bundle puts there, is no change.
is_made() {
	[[ -f $stamp && -f $dest/SHA256SUMS ]] &&
		[[ $(cat "$stamp") == "$1"$'\n'"$(sha256sum <"$dest/SHA256SUMS")" ]] &&
		check_sums "$dest" &&
		[[ $(cd "$dest" && find . ! -type d ! -name SHA256SUMS ! -path "./wireguard-$RELEASE.tar*" -printf '%P\n' | sort) == \
			"$(sed 's/^[0-9a-f]*  //' "$dest/SHA256SUMS")" ]]
}

# Build a target in one run at a time: the second run finds the output of the first.
own_dir "$OUT" "$OUT/.made" "$OUT/.made/lock-$TARGET"
exec 9<"$OUT/.made/lock-$TARGET"
if ! flock -n 9; then
	say build "waits for another run of $TARGET"
	flock 9
fi

PHASE_START=$(now_ms)
inputs=$(made_from)
builder=$(head -n1 <<<"$inputs")
if is_made "$inputs"; then
	say build "$dest is up to date ($(seconds_since "$PHASE_START"))"
	exit 0
fi

if ! podman image exists "$builder"; then
	"$TOP/scripts/fetch.sh" "$TARGET" base toolchain source
fi
"$TOP/scripts/image.sh" "$TARGET"

phase_begin build
make_tmp "$OUT"
podman_probe "$builder"
printf '+ %s\n' "${PODMAN[*]} run (sealed) $builder" | logged
{ sealed "$builder" 2>&1 >&3 3>&- | logged; } 3>&1 | unpack_stream "$TMP/made"
mv -T "$TMP/made/sources" "$TMP/sources"
"$TOP/scripts/sbom.sh" "$TARGET" "$TMP/made" "$TMP/sources" >"$TMP/sbom.spdx.json"
mv -T "$TMP/sbom.spdx.json" "$TMP/made/sbom.spdx.json"
"$TOP/scripts/provenance.sh" "$TARGET" "$TMP/made" >"$TMP/provenance.json"
mv -T "$TMP/provenance.json" "$TMP/made/provenance.json"
write_sums "$TMP/made"

[[ $(made_from) == "$inputs" ]] || die "the sources of wgkmod or the target changed during the build; build again"

# Publish.  The stamp is removed first and written last, so a run that is interrupted here is built again.
rm -f "$stamp"
rm -rf "$dest"
mv -T "$TMP/made" "$dest"
printf '%s\n%s\n' "$inputs" "$(sha256sum <"$dest/SHA256SUMS")" >"$TMP/stamp"
mv -T "$TMP/stamp" "$stamp"
proof=$(grep -a '^wgkmod: .*fit' "$LOG" | tail -n1)
compiled=$(sed -n 's/^wgkmod: \(compiled by\)/, \1/p' "$LOG" | tail -n 1)
phase_end "$(find "$dest/modules" -name '*.ko' | wc -l) modules in $dest$compiled"
sed -n 's/^wgkmod: \(kbuild warned\)/\1/p' "$LOG" | while IFS= read -r line; do say warning "$line"; done
say proof "${proof#wgkmod: }"
