#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bundle.sh TARGET...
#
# Make a bundle from the output of make artifacts in out/RELEASE/, without debug data.  The bundle is a plain
# ustar file; the same files give the same bits on any machine.  For one target it is
# out/RELEASE/wireguard-RELEASE.tar, for several out/wireguard.tar with a directory for each kernel.
#
#   SIGN_KEY=FILE   a secret key of minisign, which writes the signature beside the bundle, .minisig, and
#                   asks for the key's password if it has one.  Without SIGN_KEY, an older signature stays
#                   if the bundle did not change, else it is removed.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -gt 0 ]] || die "usage: bundle.sh TARGET..."
SIGN_KEY=${SIGN_KEY:-}

# collect RELEASE DIR: Verify out/RELEASE/ and copy its files for the bundle to DIR/RELEASE, with a SHA256SUMS
# of just these.
collect() {
	local from=$OUT/$1 to=$2/$1 file
	require_output
	mkdir "$to"
	awk '$2 !~ /^[*]?debug\//' "$from/SHA256SUMS" >"$to/SHA256SUMS"
	chmod 644 "$to/SHA256SUMS"
	while read -r _ file; do
		install -D -m "$([[ -x $from/$file ]] && printf 755 || printf 644)" "$from/$file" "$to/$file"
	done <"$to/SHA256SUMS"
}

# pack DIR FILE: Pack the files of DIR into the tar FILE, without this machine's times, owners and order.
pack() {
	(cd "$1" && find . -type f -printf '%P\n' | sort) >"$TMP/list"
	tar --create --file="$2" --format=ustar --blocking-factor=20 --hard-dereference --owner=0 \
		--group=0 --numeric-owner --mtime=@0 --directory="$1" --no-recursion \
		--verbatim-files-from --files-from="$TMP/list"
}

# sign FILE NAME RELEASE...: Sign FILE as FILE.minisig; the bundle's final name is NAME.
sign() {
	local file=$1 name=$2
	shift 2
	[[ -f $SIGN_KEY ]] || die "there is no key '$SIGN_KEY'"
	minisign -S -s "$SIGN_KEY" -m "$file" -x "$file.minisig" \
		-t "file:$name timestamp:$(date +%s) kernels: $*" >/dev/null ||
		die "minisign did not sign with '$SIGN_KEY'"
}

PHASE_START=$(now_ms)
make_tmp "$OUT"
mkdir "$TMP/bundle"
releases=()
for name; do
	read_target "$name"
	[[ ! -d $TMP/bundle/$RELEASE ]] || die "two of the targets are of the kernel $RELEASE"
	collect "$RELEASE" "$TMP/bundle"
	releases+=("$RELEASE")
done
dest=$OUT/wireguard.tar
[[ $# -gt 1 ]] || dest=$OUT/$RELEASE/wireguard-$RELEASE.tar
pack "$TMP/bundle" "$TMP/bundle.tar"
[[ -z $SIGN_KEY ]] || sign "$TMP/bundle.tar" "${dest##*/}" "${releases[@]}"

# Never leave a bundle beside the signature of another bundle.
cmp -s "$TMP/bundle.tar" "$dest" || rm -f "$dest.minisig"
mv "$TMP/bundle.tar" "$dest"
[[ -z $SIGN_KEY ]] || mv "$TMP/bundle.tar.minisig" "$dest.minisig"
signed='not signed (SIGN_KEY=)'
[[ ! -f $dest.minisig ]] || signed='signed'
say bundle "$dest, $(stat -c %s "$dest") bytes, ${#releases[@]} kernel(s), $signed ($(seconds_since "$PHASE_START"))"
