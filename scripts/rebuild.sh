#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: rebuild.sh BUNDLE
#
# Makes a bundle again from what its provenance names and compares.  Status 0 where the two are
# equal bit by bit; 3 where they are not, and what differs; any other where there is no verdict, as
# it could not be made again.
#
# Nothing that the bundle carries is run.  The provenance names everything by digest: the
# packages and the kernel's source, which fetch gets from any mirror, and the project's own files,
# which are looked for in this clone and in its history.  The target's keys stand in it whole.
# The image is made anew, in an image store of this run's own.  Signatures are not looked at: that
# is for wgkmod verify.  Those of modules that are signed for the kernel, and the certificate, are
# put to what was made again as the bundle has them; all before them has to be equal.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

[[ $# -eq 1 ]] || die "usage: rebuild.sh BUNDLE"
bundle=$1
[[ -f $bundle ]] || die "there is no bundle '$bundle'"
bundle=$(realpath "$bundle")
report=$OUT/rebuild.txt
build_type=urn:wgkmod:build:artifacts:v1
PHASE_START=$(now_ms)
make_tmp "$OUT"
project=$TMP/project
mkdir "$project" "$project/targets"

# statement JQ-OPTION... FILTER: what the provenance being read says.
statement() { jq --raw-output "$@" "$TMP/provenance.json"; }

# known_file PATH SHA256: the project's file PATH as it was when it had that digest.
known_file() {
	local commit
	if [[ -f $TOP/$1 && $(sha256sum <"$TOP/$1" | cut -d ' ' -f 1) == "$2" ]]; then
		cat "$TOP/$1"
		return
	fi
	if git -C "$TOP" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		for commit in $(git -C "$TOP" log --all --format=%H -- "$1"); do
			git -C "$TOP" show "$commit:$1" >"$TMP/file" 2>/dev/null || continue # deleted by it
			[[ $(sha256sum <"$TMP/file" | cut -d ' ' -f 1) == "$2" ]] || continue
			cat "$TMP/file"
			return
		done
	fi
	return 1
}

# take_project: the project's files that the provenance names, into the folder project.
take_project() {
	local path sha unknown=()
	while read -r path sha; do
		[[ $path =~ ^[A-Za-z0-9_][A-Za-z0-9._/-]*$ && $path != *..* && $sha =~ ^[0-9a-f]{64}$ ]] ||
			die "its provenance names '$path', which is no file of this project"
		mkdir -p "$project/$(dirname "$path")"
		known_file "$path" "$sha" >"$project/$path" || unknown+=("$path")
		[[ $path != scripts/*.sh ]] || chmod 755 "$project/$path"
	done < <(statement '.predicate.buildDefinition.resolvedDependencies[] | select(.annotations.stage == null) |
		"\(.uri) \(.digest.sha256)"')
	[[ ${#unknown[@]} -eq 0 ]] || die "it was made by a version of wgkmod that this clone does not have:" \
		"neither here nor in its history do these files have the digests named: ${unknown[*]}"
	[[ -f $project/scripts/artifacts.sh && -f $project/scripts/bundle.sh ]] ||
		die "its provenance does not name the scripts that made it"
}

# take_target NAME: the target's file and its lock, in the folder project.
take_target() {
	statement '.predicate.buildDefinition.internalParameters.target | to_entries | sort_by(.key != "FAMILY") | .[] |
		"\(.key) = \(.value)"' >"$project/targets/$1"
	statement '.predicate.buildDefinition.resolvedDependencies[] | select(.annotations.stage != null) |
		"\(.annotations.stage) \(.digest.sha256) \(.uri)"' >"$project/targets/$1.lock"
}

# need_programs: the programs that the target's family needs here.
need_programs() {
	local family words
	family=$(statement .predicate.buildDefinition.internalParameters.target.FAMILY)
	[[ $family =~ ^[a-z]+$ && -f $project/families/$family.sh ]] ||
		die "its provenance does not name the file of its family '$family'"
	# shellcheck source=/dev/null
	read -ra words < <(. "$project/families/$family.sh" && printf '%s\n' "$family_programs")
	"$TOP/scripts/need.sh" "${words[@]}" 8>&-
}

# in_bundle FILE: the file, as the bundle has it.
in_bundle() { tar -x -O -f "$bundle" "$1" 2>/dev/null; }

# put_signature FILE SIGNED: appends to the module FILE what SIGNED has after as many bytes, if that is
# one module signature and nothing else (scripts/sign-modules.sh).
put_signature() {
	local body size tail=$TMP/tail
	body=$(stat -c %s "$1")
	tail -c "+$((body + 1))" "$2" >"$tail"
	size=$(($(stat -c %s "$tail") - 40))
	[[ $size -gt 0 ]] || return 0
	# shellcheck disable=SC2059 # the length in bytes
	tail -c 40 "$tail" | cmp -s - <(
		printf "\0\0\2\0\0\0\0\0$(printf '\\%03o' $((size >> 24 & 255)) $((size >> 16 & 255)) $((size >> 8 & 255)) $((size & 255)))"
		printf '~Module signature appended~\n'
	) || return 0
	cat "$tail" >>"$1"
}

# put_signatures RELEASE: gives what was made again the signatures of the bundle's modules, as
# scripts/sign-modules.sh would have made it with the key.
put_signatures() {
	local dir=$made/$1 file
	if [[ ! -d $dir ]] || ! in_bundle "$1/SHA256SUMS.unsigned" >/dev/null; then return; fi
	cp "$dir/SHA256SUMS" "$dir/SHA256SUMS.unsigned"
	in_bundle "$1/signing_key.x509" >"$dir/signing_key.x509" || rm "$dir/signing_key.x509"
	while read -r file; do
		if in_bundle "$1/$file" >"$TMP/signed"; then put_signature "$dir/$file" "$TMP/signed"; fi
	done < <(cd "$dir" && find modules -name '*.ko')
	(cd "$dir" && find . -type f ! -name SHA256SUMS -printf '%P\0' | sort -z | xargs -0 sha256sum) >"$TMP/sums"
	mv "$TMP/sums" "$dir/SHA256SUMS"
	say rebuild "$1: its modules are signed for the kernel; the signatures are taken as they are"
}

# made_by_us: whether the provenance is one that can be read here.
made_by_us() {
	jq --exit-status --arg type "$build_type" '.predicate.buildDefinition | .buildType == $type and
		(.internalParameters.target | type == "object" and has("FAMILY") and has("RELEASE") and all(.[]; type == "string" and (test("\n") | not))) and
		(.externalParameters.target | type == "string") and
		(.resolvedDependencies | all(.[]; (.uri | type == "string" and (test("[ \n]") | not)) and (.digest.sha256 | type == "string")))' \
		"$TMP/provenance.json" >/dev/null 2>&1
}

releases=$(tar --list -f "$bundle" 2>/dev/null | sed -n 's,^\([A-Za-z0-9][A-Za-z0-9._+-]*\)/provenance\.json$,\1,p') ||
	die "'$bundle' is no bundle: tar cannot read it"
[[ -n $releases ]] || die "'$bundle' is no bundle: there is no provenance in it"
targets=()
while read -r release; do
	tar -x -O -f "$bundle" "$release/provenance.json" >"$TMP/provenance.json"
	made_by_us || die "the provenance of $release in '$bundle' does not say how it was made in a way known here"
	name=$(statement .predicate.buildDefinition.externalParameters.target)
	[[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._+-]*$ ]] || die "its provenance names no target, but '$name'"
	take_project
	need_programs
	take_target "$name"
	targets+=("$name")
	say rebuild "$name: $(statement '.predicate.buildDefinition.resolvedDependencies | length') inputs by digest; the project's files are known"
done <<<"$releases"

mkdir -p "$TMP/store"
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$TMP/store" "$TMP/store" >"$TMP/store/storage.conf"
made=$TMP/out
for name in "${targets[@]}"; do
	CONTAINERS_STORAGE_CONF=$TMP/store/storage.conf OUT=$made TARGET_DIR=$project/targets \
		"$project/scripts/artifacts.sh" "$name" 8>&- || die "'$name' could not be built again"
done
while read -r release; do put_signatures "$release"; done <<<"$releases"
OUT=$made TARGET_DIR=$project/targets SIGN_KEY='' "$project/scripts/bundle.sh" "${targets[@]}" >/dev/null 8>&- ||
	die "the bundle could not be made again"
again=$made/wireguard.tar
[[ ${#targets[@]} -gt 1 ]] || again=$(printf '%s\n' "$made"/*/wireguard-*.tar)

status=0
"$TOP/scripts/compare.sh" "$bundle" "$again" "$report" 8>&- >"$TMP/differs" || status=$?
if [[ $status -eq 0 ]]; then
	say rebuild "equal: $bundle, sha256 $(sha256sum <"$bundle" | cut -d ' ' -f 1) ($(seconds_since "$PHASE_START"))"
	exit 0
fi
[[ $status -eq 3 ]] || die "'$bundle' and what was made again could not be compared"
sed 's/^/  /' "$TMP/differs"
say rebuild "not equal: $(wc -l <"$TMP/differs") differences; what diffoscope says is in $report" >&2
not_equal
