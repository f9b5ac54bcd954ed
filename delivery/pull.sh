#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: pull.sh FROM DEST PUBLIC_KEY
#        pull.sh FROM --index PUBLIC_KEY
#
# Copy the web root at the address FROM (https, or file:// for a directory) to DEST, and verify it: minisign's key in
# the file PUBLIC_KEY must verify the index and the list of checksums, every file must have its digest, and every
# bundle must have the signature of a key that the index names.  A file that DEST has is not downloaded again.
# DEST is then a link, as publish.sh makes it, and is changed by one rename.  On any error DEST stays.  With --index,
# only verify the index, and print it.

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 3 ]] || die "usage: pull.sh FROM DEST|--index PUBLIC_KEY"
from=${1%/}
key=$3
[[ $from =~ ^(https://|http://127\.0\.0\.1[:/]|file:///)[^\"[:space:]]*$ ]] ||
	die "'$from' is not an https address; file:///DIR names a directory"
[[ -f $key ]] || die "there is no public key '$key'"

# download: Read lines "PATH" from standard input, and download each from FROM into TMP/tree.
download() {
	local path many=(--parallel --no-progress-meter)
	curl_is 7.67 || many=(--silent --show-error) # older: one file after the other
	while read -r path; do
		printf 'url = "%s/%s"\noutput = "%s/tree/%s"\n' "$from" "$path" "$TMP" "$path"
	done >"$TMP/curl"
	[[ -s $TMP/curl ]] || return 0
	curl --config "$TMP/curl" --globoff "${many[@]}" --create-dirs --fail --retry 2 \
		--speed-limit 1 --speed-time "$PATIENCE" 2>"$TMP/said" ||
		die "'$from' cannot be copied: $(grep -m 1 "^curl:" "$TMP/said"); nothing was changed"
}

# require_signed FILE KEY: Exit unless KEY verifies the file of TMP/tree, by the signature beside it.
require_signed() {
	minisign -V -q -p "$2" -m "$TMP/tree/$1" >/dev/null 2>&1 ||
		die "'$from/$1' has no valid signature by '$2'; nothing was changed"
}

# pull_index: Download the index into TMP/tree, and verify it.
pull_index() {
	printf '%s\n' index.json index.json.minisig | download
	require_signed index.json "$key"
	read_index "$TMP/tree/index.json"
}

if [[ $2 == --index ]]; then
	make_tmp "$OUT"
	pull_index
	cat "$TMP/tree/index.json"
	exit
fi

dest=$(realpath --no-symlinks -m "$2")
make_tmp "$dest.versions"
lock_dest "$dest"
pull_index
printf '%s\n' SHA256SUMS SHA256SUMS.minisig | download
require_signed SHA256SUMS "$key"
generation=$(jq .generation "$TMP/tree/index.json")
if [[ -f $dest/index.json && $generation -lt $(jq .generation "$dest/index.json") ]]; then
	die "'$from' is generation $generation, older than '$dest'; nothing was changed"
fi

while read -r sha path; do
	if [[ ! $sha =~ ^[0-9a-f]{64}$ ]] || ! is_plain_path "$path"; then
		die "'$from/SHA256SUMS' has the line '$sha  $path', which make publish does not write; nothing was changed"
	fi
	if [[ -f $dest/$path && $(digest_of "$dest/$path") == "$sha" ]]; then
		mkdir -p "$TMP/tree/$(dirname "$path")"
		cp --force "$dest/$path" "$TMP/tree/$path"
	elif [[ $path != index.json ]]; then
		printf '%s\n' "$path"
	fi
done <"$TMP/tree/SHA256SUMS" >"$TMP/wanted"
download <"$TMP/wanted"
bad=$(cd "$TMP/tree" && sha256sum --check --quiet --strict SHA256SUMS 2>&1) ||
	die "'$from/${bad%%:*}' does not have the digest in SHA256SUMS; nothing was changed"
jq --raw-output '.kernels[] | "\(.bundle.file) \(.bundle.key)"' "$TMP/tree/index.json" >"$TMP/bundles"
while read -r file id; do
	require_signed "$file" "$TMP/tree/keys/$id.pub"
done <"$TMP/bundles"

# curl makes directories that only their owner can read
chmod -R u=rwX,go=rX "$TMP/tree"
switch_to "$dest" "$TMP/tree" "$generation"
say pull "$dest, generation $generation, $(wc -l <"$TMP/bundles") kernel(s) verified," \
	"$(wc -l <"$TMP/wanted") file(s) downloaded"
