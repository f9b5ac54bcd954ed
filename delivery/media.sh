#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: media.sh DEST TARGET...
#
# Fill a medium for hosts without network, for example a mounted USB stick with vfat, which has neither links nor
# modes.  It gets RELEASE/wireguard-RELEASE.tar and .minisig of each target, minisign.pub, install.sh, the instructions,
# the RPM repository rpm/ if a target has packages, and SHA256SUMS, whose digest is printed: the user compares it on the
# host.  Only what changed is written.  SHA256SUMS is removed first and written last, so a medium that a run left half
# written is known by that.
#
# The variables are those of rpm.sh.

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -gt 1 ]] || die "usage: media.sh DEST TARGET..."
PUBLIC_KEY=${PUBLIC_KEY:-}
[[ -f $PUBLIC_KEY ]] || die "PUBLIC_KEY= must name minisign's public key for the hosts; there is no file '$PUBLIC_KEY'"
dest=$(realpath -m "$1")
shift

# collect TARGET...: Put what the medium has into TMP/medium; set with_rpm to the targets that have RPM packages.
collect() {
	local name bundle file
	mkdir "$TMP/medium"
	for name; do
		read_target "$name"
		require_signed_bundle
		mkdir "$TMP/medium/$RELEASE"
		cp "$bundle" "$bundle.minisig" "$TMP/medium/$RELEASE"
		[[ $FAMILY != rpm ]] || with_rpm+=("$name")
	done
	cp "$PUBLIC_KEY" "$TMP/medium/minisign.pub"
	for file in install.sh README.txt README.zh-CN.txt; do cp "$DELIVERY/media/$file" "$TMP/medium"; done
}

# put FILE: Copy a file of the medium to DEST unless it is there.  It gets its name when all of it is there.
put() {
	! cmp -s "$TMP/medium/$1" "$dest/$1" || return 0
	if ! mkdir -p "$(dirname "$dest/$1")" || ! cp --remove-destination "$TMP/medium/$1" "$dest/$1.new" ||
		! mv "$dest/$1.new" "$dest/$1"; then
		die "cannot write '$dest/$1'"
	fi
	written=$((written + 1))
}

# write_medium: Write all files, remove those that an earlier medium had and this one has not, and read all back.
write_medium() {
	local file old=$TMP/old
	: >"$old"
	if [[ -f $dest/SHA256SUMS ]]; then
		sed 's/^[0-9a-f]*  //' "$dest/SHA256SUMS" | sort >"$old"
		rm "$dest/SHA256SUMS" # until all is written, nothing vouches for the medium
	fi
	while read -r file; do put "$file"; done < <(sed 's/^[0-9a-f]*  //' "$TMP/medium/SHA256SUMS")
	while read -r file; do
		# anybody may have written to the medium since
		! is_plain_path "$file" || rm -f "${dest:?}/$file"
	done < <(sed 's/^[0-9a-f]*  //' "$TMP/medium/SHA256SUMS" | sort | comm -23 "$old" -)
	cp "$TMP/medium/SHA256SUMS" "$dest/SHA256SUMS"
	sync -f "$dest" || [[ $? -eq 1 ]] # some file systems in user space cannot
	check_sums "$dest" || die "'$dest' does not give back what was written to it"
}

TARGET=all
make_tmp "$OUT"
phase_begin media
with_rpm=() written=0
collect "$@"
if [[ ${#with_rpm[@]} -gt 0 ]]; then
	"$DELIVERY/rpm.sh" "$OUT/media" "${with_rpm[@]}"
	cp -rL "$OUT/media/rpm" "$TMP/medium/rpm"
fi
write_sums "$TMP/medium"
mkdir -p "$dest" || die "cannot create '$dest'"
if cmp -s "$TMP/medium/SHA256SUMS" "$dest/SHA256SUMS" && check_sums "$dest"; then
	phase_end "$dest is up to date, SHA256SUMS has the sha256 $(sha256sum <"$dest/SHA256SUMS" | cut -c 1-64)"
	exit 0
fi
write_medium
phase_end "$dest: $# kernel(s), $written files written, SHA256SUMS has the sha256" \
	"$(sha256sum <"$dest/SHA256SUMS" | cut -c 1-64)"
