#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: publish.sh DEST [TARGET...]
#
# Publish the signed and proved bundles of the targets, from out/, to the web root DEST.  Build nothing; make publish
# builds what delivery/changed.sh names, and calls this.  Without targets, bring index and page of a DEST that exists up
# to date with its packages (delivery/rpm.sh).  docs/delivery.md describes what is in DEST.
#
# DEST is a link to a directory in DEST.versions/.  A new version is made beside the old one, from hard links and the
# new files, and one rename of the link puts it in place.  So DEST is the old or the new version at any moment, and
# the index names nothing that is not there.  A bundle with the published digest is left alone; if nothing
# changes, nothing is written.
#
#   SIGN_KEY=FILE   the secret key of minisign that signed the bundles; it signs the index
#   REPLACE=1       replace a published bundle of the same kernel by another one, or publish a withdrawn kernel again;
#                   REPLACE=changed replaces a bundle only if the inputs of its target changed
#   UNPROVEN=1      publish a bundle without the statement of delivery/prove.sh; index and page say so
#   WITHDRAW="A B"  take the bundles of these kernels out of DEST; WHY=SENTENCE is the reason that index and page give
#   OLD_KEY=FILE    the public key that signed DEST so far, if SIGN_KEY is a new one: all is signed again
#   BASE_URL=X      the address of the web root, for the lines that the page prints
#   REGISTRY=X      HOST/REPOSITORY: push each kernel there too, before DEST names it (delivery/push.sh)

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -gt 0 ]] || die "usage: publish.sh DEST [TARGET...]"
dest=$(realpath --no-symlinks -m "$1")
shift
versions=$dest.versions
SIGN_KEY=${SIGN_KEY:-} REPLACE=${REPLACE:-} UNPROVEN=${UNPROVEN:-} BASE_URL=${BASE_URL:-} REGISTRY=${REGISTRY:-}
WITHDRAW=${WITHDRAW:-} WHY=${WHY:-} OLD_KEY=${OLD_KEY:-}
[[ -n $SIGN_KEY ]] || die "publish needs SIGN_KEY=, the secret key that signs the bundles and the index"
[[ -f $SIGN_KEY ]] || die "there is no key '$SIGN_KEY'"
[[ -z $OLD_KEY || -f $OLD_KEY ]] || die "there is no key '$OLD_KEY' (OLD_KEY=)"
[[ $REPLACE =~ ^(1|changed|)$ ]] || die "REPLACE= is 1 or 'changed', not '$REPLACE'"
[[ -z $WITHDRAW || -n $WHY ]] || die "WITHDRAW= needs WHY=, a sentence for those who have the bundle"
read -ra withdraw <<<"$WITHDRAW"

# verified FILE KEY: Return 0 if KEY verifies the signature beside FILE.
verified() { minisign -V -q -p "$2" -m "$1" >/dev/null 2>&1; }

# sign FILE: Sign FILE of the tree that is made, with a comment that has its digest in place of a time.
sign() {
	try minisign -S -s "$SIGN_KEY" -m "$1" -x "$1.minisig" -t "file:${1##*/} generation:$2"
}

# ---- the published version ------------------------------------------------------------

# read_published: Set current to the directory that DEST is a link to, or to nothing.  Exit if DEST is something else,
# was changed by hand, or is older than a version beside it.
read_published() {
	local bad newest signer=$TMP/key.pub
	current=
	if [[ ! -e $dest && ! -L $dest ]] || { [[ -d $dest && ! -L $dest ]] && [[ -z $(ls -A "$dest") ]]; }; then
		return
	fi
	[[ -L $dest && -d $dest ]] ||
		die "'$dest' is not a link that make publish made; name a DEST that does not exist"
	current=$(realpath "$dest")
	[[ $current == "$(realpath "$versions")"/* ]] || die "'$dest' leads to '$current', which is not in '$versions'"
	if [[ -n $OLD_KEY ]] && ! verified "$dest/index.json" "$signer"; then signer=$OLD_KEY; fi
	verified "$dest/index.json" "$signer" || die "'$dest/index.json' was not signed by '${OLD_KEY:-$SIGN_KEY}' as it is:" \
		"it was changed by hand, or another key signed it (OLD_KEY=); nothing was published"
	verified "$dest/SHA256SUMS" "$signer" ||
		die "'$dest/SHA256SUMS' was not signed by '${OLD_KEY:-$SIGN_KEY}' as it is; nothing was published"
	read_index "$dest/index.json"
	bad=$(cd "$dest" && sha256sum --check --quiet --strict SHA256SUMS 2>/dev/null) ||
		die "'$dest/${bad%%:*}' is not the file that was published; nothing was published"
	newest=0
	[[ ! -f $versions/generation ]] || newest=$(<"$versions/generation")
	[[ $newest -le $(jq .generation "$dest/index.json") ]] ||
		die "'$dest' is generation $(jq .generation "$dest/index.json"), but $newest was published:" \
			"the generation would fall, and hosts refuse that; nothing was published"
}

# ---- a kernel -------------------------------------------------------------------------

# facts DIR: Print what the bundle, unpacked in DIR, says of itself: JSON without the keys that publishing adds.
facts() {
	local dir=$1 sha file symbols=0 vermagic provenance=$1/provenance.json
	while read -r sha file; do
		[[ $file == *.ko ]] || continue
		symbols=$((symbols + $(modprobe --dump-modversions "$dir/$file" 2>/dev/null | wc -l)))
		printf '%s\t%s\t%s\n' "${file#\*}" "$sha" "$(modinfo -F srcversion "$dir/$file")"
	done <"$dir/SHA256SUMS" >"$TMP/modules"
	vermagic=$(modinfo -F vermagic "$dir/modules/kernel/drivers/net/wireguard/wireguard.ko")
	jq --null-input --rawfile modules "$TMP/modules" --arg vermagic "$vermagic" --argjson symbols "$symbols" \
		--arg inputs "$(inputs_of_provenance "$provenance")" --slurpfile provenance "$provenance" '
		$provenance[0].predicate.buildDefinition as $build | {
			release: $build.internalParameters.target.RELEASE,
			arch: $build.internalParameters.target.ARCH,
			target: $build.externalParameters.target,
			distribution: ($build.externalParameters.target | split("-")[0]),
			vermagic: ($vermagic | rtrimstr(" ")),
			inputs: $inputs,
			modules: [$modules | split("\n")[] | select(. != "") | split("\t")
				| {path: .[0], sha256: .[1], srcversion: (if .[2] == "" then null else .[2] end)}],
			symbols: $symbols
		}'
}

# stage_kernel: Put the bundle of the target that was read, and what belongs to it, into TMP/new/RELEASE, and its
# entry of the index into TMP/entries/RELEASE.  Do nothing if the published bundle is the same.
stage_kernel() {
	local bundle sha old_sha why statement to=$TMP/new/$RELEASE unpacked=$TMP/unpacked
	bundle=$(bundle_file "$RELEASE")
	statement=$bundle.proofs.json
	old_sha=${published[$RELEASE]:-}
	if [[ ! -f $bundle ]]; then
		[[ $unchanged == *" $TARGET "* ]] ||
			die "there is no '$bundle'; run: make bundle TARGET=$TARGET"
		return 0
	fi
	sha=$(digest_of "$bundle")
	# the same bundle is published again only if more is proved
	if [[ $sha == "$old_sha" ]]; then
		statement_covers "$statement" "$sha" || return 0
		[[ ! -f $current/$RELEASE/${statement##*/} ]] || { statement_has_repro "$statement" &&
			! statement_has_repro "$current/$RELEASE/${statement##*/}"; } || return 0
	fi
	why=${withdrawn[$sha]:-}
	[[ -n $old_sha ]] || why=${why:-${withdrawn[$RELEASE]:-}}
	if [[ -n $why && $REPLACE != 1 ]]; then
		say publish "$RELEASE stays withdrawn: $why; REPLACE=1 publishes it again"
		return
	fi
	[[ -z $old_sha || $sha == "$old_sha" || $REPLACE == 1 ]] ||
		[[ $REPLACE == changed && $unchanged != *" $TARGET "* ]] ||
		die "$RELEASE is published with sha256 $old_sha, and '$bundle' has $sha; REPLACE=1 replaces it"
	[[ -f $bundle.minisig ]] || die "'$bundle' is not signed; run: make bundle TARGET=$TARGET SIGN_KEY=$SIGN_KEY"
	verified "$bundle" "$TMP/key.pub" || die "'$bundle.minisig' is not a signature of the bundle by '$SIGN_KEY'"
	[[ -n $UNPROVEN ]] || statement_covers "$statement" "$sha" ||
		die "'$bundle' is not proved; run: delivery/prove.sh $TARGET; UNPROVEN=1 publishes it without that"

	rm -rf "$unpacked"
	try mkdir "$to" "$unpacked"
	try tar --extract --no-same-owner --strip-components=1 --directory="$unpacked" --file="$bundle"
	[[ $(inputs_of_provenance "$unpacked/provenance.json") == "$("$TOP/scripts/inputs.sh" "$TARGET")" ]] ||
		die "'$bundle' was made from other inputs than those of '$TARGET' now; run: make bundle TARGET=$TARGET"
	try install -m 644 "$bundle" "$bundle.minisig" "$unpacked"/{provenance.json,sbom.spdx.json,explain.txt} "$to/"
	printf '%s  %s\n' "$sha" "${bundle##*/}" >"$TMP/sha256"
	try install -m 644 "$TMP/sha256" "$to/${bundle##*/}.sha256"
	if statement_covers "$statement" "$sha"; then
		try install -m 644 "$statement" "$to/"
		cp "$statement" "$TMP/proofs"
	else
		printf '{"predicate": {"boot": "not run", "parity": "not run", "repro": "not run"}}\n' >"$TMP/proofs"
	fi
	facts "$unpacked" >"$TMP/facts"
	jq --sort-keys --arg size "$(stat -c %s "$bundle")" --arg sha "$sha" --arg key "$key_id" \
		--arg replaces "${old_sha#"$sha"}" --slurpfile proofs "$TMP/proofs" '
		"\(.release)/wireguard-\(.release).tar" as $file
		| .bundle = {$file, size: ($size | tonumber), sha256: $sha, signature: "\($file).minisig", $key,
			replaces: (if $replaces == "" then null else $replaces end)}
		| .proofs = ({symbols: .symbols} + $proofs[0].predicate) | del(.symbols)
		| .oci = null | .rpm = null' "$TMP/facts" >"$TMP/entries/$RELEASE"
	say publish "$RELEASE, sha256 $sha"
}

# ---- the whole ------------------------------------------------------------------------

# not_covered: Print targets/ships-wireguard as JSON.
not_covered() {
	jq --raw-input --null-input '[inputs | select(test("^[^#]"))
		| capture("^(?<distribution>[^ ]+) +(?<from>[^ ]+) +(?<reason>.*)$")]' "$TARGET_DIR/ships-wireguard"
}

# sign_again: Sign the published bundles that OLD_KEY signed, with their comments, into TMP/new.
sign_again() {
	local release bundle
	while read -r release; do
		[[ ! -f $TMP/entries/$release ]] || continue
		bundle=$TMP/new/$release/wireguard-$release.tar
		try cp -al "$current/$release" "$TMP/new/"
		rm "$bundle.minisig"
		try minisign -S -s "$SIGN_KEY" -m "$bundle" -x "$bundle.minisig" \
			-t "$(sed -n '3s/^trusted comment: //p' "$current/$release/${bundle##*/}.minisig")"
	done < <(jq --raw-output --arg id "$key_id" --arg withdraw "$WITHDRAW" '.kernels[]
		| select(.bundle.key != $id and (.release | IN($withdraw | splits(" +")) | not)) | .release' "$TMP/old.json")
}

# packages: Print the list of the packages in DEST/rpm, which make rpm keeps: BUNDLE'S-SHA256 NAME FILE SHA256.  Exit if
# one that is there has another digest than in the list or in the index.
packages() {
	local bad
	[[ -n $current && -f $current/rpm/bundles ]] || return 0
	bad=$(cd "$current" && {
		awk '{ print $4 "  " $3 }' rpm/bundles
		jq --raw-output '.kernels[].rpm | values | "\(.sha256)  \(.file)"' index.json
	} | sort -u | sha256sum --check --quiet --strict 2>/dev/null) ||
		die "'$dest/${bad%%:*}' is not the package that make rpm made; nothing was published"
	cat "$current/rpm/bundles"
}

# write_index: Write TMP/new/index.json from the old index, the new entries and the packages, without the kernels of
# WITHDRAW, and sign it, unless it has the old content.  The number "generation" grows by one with each new content.
write_index() {
	local new=$TMP/index.json
	not_covered >"$TMP/not-covered"
	packages >"$TMP/packages"
	: >"$TMP/entries/none"
	jq --sort-keys --slurp --slurpfile old "$TMP/old.json" --slurpfile out "$TMP/not-covered" --arg id "$key_id" \
		--arg base "$BASE_URL" --rawfile public "$TMP/key.pub" --rawfile packages "$TMP/packages" \
		--arg withdraw "$WITHDRAW" --arg why "$WHY" '
		def is_withdrawn: .release | IN($withdraw | splits(" +"));
		(map({key: .release, value: .}) | from_entries) as $new
		| map(.bundle.sha256) as $published
		# the last line is that of the newest package, as the list is sorted by version
		| ([$packages | split("\n")[] | select(. != "") | split(" ")
			| {key: .[0], value: {name: .[1], file: .[2], sha256: .[3]}}] | from_entries) as $packages
		| {
			format: "wgkmod-index-1",
			base: (if $base == "" then $old[0].base else $base end),
			registry: $old[0].registry,
			keys: [{$id, file: "keys/\($id).pub", public: ($public | split("\n")[1])}],
			kernels: ([$old[0].kernels[] | select(($new[.release] or is_withdrawn) | not)
				| if .bundle.key == $id then . else .bundle.key = $id | .oci = null end] + . | sort_by(.release)
				| map(.rpm = $packages[.bundle.sha256])),
			withdrawn: ([$old[0].withdrawn[]? | select(.sha256 | IN($published[]) | not)]
				+ [$old[0].kernels[] | select(is_withdrawn)
					| {release, target, inputs, sha256: .bundle.sha256, reason: $why}] | sort_by(.release, .sha256)),
			not_covered: $out[0]
		}' "$TMP/entries"/* >"$new"
	if [[ -n $REGISTRY ]]; then "$DELIVERY/push.sh" "$new" "$REGISTRY" "$TMP/new" ${current:+"$current"} || exit; fi
	if jq --exit-status --slurpfile old "$TMP/old.json" '. == ($old[0] | del(.generation, .previous))' \
		"$new" >/dev/null; then
		try cp "$current/index.json" "$current/index.json.minisig" "$TMP/new/"
		return
	fi
	try_into "$TMP/new/index.json" jq --sort-keys --slurpfile old "$TMP/old.json" --arg previous "$previous" '
		.generation = $old[0].generation + 1 | .previous = (if $previous == "" then null else $previous end)' "$new"
	sign "$TMP/new/index.json" "$(jq .generation "$TMP/new/index.json")"
}

# is_published: Return 0 if each file of TMP/new is in the published version, with the same content.
is_published() {
	local file
	[[ -n $current ]] || return 1
	while IFS= read -r file; do
		cmp -s "$TMP/new/$file" "$current/$file" || return 1
	done < <(cd "$TMP/new" && find . -type f)
}

# merge: Make TMP/tree of the published version, by hard links, and of TMP/new, and write its sums.  A hard link is
# removed before a file of its name is written: it is also a file of the published version.
merge() {
	local dir
	if [[ -n $current ]]; then try cp -al "$current" "$TMP/tree"; else try mkdir -m 755 "$TMP/tree"; fi
	for dir in "$TMP/entries"/* "${withdraw[@]}" keys; do rm -rf "$TMP/tree/${dir##*/}"; done
	try cp -r --remove-destination "$TMP/new/." "$TMP/tree"
	rm -f "$TMP/tree"/SHA256SUMS{,.minisig}
	# the repository of make rpm, DEST/rpm and DEST/.rpm-*, has signatures of its own and is only carried along
	(cd "$TMP/tree" && find . \( -path './.?*' -o -path ./rpm \) -prune -o -type f -printf '%P\0' | sort -z |
		xargs -0 sha256sum) >"$TMP/sums"
	try cp "$TMP/sums" "$TMP/tree/SHA256SUMS"
	sign "$TMP/tree/SHA256SUMS" "$(jq .generation "$TMP/tree/index.json")"
}

parent=$(dirname "$dest")
[[ -d $parent ]] || die "there is no directory '$parent' for DEST"
[[ -w $parent ]] || die "'$parent' cannot be written: DEST cannot be made there"
make_tmp "$versions"
lock_dest "$dest"
minisign -R -s "$SIGN_KEY" -p "$TMP/key.pub" >/dev/null || die "'$SIGN_KEY' is not a secret key of minisign"
key_id=$(printf '%016X' "0x$(sed -n '1s/.* //p' "$TMP/key.pub")")
read_published
previous=
printf '{"format": "wgkmod-index-1", "generation": 0, "base": null, "registry": null, "kernels": []}\n' >"$TMP/old.json"
if [[ -n $current ]]; then
	try cp "$current/index.json" "$TMP/old.json"
	previous=$(digest_of "$TMP/old.json")
fi
try mkdir -p "$TMP/entries" "$TMP/new/keys"
try install -m 644 "$TMP/key.pub" "$TMP/new/keys/$key_id.pub"

# the targets whose inputs are the published ones
unchanged=
if [[ $# -gt 0 ]]; then
	changed=$("$DELIVERY/changed.sh" "$TMP/old.json" "$@")
	unchanged=" $(printf '%s\n' "$@" | { grep -vxF "$changed" || [[ $? -eq 1 ]]; } | paste -sd ' ') "
fi
# the digest of each published bundle, by release; the reason of each withdrawal, by release and by digest
declare -A published=() withdrawn=()
while read -r release sha; do published[$release]=$sha; done \
	< <(jq --raw-output '.kernels[] | "\(.release) \(.bundle.sha256)"' "$TMP/old.json")
while read -r release sha reason; do withdrawn[$release]=$reason withdrawn[$sha]=$reason; done \
	< <(jq --raw-output '.withdrawn[]? | "\(.release) \(.sha256) \(.reason)"' "$TMP/old.json")
[[ $# -gt 0 || -n $current ]] || die "'$dest' does not exist yet: name the targets to publish"
for release in "${withdraw[@]}"; do
	[[ -n ${published[$release]:-} ]] || die "'$dest' has no bundle of '$release' to withdraw"
done
for name; do
	read_target "$name"
	stage_kernel
done
sign_again
write_index
try install -m 644 "$DELIVERY/index.schema.json" "$TMP/new/"
try_into "$TMP/new/index.html" "$DELIVERY/page.sh" "$TMP/new/index.json" en
try_into "$TMP/new/index.zh-CN.html" "$DELIVERY/page.sh" "$TMP/new/index.json" zh-CN
if is_published; then exit 0; fi
merge
generation=$(jq .generation "$TMP/tree/index.json")
switch_to "$dest" "$TMP/tree" "$generation"
say publish "$dest, generation $generation, $(jq '.kernels | length' "$dest/index.json") kernel(s)"
