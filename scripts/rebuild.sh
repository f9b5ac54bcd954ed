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
# is for wgkmod verify.

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
