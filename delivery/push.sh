#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: push.sh INDEX HOST/REPOSITORY DIR...
#
# Push the kernels of an index to a registry: HOST/REPOSITORY/bundle:TAG and, where the target names a kernel,
# HOST/REPOSITORY/kmm:TAG (delivery/oci.sh).  TAG is the release; "_" stands for a character that a tag cannot have.
# Write the digests into INDEX.  The directories of the kernels are in the first DIR that has them.
#
# Ask for each tag first.  An absent one is pushed, blobs before manifest; an equal digest is left alone; another digest
# is refused unless REPLACE=1.  skopeo takes the login from REGISTRY_AUTH_FILE (or skopeo login), and the
# certificates of authorities from SSL_CERT_FILE or /etc/containers/certs.d.

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -gt 2 ]] || die "usage: push.sh INDEX HOST/REPOSITORY DIR..."
index=$1 registry=$2
shift 2
[[ $registry =~ ^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+$ ]] || die "REGISTRY '$registry' is not HOST/REPOSITORY"
REPLACE=${REPLACE:-}

# kernel_dir RELEASE DIR...: Print the first DIR/RELEASE that exists.
kernel_dir() {
	local release=$1 dir
	shift
	for dir; do
		[[ ! -d $dir/$release ]] || { printf '%s\n' "$dir/$release" && return; }
	done
	die "no directory has the files of $release"
}

# ask REFERENCE: Print the reference and its digest in the registry, "absent", or "error" and why.  A GET of the manifest:
# skopeo has no HEAD, and its login and token are needed.
ask() {
	local said file
	file=$(mktemp "$TMP/ask.XXXXXX")
	if said=$(skopeo inspect --raw "docker://$1" 2>&1 >"$file"); then
		printf '%s sha256:%s\n' "$1" "$(sha256sum <"$file" | cut -d ' ' -f 1)"
	elif grep -qE 'manifest unknown|name unknown' <<<"$said"; then
		printf '%s absent\n' "$1"
	else
		printf '%s error %s\n' "$1" "$(sed -n 's/.*msg="\?\(.*\)"$/\1/p' <<<"$said" | tail -n 1)"
	fi
}

# deliver RELEASE KIND KNOWN: Bring the tag to the digest of the layout; KNOWN is the digest in the index, which is that
# of the layout if the kernel did not change.  Set digest, to nothing if there can be no such image.
deliver() {
	local release=$1 kind=$2 known=$3 there dir layout=$TMP/layout status=0
	local reference=$registry/$kind:${release//[!A-Za-z0-9._-]/_}
	there=$(awk -v reference="$reference" '$1 == reference { $1 = ""; print substr($0, 2) }' "$TMP/asked")
	[[ $there != error* && -n $there ]] || die "the registry does not answer for '$reference': ${there#error }"
	digest=$known
	[[ -z $known || $there != "$known" ]] || return 0
	dir=$(kernel_dir "$release" "${dirs[@]}")
	rm -rf "$layout"
	digest=$("$DELIVERY/oci.sh" "$kind" "$dir" "$layout") || status=$?
	if [[ $status -eq 3 && $kind == kmm ]]; then
		digest=
		return 0
	fi
	[[ $status -eq 0 ]] || exit 1
	[[ $there != "$digest" ]] || return 0
	[[ $there == absent || -n $REPLACE ]] ||
		die "'$reference' has $there, and this publication $digest; REPLACE=1 moves the tag"
	said=$(skopeo --insecure-policy copy --preserve-digests --quiet "oci:$layout:latest" "docker://$reference" 2>&1) ||
		die "'$reference' was not pushed: $(sed -n 's/.*msg="\?\(.*\)"$/\1/p' <<<"$said" | tail -n 1)"
	say push "$reference, $digest" >&4
}

make_tmp "$OUT"
exec 4>&1 # standard output inside the loop is JSON
dirs=("$@")
export TMP
export -f ask
jq --raw-output --arg registry "$registry" '.registry as $old | .kernels[] | select(.withdrawn | not)
	| [.release, (if $old == $registry then .oci.bundle else null end) // "-",
		(if $old == $registry then .oci.kmm else null end) // "-"] | join(" ")' "$index" >"$TMP/kernels"
while read -r release _; do
	printf "$registry/%s:${release//[!A-Za-z0-9._-]/_}\n" bundle kmm
done <"$TMP/kernels" | xargs -P 8 -I '{}' bash -c 'ask "$1"' - '{}' >"$TMP/asked"
while read -r release bundle kmm <&3; do
	deliver "$release" bundle "${bundle#-}"
	bundle=$digest
	deliver "$release" kmm "${kmm#-}"
	jq --null-input --arg key "$release" --arg bundle "$bundle" --arg kmm "$digest" \
		'{$key, value: {$bundle, kmm: (if $kmm == "" then null else $kmm end)}}'
done 3<"$TMP/kernels" | jq --slurp 'from_entries' >"$TMP/digests"
jq --slurpfile digests "$TMP/digests" --arg registry "$registry" '.registry = $registry
	| .kernels |= map(if $digests[0][.release] then .oci = $digests[0][.release] else . end)' "$index" >"$TMP/index"
cat "$TMP/index" >"$index"
