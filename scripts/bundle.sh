#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bundle.sh TARGET...
#
# Makes the bundle of what make artifacts left in out/RELEASE/: a plain ustar file, the same bits
# from the same files wherever it is made.  Of one target it is out/RELEASE/wireguard-RELEASE.tar,
# of several out/wireguard.tar with a folder for each kernel.  Debug data stays behind.
#
#   SIGN_KEY=FILE   a secret key of minisign, which makes the signature beside it, .minisig; it asks
#                   for the password of a key that has one.  Without it a signature that is there
#                   stays if the bundle did not change, and goes if it did.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -gt 0 ]] || die "usage: bundle.sh TARGET..."
SIGN_KEY=${SIGN_KEY:-}

# collect RELEASE DIR: what goes into the bundle, verified, with a SHA256SUMS of just that.
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

# pack DIR FILE: the files of DIR; no time, owner or order of this machine's is in it.
pack() {
	(cd "$1" && find . -type f -printf '%P\n' | sort) >"$TMP/list"
	tar --create --file="$2" --format=ustar --blocking-factor=20 --hard-dereference --owner=0 \
		--group=0 --numeric-owner --mtime=@0 --directory="$1" --no-recursion \
		--verbatim-files-from --files-from="$TMP/list"
}

# sign FILE NAME RELEASE...: FILE.minisig, for the bundle that will be NAME.
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

# A bundle is never beside a signature of another one's.
cmp -s "$TMP/bundle.tar" "$dest" || rm -f "$dest.minisig"
mv "$TMP/bundle.tar" "$dest"
[[ -z $SIGN_KEY ]] || mv "$TMP/bundle.tar.minisig" "$dest.minisig"
signed='not signed (SIGN_KEY=)'
[[ ! -f $dest.minisig ]] || signed='signed'
say bundle "$dest, $(stat -c %s "$dest") bytes, ${#releases[@]} kernel(s), $signed ($(seconds_since "$PHASE_START"))"
