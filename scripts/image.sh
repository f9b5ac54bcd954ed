#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: image.sh TARGET [--name]
#
# Make the target's builder image from the cache alone, without network.  Its name has the digest of all its
# inputs, so an existing image is up to date.  The images that it is made from, which other kernels share, are made
# first if they are not there.  With --name, only print the name.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/lib/podman.sh
. "$TOP/scripts/lib/podman.sh"
[[ $# -eq 1 || ($# -eq 2 && $2 == --name) ]] || die "usage: image.sh TARGET [--name]"
read_target "$1"
read_lock "$TARGET" base toolchain source
require_complete_lock "$TARGET"

# digest: Print the digest of standard input, as an image's tag has it.
digest() { sha256sum | cut -c 1-16; }

# The names of the images have the digests of their inputs.  files are the project's files in the builder image.
mapfile -t files < <(image_files)
lock=$(lock_inputs)

# inputs_of DIR: Print the digest of all inputs of the builder image; the project's files are those in DIR.
inputs_of() {
	(
		cd "$1"
		printf '%s\n' "$lock"
		target_inputs
		sha256sum "${files[@]}"
		sha256sum <"$TOP/scripts/image.sh"
	) | digest
}

inputs=$(inputs_of "$TOP")
builder=localhost/wgkmod-builder:$inputs
if [[ ${2:-} == --name ]]; then
	printf '%s\n' "$builder"
	exit 0
fi

# Kernels share the base, the packages and the toolchain if the packages are the same, and the source if its version is.
base=localhost/wgkmod-base:$(
	{
		grep '^base ' <<<"$lock"
		cat "$TOP/builder/families/$FAMILY".*
	} | digest
)
tools=$(read_lock "$TARGET" tools && lock_inputs)
packages=localhost/wgkmod-packages:$(
	{
		printf '%s\n' "$base" "$tools"
		cat "$TOP/Containerfile" "$TOP/scripts/image.sh"
	} | digest
)
toolchain=localhost/wgkmod-toolchain:$(
	cd "$TOP"
	{
		printf '%s\n' "$packages"
		printf '%s\n' "${files[@]}" | grep '^src/' | xargs sha256sum VERSION
	} | digest
)
source=localhost/wgkmod-source:$(
	{
		printf '%s\n' "$packages"
		grep '^source ' <<<"$lock"
		cat "$TOP"/builder/{kernel-source.sh,kbuild.awk,kconfig.c,readers.awk}
	} | digest
)

# make_once IMAGE COMMAND...: Run the command, which makes IMAGE, unless IMAGE is there; one run at a time.
make_once() {
	local lock=${1#localhost/}
	lock=$OUT/.made/lock-${lock%:*}
	! podman image exists "$1" || return 0
	own_dir "$OUT/.made" "$lock"
	(
		flock 6
		podman image exists "$1" || "${@:2}"
	) 6<"$lock"
}

# stage STAGE: Copy the files of a stage of the lock to TMP/STAGE.
stage() { "$TOP/scripts/stage.sh" "$TARGET" "$1" "$TMP/$1"; }

# build STAGE IMAGE OPTION...: Make IMAGE from a stage of the Containerfile.
build() {
	run "${PODMAN[@]}" build --network=none --pull-never --layers=false --timestamp 0 "${PODMAN_LIMITS[@]}" \
		--build-arg "BASE=$base" --build-arg "FAMILY=$FAMILY" --target "$1" --tag "$2" "${@:3}" "$TMP/context"
}

# from_image STAGE IMAGE: Print the option by which podman takes IMAGE for a stage.
from_image() { printf -- '--build-context=%s=container-image://%s\n' "$1" "$2"; }

make_base() { stage base && family_base "$TMP/base" "$base"; }

make_packages() {
	stage tools
	build packages "$packages" --build-context "tools=$TMP/tools"
}

make_toolchain() { build toolchain "$toolchain" "$(from_image packages "$packages")"; }

make_source() {
	stage source
	build source "$source" "$(from_image packages "$packages")" --build-context "kernel-source=$TMP/source"
}

phase_begin image
if podman image exists "$builder"; then
	podman_probe "$builder"
	phase_end "$builder is there"
	exit 0
fi

make_cache_tmp
mkdir "$TMP/context"
(cd "$TOP" && cp --parents "${files[@]}" "$TMP/context")
[[ $(inputs_of "$TMP/context") == "$inputs" ]] ||
	die "the sources of wgkmod changed while the image was being made; run it again"
make_once "$base" make_base
podman_probe "$base"
require_no_network "$base"
make_once "$packages" make_packages
make_once "$toolchain" make_toolchain
make_once "$source" make_source
stage devel
build builder "$builder" "$(from_image toolchain "$toolchain")" "$(from_image source "$source")" \
	--build-context "kernel-devel=$TMP/devel" \
	--build-arg "RELEASE=$RELEASE" --build-arg "HIDE=$HIDE" --build-arg "COMPILER=$COMPILER" \
	--build-arg "SOURCE_DIR=$SOURCE_DIR"
size=$(podman image inspect --format '{{.Size}}' "$builder")
shared=$(podman image inspect --format '{{.Size}}' "$toolchain")
phase_end "$builder made without network, $((size / 1000000)) MB, of which other kernels share $((shared / 1000000))"
