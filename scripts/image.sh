#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: image.sh TARGET [--name]
#
# Make the target's builder image from the cache alone, without network.  Its name has the digest of all its
# inputs, so an existing image is up to date.  With --name, only print the name.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/lib/podman.sh
. "$TOP/scripts/lib/podman.sh"
[[ $# -eq 1 || ($# -eq 2 && $2 == --name) ]] || die "usage: image.sh TARGET [--name]"
read_target "$1"
read_lock "$TARGET" base toolchain source
require_complete_lock "$TARGET"

# The base's name has the digest of its inputs; files are the project's files in the builder image.
base=localhost/wgkmod-base:$(
	{
		grep '^base ' "$TARGET_DIR/$TARGET.lock"
		cat "$TOP/builder/families/$FAMILY".*
	} | sha256sum | cut -c1-16
)
mapfile -t files < <(image_files)
lock=$(lock_inputs | sha256sum | cut -d ' ' -f 1)

# inputs_of DIR: Print the digest of all inputs of the builder image; the project's files are those in DIR.
inputs_of() {
	(
		cd "$1"
		printf '%s\n' "$lock"
		target_inputs
		sha256sum "${files[@]}"
		sha256sum <"$TOP/scripts/image.sh"
	) | sha256sum | cut -d ' ' -f 1
}

inputs=$(inputs_of "$TOP")
builder=localhost/wgkmod-builder:${inputs:0:16}
if [[ ${2:-} == --name ]]; then
	printf '%s\n' "$builder"
	exit 0
fi

phase_begin image
if podman image exists "$builder"; then
	podman_probe "$builder"
	phase_end "$builder is there"
	exit 0
fi

make_cache_tmp
for stage in base toolchain source; do
	"$TOP/scripts/stage.sh" "$TARGET" "$stage" "$TMP/$stage"
done
if ! podman image exists "$base"; then
	family_base "$TMP/base" "$base"
fi
podman_probe "$base"
require_no_network "$base"

mkdir "$TMP/context"
(cd "$TOP" && cp --parents "${files[@]}" "$TMP/context")
[[ $(inputs_of "$TMP/context") == "$inputs" ]] ||
	die "the sources of wgkmod changed while the image was being made; run it again"
run "${PODMAN[@]}" build --network=none --pull-never --timestamp 0 "${PODMAN_LIMITS[@]}" \
	--build-arg "BASE=$base" --build-arg "FAMILY=$FAMILY" --build-arg "RELEASE=$RELEASE" \
	--build-arg "HIDE=$HIDE" --build-arg "COMPILER=$COMPILER" --build-arg "SOURCE_DIR=$SOURCE_DIR" \
	--build-arg "LOCK=$lock" \
	--build-context "packages=$TMP/toolchain" --build-context "kernel-source=$TMP/source" \
	--tag "$builder" "$TMP/context"
size=$(podman image inspect --format '{{.Size}}' "$builder")
phase_end "$builder made without network, $((size / 1000000)) MB"
