#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: sh install.sh [--kernel RELEASE | OPTION of wgkmod install]...
#
# On a host: find the bundle of the running kernel, or of RELEASE, on the medium that this script is on, and install
# it.  Any user may own the medium's files as they are mounted here: wgkmod takes them from a copy that is root's.
# Exits as "wgkmod install" does.

set -eu
umask 022
fail() {
	printf 'install.sh: %s\n' "$1" >&2
	exit "$2"
}

medium=$(cd "$(dirname "$0")" && pwd)
release=$(uname -r)
# Take --kernel out of the options, wherever it stands.
count=$#
while [ "$count" -gt 0 ]; do
	word=$1
	shift
	count=$((count - 1))
	case $word in
	--kernel)
		[ "$count" -gt 0 ] || fail '--kernel needs a release' 2
		release=$1
		shift
		count=$((count - 1))
		;;
	--kernel=*) release=${word#--kernel=} ;;
	*) set -- "$@" "$word" ;;
	esac
done
[ "$(id -u)" -eq 0 ] || fail 'run it as root' 1
bundle=$medium/$release/wireguard-$release.tar
kernels=$(cd "$medium" && echo ./*/wireguard-*.tar | sed 's,\./\([^/]*\)/[^ ]*,\1,g')
[ -f "$bundle" ] || fail "the medium has no bundle for the kernel $release; it has: $kernels" 3
[ -f "$medium/SHA256SUMS" ] || fail 'the medium has no SHA256SUMS: it was not written to its end' 4
(cd "$medium" && grep "  $release/" SHA256SUMS | sha256sum --check --quiet --strict -) ||
	fail "the bundle is not what SHA256SUMS says: the medium is damaged" 4
set -- "$@" --kernel "$release"
ls /etc/wgkmod/keys.d/*.pub >/dev/null 2>&1 || {
	sed 's/^/  /' "$medium/minisign.pub" >&2
	fail "no key is trusted on this host yet. Compare the key above with its publisher's, then run:
  install -D -m 644 '$medium/minisign.pub' /etc/wgkmod/keys.d/minisign.pub" 4
}

copy=$(mktemp -d /run/wgkmod.XXXXXX)
trap 'rm -rf "$copy"' EXIT
cp "$bundle" "$bundle.minisig" "$copy"
wgkmod=$(command -v wgkmod) || {
	wgkmod=/usr/local/sbin/wgkmod
	tar -xOf "$copy/${bundle##*/}" "$release/wgkmod" >"$copy/wgkmod"
	install -D -m 755 "$copy/wgkmod" "$wgkmod"
}
"$wgkmod" install "$@" "$copy/${bundle##*/}"
