#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: find-kernels.sh COUNT DIRECTORY
#
# Write the targets and locks of COUNT kernels into DIRECTORY: those of each series of Debian that is a target, in all
# versions and flavours that the mirrors have with their source.  Print the names.  Keep what DIRECTORY has already.
# Exit with 1 if fewer can be locked.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
[[ $# -eq 2 && $1 =~ ^[1-9][0-9]*$ ]] || die "usage: find-kernels.sh COUNT DIRECTORY"
count=$1 directory=$(realpath -m "$2")
mkdir -p "$directory"

# One target of each series.
templates=(debian11-5.10.0-32-amd64 debian12-6.1.0-50-amd64 debian13-6.12.117+deb13-amd64
	debian13-7.3.4+deb13-amd64 debian14-7.2.13+deb14-amd64)

# packages PATTERN: Print "VERSION PACKAGE" of each version in the lists of the packages whose whole name is PATTERN.
packages() {
	apt-cache pkgnames linux- | grep -xE "$1" | xargs apt-cache madison | awk -F '|' '{ gsub(/ /, ""); print $2, $1 }' |
		sort -u
}

# kernels TEMPLATE: Write a target for each kernel of the series of the target TEMPLATE.  Print their names.
kernels() {
	local source version package release name
	read_target "$1"
	deb_apt_root "$TMP/$1"
	export APT_CONFIG=$TMP/$1/apt.conf
	# shellcheck disable=SC2153 # the key of the target
	source=${SOURCE#linux-source-}
	packages "linux-source-${source%%.*}\..*" >"$TMP/sources"
	packages 'linux-headers-[0-9]+\.[0-9]+\.[0-9]+.*-amd64' | join "$TMP/sources" - |
		while read -r version source package; do
			release=${package#linux-headers-}
			name=${1%%-*}-$release
			printf '%s\n' "$name"
			sed -E "/^#/d; /^KERNEL_IMAGE/,\$d
				s/^(RELEASE *= ).*/\1$release/; s/^(KERNEL_DEVEL *= ).*/\1$package=$version/
				s/^(SOURCE *= ).*/\1$source=$version/; s/^(SOURCE_DIR *= .*linux-).*/\1${version%%-*}/" \
				"$TARGET_DIR/$1" >"$directory/$name"
		done
}

TARGET=kernels
phase_begin lock
make_tmp "$OUT"
for template in "${templates[@]}"; do kernels "$template" >>"$TMP/found"; done

# Some packages of the lists are gone from the mirror, so not each kernel can be locked.
mapfile -t left < <(while read -r name; do
	[[ -f $directory/$name.lock ]] || printf '%s\n' "$name"
done <"$TMP/found")
missing() { printf '%d\n' $((count - $(TARGET_DIR=$directory list_targets | wc -l))); }
while [[ $(missing) -gt 0 && ${#left[@]} -gt 0 ]]; do
	some=("${left[@]:0:$(missing)}")
	left=("${left[@]:${#some[@]}}")
	TARGET_DIR=$directory "$TOP/cluster/many.sh" lock "${some[@]}" >&2 8>&- || [[ $? -eq 1 ]]
done
[[ $(missing) -le 0 ]] || die "only $((count - $(missing))) kernels of Debian can be locked, not $count"
phase_end "$count of $(wc -l <"$TMP/found") kernels in $directory" >&2
TARGET_DIR=$directory list_targets | head -n "$count"
