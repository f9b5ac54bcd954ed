#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: rebuild.sh BUNDLE
#
# Makes a bundle again from what its provenance names and compares.  Status 0 where the two are
# equal bit by bit; 3 where they are not, and what differs; any other where there is no verdict, as
# it could not be made again.
#
# The bundle is not trusted, whoever signed it.  What is run, and what is built from, is this clone's own:
# the work tree, or the newest commit of HEAD's history, in which every file that the provenance names has
# the digest named, and the target and its lock are what the provenance says.  Nothing of the bundle is run,
# no address in it is asked, and a branch that was only fetched counts for nothing.  The image is made in an
# image store of this run's own.  Signatures are not looked at: that is for wgkmod verify.  Those of modules
# that are signed for the kernel, and the certificate, are put to what was made again as the bundle has
# them; all before them has to be equal.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/lib/podman.sh
. "$TOP/scripts/lib/podman.sh"

[[ $# -eq 1 ]] || die "usage: rebuild.sh BUNDLE"
[[ -f $1 ]] || die "there is no bundle '$1'"
bundle=$(realpath -- "$1")
build_type=urn:wgkmod:build:artifacts:v1
PHASE_START=$(now_ms)
make_tmp "$OUT"

# statement JQ-OPTION... FILTER: what the provenance being read says.
statement() { jq --raw-output "$@" "$TMP/provenance.json"; }

# read_provenance RELEASE: adds what the provenance of RELEASE names: to TMP/files "SHA256  PATH" of the
# project's files, to TMP/inputs the keys and the lock of its target, and to targets its name.
read_provenance() {
	local name
	in_bundle "$1/provenance.json" >"$TMP/provenance.json"
	made_by_us || die "the provenance of $1 in '$bundle' does not say how it was made in a way known here"
	name=$(statement .predicate.buildDefinition.externalParameters.target)
	[[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._+-]*$ ]] || die "its provenance names no target, but '$name'"
	targets+=("$name")
	statement '.predicate.buildDefinition.resolvedDependencies[] | select(.annotations.stage == null) |
		"\(.digest.sha256)  \(.uri)"' >>"$TMP/files"
	statement '.predicate.buildDefinition | (.internalParameters.target | to_entries[] | "\(.key) = \(.value)"),
		(.resolvedDependencies[] | select(.annotations.stage != null) |
		"\(.annotations.stage) \(.digest.sha256) \(.uri)")' | sort >"$TMP/inputs-$name"
}

# has_files COMMIT: all of TMP/files have their digests in the commit.
declare -A blob_sha256=()
has_files() {
	local sha path blob
	local -A blobs=()
	while IFS=$'\t' read -r blob path; do
		blobs[$path]=${blob##* }
	done < <(git -C "$TOP" ls-tree -r "$1")
	while read -r sha path; do
		blob=${blobs[$path]:-}
		[[ -n $blob ]] || return 1
		[[ -n ${blob_sha256[$blob]:-} ]] ||
			blob_sha256[$blob]=$(git -C "$TOP" cat-file blob "$blob" | sha256sum | cut -d ' ' -f 1)
		[[ ${blob_sha256[$blob]} == "$sha" ]] || return 1
	done <"$TMP/files"
}

# has_targets PROJECT TARGETS-DIR: the targets and locks are what the provenance says, by the project's own
# reading.
has_targets() {
	local name
	for name in "${targets[@]}"; do
		TARGET_DIR=$2 bash -euc '. "$1/scripts/lib.sh"
			read_target "$2"
			read_lock "$2" base toolchain source
			target_inputs
			lock_inputs' - "$1" "$name" 2>/dev/null 8>&- | sort | cmp -s - "$TMP/inputs-$name" || return 1
	done
}

# find_project: sets project and target_dir to the sources that the bundle says it was made from.
find_project() {
	local commit other
	project=$TOP target_dir=$TARGET_DIR
	if (cd "$TOP" && sha256sum --check --status --strict "$TMP/files") && has_targets "$TOP" "$TARGET_DIR"; then
		say rebuild "the files that the provenance names, and the locks, are this clone's own"
		return
	fi
	project=$TMP/project target_dir=$TMP/project/targets
	if git -C "$TOP" rev-parse --quiet --verify HEAD >/dev/null 2>&1; then
		for commit in $(git -C "$TOP" rev-list HEAD); do
			has_files "$commit" || continue
			rm -rf "$project"
			mkdir "$project"
			git -C "$TOP" -c tar.umask=0022 archive "$commit" | tar -x -C "$project"
			has_targets "$project" "$target_dir" || continue
			say rebuild "the files that the provenance names, and the locks, are those of commit $commit in HEAD's history"
			return
		done
	fi
	other=$(cd "$TOP" && { sha256sum --check "$TMP/files" 2>/dev/null || [[ $? -eq 1 ]]; } | sed -n 's/: FAILED.*//p' | paste -sd ' ')
	die "it was made by a version of wgkmod that this clone does not have: neither the work tree nor a commit in" \
		"HEAD's history has all files with the digests named, and the target's keys and lock" \
		"(in the work tree, other than named: ${other:-the target or its lock})"
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
	tail -c 40 "$tail" | cmp -s - <(signature_trailer "$size") || return 0
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
	write_sums "$dir"
	say rebuild "$1: its modules are signed for the kernel; the signatures are taken as they are"
}

# made_by_us: the provenance is one that can be read here: its names are those of files below the project.
made_by_us() {
	jq --exit-status --arg type "$build_type" '.predicate.buildDefinition | .buildType == $type and
		(.internalParameters.target | type == "object" and has("FAMILY") and has("RELEASE") and
			all(.[]; type == "string" and (test("\n") | not))) and
		(.externalParameters.target | type == "string") and
		(.resolvedDependencies | all(.[]; (.digest.sha256 | type == "string" and test("^[0-9a-f]{64}$")) and
			(.uri | type == "string" and (test("[ \n\t]") | not)) and
			(.annotations.stage != null or (.uri | test("^[A-Za-z0-9_][A-Za-z0-9._/-]*$") and (test("\\.\\.") | not)))))' \
		"$TMP/provenance.json" >/dev/null 2>&1
}

releases=$(tar --list -f "$bundle" 2>/dev/null | sed -n 's,^\([A-Za-z0-9][A-Za-z0-9._+-]*\)/provenance\.json$,\1,p') ||
	die "'$bundle' is no bundle: tar cannot read it"
[[ -n $releases ]] || die "'$bundle' is no bundle: there is no provenance in it"
targets=()
: >"$TMP/files"
while read -r release; do read_provenance "$release"; done <<<"$releases"
sort -u -o "$TMP/files" "$TMP/files"
find_project

own_storage "$TMP/store"
made=$TMP/out
export TARGET_DIR=$target_dir
for name in "${targets[@]}"; do
	read -ra words < <("$project/scripts/programs.sh" "$name" 8>&- | paste -sd ' ')
	"$TOP/scripts/install-deps.sh" "${words[@]}" 8>&-
	OUT=$made "$project/scripts/artifacts.sh" "$name" 8>&- || die "'$name' could not be built again"
done
while read -r release; do put_signatures "$release"; done <<<"$releases"
OUT=$made SIGN_KEY='' "$project/scripts/bundle.sh" "${targets[@]}" >/dev/null 8>&- ||
	die "the bundle could not be made again"
again=$made/wireguard.tar
[[ ${#targets[@]} -gt 1 ]] || again=$(printf '%s\n' "$made"/*/wireguard-*.tar)
mv -T "$again" "$OUT/rebuilt.tar"

status=0
"$TOP/scripts/compare.sh" "$bundle" "$OUT/rebuilt.tar" 8>&- >"$TMP/differs" || status=$?
if [[ $status -eq 0 ]]; then
	say rebuild "equal: $bundle, sha256 $(sha256sum <"$bundle" | cut -d ' ' -f 1) ($(seconds_since "$PHASE_START"))"
	exit 0
fi
[[ $status -eq 3 ]] || die "'$bundle' and what was made again could not be compared"
plain <"$TMP/differs" | sed 's/^/  /'
say rebuild "not equal: $(wc -l <"$TMP/differs") differences between the bundle and $OUT/rebuilt.tar" >&2
not_equal
