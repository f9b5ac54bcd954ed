# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# lock.sh - locks, and the cache of their files.

# A lock has a line for each input: STAGE SHA256 LOCATION.  STAGE is base, toolchain, source or vm.  SHA256 is
# "-" if the digest is not known yet.  LOCATION is a path below a mirror, an https address, or docker://IMAGE
# for a base image.

# is_kernel_image LOCATION: Return 0 if the file is a package that the target's KERNEL_IMAGE names, as
# NAME=VERSION (deb: NAME_VERSION_ARCH.deb) or as NAME (rpm: NAME.rpm).
is_kernel_image() {
	local file=${1##*/} word words
	file=${file//%2b/+} file=${file//%7e/\~}
	read -ra words <<<"$KERNEL_IMAGE"
	for word in "${words[@]}"; do
		[[ $file != "${word/=/_}"_* && $file != "$word.rpm" ]] || return 0
	done
	return 1
}

# in_stages STAGE LOCATION NAMES: Return 0 if a line of the lock is in one of the stages in NAMES (" A B ").  Three of
# them are parts: kernel of vm, what KERNEL_IMAGE names; devel of toolchain, the kernel's own packages; and tools, the
# other packages of toolchain.
in_stages() {
	[[ $3 != *" $1 "* ]] || return 0
	case $1 in
	vm) [[ $3 == *' kernel '* ]] && is_kernel_image "$2" ;;
	toolchain)
		if family_is_devel "${2##*/}"; then [[ $3 == *' devel '* ]]; else [[ $3 == *' tools '* ]]; fi
		;;
	*) return 1 ;;
	esac
}

# read_lock NAME [STAGE...]: Read the lock into the arrays LOCK_STAGE, LOCK_SHA256 and LOCK_WHERE, of equal
# length: the stages named (in_stages), or all.  Exit on a malformed or missing lock.
read_lock() {
	local file=$TARGET_DIR/$1.lock n=0 stage sha where rest stages
	shift
	stages=" $* "
	LOCK_STAGE=() LOCK_SHA256=() LOCK_WHERE=()
	[[ -f $file ]] || die "there is no lock '$file'; run: make lock TARGET=$TARGET"
	while read -r stage sha where rest || [[ -n $stage ]]; do
		((++n))
		[[ $stage == '' || $stage == '#'* ]] && continue
		[[ $stage =~ ^(base|toolchain|source|vm)$ && $sha =~ ^(-|[0-9a-f]{64})$ &&
			$where =~ ^[A-Za-z0-9][A-Za-z0-9._+~:/@%-]*$ && $where != *..* && -z $rest ]] ||
			die "$file:$n: not of the form STAGE SHA256 LOCATION"
		[[ $# -eq 0 ]] || in_stages "$stage" "$where" "$stages" || continue
		LOCK_STAGE+=("$stage") LOCK_SHA256+=("$sha") LOCK_WHERE+=("$where")
	done <"$file"
}

# require_complete_lock NAME: Refuse a lock (as read by read_lock) with an unknown digest.
require_complete_lock() {
	local i missing=() where
	for i in "${!LOCK_SHA256[@]}"; do
		[[ ${LOCK_SHA256[i]} != - ]] || missing+=("${LOCK_WHERE[i]##*/}")
	done
	[[ ${#missing[@]} -gt 0 || ${#LOCK_SHA256[@]} -eq 0 ]] || return 0
	where=${missing[*]:-all of them}
	die "the lock of '$1' is not complete: no digest is known for $where;" \
		"run 'make lock TARGET=$1' where the distribution's mirrors can be reached"
}

# ---- the cache ------------------------------------------------------------------------

# cached SHA256: Print the path of a file in the cache.
cached() { printf '%s/sha256/%s\n' "$CACHE" "$1"; }

# make_cache_tmp: make_tmp in the cache, or in OUT if the cache cannot be written, as on a medium, or has a colon
# in its path, which podman does not take.
make_cache_tmp() {
	if [[ $CACHE == *:* || (-d $CACHE && ! -w $CACHE) ]]; then
		make_tmp "$OUT"
	else
		make_tmp "$CACHE"
	fi
}

# image_blobs MANIFEST: Print the digests of the image's config and layers (OCI image-spec, manifest.md;
# Docker's schema 2 has the same fields).
image_blobs() {
	jq --raw-output '.config, .layers[] | .digest | capture("^sha256:(?<hex>[0-9a-f]{64})$").hex' "$1"
}

# check_cached: Verify the digest of each file of the lock that is in the cache, and of an image's blobs.
# Set MISSING to the indexes of files that are not there, and of images that lack a blob.  Exit on a damaged
# file.
check_cached() {
	local i file blob blobs whole
	MISSING=()
	for i in "${!LOCK_SHA256[@]}"; do
		file=$(cached "${LOCK_SHA256[i]}") whole=1
		if [[ ! -f $file ]]; then
			MISSING+=("$i")
			continue
		fi
		printf '%s  %s\n' "${LOCK_SHA256[i]}" "$file"
		[[ ${LOCK_WHERE[i]} == docker://* ]] || continue
		blobs=$(image_blobs "$file") || die "the image manifest '$file' in the cache cannot be read"
		for blob in $blobs; do
			[[ -f $(cached "$blob") ]] || whole=
			[[ -z $whole ]] || printf '%s  %s\n' "$blob" "$(cached "$blob")"
		done
		[[ -n $whole ]] || MISSING+=("$i")
	done >"$TMP/in-cache"
	[[ -s $TMP/in-cache ]] || return 0
	if ! sha256sum --check --quiet --strict "$TMP/in-cache" >"$TMP/damaged" 2>/dev/null; then
		die_damaged "$(sed -n '1s/: FAILED.*//p' "$TMP/damaged")"
	fi
}

# die_damaged FILE: Exit with a message about a file in the cache with a wrong digest.
die_damaged() {
	local i name=
	for i in "${!LOCK_SHA256[@]}"; do
		[[ $1 != */"${LOCK_SHA256[i]}" ]] || name=${LOCK_WHERE[i]##*/}
	done
	die "the cache is damaged: '$1' ($name) does not have the digest it is named by;" \
		"remove that file and run the command again"
}
