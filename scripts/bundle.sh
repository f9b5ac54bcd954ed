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
#                   asks for the key's password if it has one.  Its trusted comment has no clock time.  An older
#                   signature of the same bits by the same key stays.  Without SIGN_KEY, an older signature
#                   stays if the bundle did not change, else it is removed.
#   SOURCE_DATE_EPOCH=N   the time in the trusted comment, in seconds; default: that of the commit

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

# build_time: Print the time that a signature states: SOURCE_DATE_EPOCH, else that of the commit, else 0.  The clock's
# would make each signature of the same bundle another one.
build_time() {
	if [[ -n ${SOURCE_DATE_EPOCH:-} ]]; then
		[[ $SOURCE_DATE_EPOCH =~ ^[0-9]+$ ]] || die "SOURCE_DATE_EPOCH '$SOURCE_DATE_EPOCH' is not a number of seconds"
		printf '%s\n' "$SOURCE_DATE_EPOCH"
	else
		git -C "$TOP" log -1 --format=%ct 2>/dev/null || printf '0\n'
	fi
}

# sign FILE COMMENT: Sign FILE as FILE.minisig with the trusted comment.
sign() {
	[[ -f $SIGN_KEY ]] || die "there is no key '$SIGN_KEY'"
	minisign -S -s "$SIGN_KEY" -m "$1" -x "$1.minisig" -t "$2" >/dev/null ||
		die "minisign did not sign with '$SIGN_KEY'"
}

# sign_once FILE OLD COMMENT: Sign FILE as FILE.minisig.  Keep the signature OLD if it is one of the same bits by
# SIGN_KEY: minisign gives the same signature again for the same key, file and comment.
sign_once() {
	local file=$1 old=$2
	if [[ -f $old ]]; then
		sign "$file" "$(sed -n '3s/^trusted comment: //p' "$old")"
		if cmp -s "$file.minisig" "$old"; then return; fi
	fi
	sign "$file" "$3"
}

PHASE_START=$(now_ms)
make_tmp "$OUT"
mkdir "$TMP/bundle"
releases=() inputs=()
for name; do
	read_target "$name"
	[[ ! -d $TMP/bundle/$RELEASE ]] || die "two of the targets are of the kernel $RELEASE"
	collect "$RELEASE" "$TMP/bundle"
	releases+=("$RELEASE")
	[[ -z $SIGN_KEY ]] || inputs+=("$("$TOP/scripts/inputs.sh" "$name")")
done
dest=$OUT/wireguard.tar
[[ $# -gt 1 ]] || dest=$OUT/$RELEASE/wireguard-$RELEASE.tar
pack "$TMP/bundle" "$TMP/bundle.tar"
if [[ -n $SIGN_KEY ]]; then
	time=$(build_time)
	comment="kernels: ${releases[*]} inputs: ${inputs[*]}"
	# minisign takes no comment of more than 4 KB
	[[ ${#comment} -le 3900 ]] ||
		comment="kernels: ${#releases[@]} inputs: $(printf '%s\n' "${inputs[@]}" | digest_of /dev/stdin)"
	sign_once "$TMP/bundle.tar" "$dest.minisig" "file:${dest##*/} timestamp:$time $comment"
fi

# Never leave a bundle beside the signature of another bundle.
cmp -s "$TMP/bundle.tar" "$dest" || rm -f "$dest.minisig"
mv "$TMP/bundle.tar" "$dest"
[[ -z $SIGN_KEY ]] || mv "$TMP/bundle.tar.minisig" "$dest.minisig"
signed='not signed (SIGN_KEY=)'
[[ ! -f $dest.minisig ]] || signed='signed'
say bundle "$dest, $(stat -c %s "$dest") bytes, ${#releases[@]} kernel(s), $signed ($(seconds_since "$PHASE_START"))"
