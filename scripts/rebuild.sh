#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: rebuild.sh BUNDLE
#
# Build a bundle again from the sources that its provenance names, and compare.  Exit with 0 if the two are
# equal bit by bit.  Exit with 3 and list the differences if not.  Any other status: it could not be built again.
#
# The bundle is not trusted, whoever signed it.  The build uses only this clone: the work tree, or else the
# newest commit in HEAD's history, in which every file has the digest in the provenance, and the target and its
# lock are equal too.  Nothing of the bundle is run, no address in it is used, and branches other than HEAD are
# ignored.  The image is made in a new image store.  The bundle's own signature is not checked: wgkmod verify
# does that.  Module signatures and the certificate are copied from the bundle to the new modules; everything
# before them must be equal.

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

# statement JQ-OPTION... FILTER: Print the filter's result on the current provenance.
statement() { jq --raw-output "$@" "$TMP/provenance.json"; }

# read_provenance RELEASE: Read the provenance of RELEASE.  Add the target's name to targets, and "SHA256  PATH"
# of the project's files to TMP/files; write the target's keys and lock to TMP/inputs-NAME.
read_provenance() {
	local name
	in_bundle "$1/provenance.json" >"$TMP/provenance.json"
	made_by_us || die "the provenance of $1 in '$bundle' does not say how it was made in a way known here"
	name=$(statement .predicate.buildDefinition.externalParameters.target)
	is_name "$name" || die "its provenance names no target, but '$name'"
	targets+=("$name")
	statement '.predicate.buildDefinition.resolvedDependencies[] | select(.annotations.stage == null) |
		"\(.digest.sha256)  \(.uri)"' >>"$TMP/files"
	statement '.predicate.buildDefinition | (.internalParameters.target | to_entries[] | "\(.key) = \(.value)"),
		(.resolvedDependencies[] | select(.annotations.stage != null) |
		"\(.annotations.stage) \(.digest.sha256) \(.uri)")' | sort >"$TMP/inputs-$name"
}

# has_files COMMIT: Return 0 if the commit has all files in TMP/files with their digests.
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

# has_targets PROJECT TARGETS-DIR: Return 0 if the targets and locks are equal to those in the provenance, as
# the project's own scripts read them.
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

# find_project: Set project and target_dir to the sources that the bundle's provenance names.
find_project() {
	local commit other paths name
	project=$TOP target_dir=$TARGET_DIR
	if (cd "$TOP" && sha256sum --check --status --strict "$TMP/files") && has_targets "$TOP" "$TARGET_DIR"; then
		say rebuild "the files that the provenance names, and the locks, are this clone's own"
		return
	fi
	project=$TMP/project target_dir=$TMP/project/targets
	if git -C "$TOP" rev-parse --quiet --verify HEAD >/dev/null 2>&1; then
		mapfile -t paths < <(sed 's/^[0-9a-f]*  //' "$TMP/files")
		for name in "${targets[@]}"; do paths+=("targets/$name" "targets/$name.lock"); done
		# The commits that change one of the files: the others have what their parents have.
		for commit in $(git -C "$TOP" rev-list --full-history HEAD -- "${paths[@]}"); do
			has_files "$commit" || continue
			rm -rf "$project"
			mkdir "$project"
			git -C "$TOP" -c tar.umask=0022 archive "$commit" | tar -x -C "$project"
			has_targets "$project" "$target_dir" || continue
			say rebuild "the files that the provenance names, and the locks, are those of commit $commit" \
				"in HEAD's history"
			return
		done
	fi
	other=$(cd "$TOP" && { sha256sum --check "$TMP/files" 2>/dev/null || [[ $? -eq 1 ]]; } |
		sed -n 's/: FAILED.*//p' | paste -sd ' ')
	die "it was made by a version of wgkmod that this clone does not have: neither the work tree nor a commit in" \
		"HEAD's history has all files with the digests named, and the target's keys and lock" \
		"(in the work tree, other than named: ${other:-the target or its lock})"
}

# in_bundle FILE: Print the bundle's file.
in_bundle() { tar -x -O -f "$bundle" "$1" 2>/dev/null; }

# put_signature FILE SIGNED: Append to the module FILE the bytes that SIGNED has after FILE's size, if they are
# exactly one module signature (scripts/sign-modules.sh).
put_signature() {
	local body size tail=$TMP/tail
	body=$(stat -c %s "$1")
	tail -c "+$((body + 1))" "$2" >"$tail"
	size=$(($(stat -c %s "$tail") - 40))
	[[ $size -gt 0 ]] || return 0
	tail -c 40 "$tail" | cmp -s - <(signature_trailer "$size") || return 0
	cat "$tail" >>"$1"
}

# put_signatures RELEASE: Append the signatures of the bundle's modules to the new modules, and add the files
# that scripts/sign-modules.sh adds.
put_signatures() {
	local dir=$made/$1 file
	if [[ ! -d $dir ]] || ! in_bundle "$1/SHA256SUMS.unsigned" >/dev/null; then return; fi
	cp "$dir/SHA256SUMS" "$dir/SHA256SUMS.unsigned"
	in_bundle "$1/signing_key.x509" >"$dir/signing_key.x509" || rm "$dir/signing_key.x509"
	while read -r file; do
		if in_bundle "$1/$file" >"$TMP/signed"; then put_signature "$dir/$file" "$TMP/signed"; fi
	done < <(cd "$dir" && find modules -name '*.ko')
	write_sums "$dir"
	say rebuild "$1: its modules are signed for the kernel; the signatures are copied, not checked"
}

# made_by_us: Return 0 if the provenance has the form that provenance.sh writes, and all its paths are below the
# project.
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
