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

# ask REFERENCE: Print the reference and its digest in the registry, "absent", or "error" and why.  This is a GET of
# the manifest: skopeo has no HEAD, and its login and token are needed.
ask() {
	local said file
	file=$TMP/ask.$BASHPID
	if said=$(skopeo inspect --raw "docker://$1" 2>&1 >"$file"); then
		said=$(sha256sum <"$file")
		printf '%s sha256:%s\n' "$1" "${said%% *}"
	elif grep -qE 'manifest unknown|name unknown' <<<"$said"; then
		printf '%s absent\n' "$1"
	else
		printf '%s error %s\n' "$1" "$(sed -n 's/.*msg="\?\(.*\)"$/\1/p' <<<"$said" | tail -n 1)"
	fi
}

# tag_of RELEASE: Set tag to the release's tag.
tag_of() { tag=${1//[!A-Za-z0-9._-]/_}; }

# deliver RELEASE KIND KNOWN: Bring the tag to the digest of the layout; KNOWN is the digest in the index, which is that
# of the layout if the kernel did not change.  Set digest, to nothing if there can be no such image.
deliver() {
	local release=$1 kind=$2 known=$3 tag there dir layout=$TMP/layout status=0 reference said
	tag_of "$release"
	reference=$registry/$kind:$tag
	there=${asked[$reference]:-}
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
	said=$(skopeo --insecure-policy copy --preserve-digests --quiet "oci:$layout:latest" "docker://$reference" 2>&1) || {
		said=$(sed -n 's/.*msg="\?\(.*\)"$/\1/p' <<<"$said" | tail -n 1)
		[[ $said != *'HTTP status: 5'* ]] || said+='; the registry may be full: its log says why'
		die "'$reference' was not pushed: $said"
	}
	say push "$reference, $digest"
}

make_tmp "$OUT"
dirs=("$@")
export TMP
export -f ask
jq --raw-output --arg registry "$registry" '.registry as $old | .kernels[]
	| [.release, .target, (if $old == $registry then .oci.bundle else null end) // "-",
		(if $old == $registry then .oci.kmm else null end) // "-"] | join(" ")' "$index" >"$TMP/kernels"
# There is an image for KMM if there was one, or if the target has what it is made from.
declare -A kinds=() asked=()
while read -r release target _ kmm; do
	kinds[$release]=bundle status=0
	[[ $kmm != - ]] || has_kernel "$target" || status=$?
	case $status in
	0) kinds[$release]+=' kmm' ;;
	3) ;;
	*) exit 1 ;;
	esac
done <"$TMP/kernels"
for release in "${!kinds[@]}"; do
	tag_of "$release"
	for kind in ${kinds[$release]}; do printf '%s\n' "$registry/$kind:$tag"; done
done | xargs -P 8 -I '{}' bash -c 'ask "$1"' - '{}' >"$TMP/asked"
while read -r reference there; do asked[$reference]=$there; done <"$TMP/asked"
while read -r release _ bundle kmm <&3; do
	deliver "$release" bundle "${bundle#-}"
	bundle=$digest digest=
	[[ ${kinds[$release]} == bundle ]] || deliver "$release" kmm "${kmm#-}"
	printf '%s %s %s\n' "$release" "$bundle" "$digest" >>"$TMP/digests"
done 3<"$TMP/kernels"
touch "$TMP/digests"
jq --rawfile digests "$TMP/digests" --arg registry "$registry" '
	([$digests | split("\n")[] | select(. != "") | split(" ")
		| {key: .[0], value: {bundle: .[1], kmm: (if .[2] == "" then null else .[2] end)}}] | from_entries) as $digests
	| .registry = $registry | .kernels |= map(.oci = $digests[.release])' "$index" >"$TMP/index"
cat "$TMP/index" >"$index"
