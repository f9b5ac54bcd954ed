#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: sbom.sh TARGET DIR SOURCES
#
# Print the bill of materials of the files in DIR: SPDX 2.3 as JSON (https://spdx.github.io/spdx-spec/v2.3/).
# SOURCES is the output of list-sources.sh.  The bill names the modules and wgkmod, the source files of each with
# their licences, and every package that the build used.  It has nothing that differs from run to run: its time
# is SOURCE_DATE_EPOCH, 0 for every build, and its namespace has a digest of the files.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 3 ]] || die "usage: sbom.sh TARGET DIR SOURCES"
read_target "$1"
dir=$2 sources=$3
read_lock "$TARGET" base toolchain source
make_tmp "$OUT"

# digests FILE...: Print "SHA1<tab>SHA256<tab>NAME" for each file in the current directory.
digests() {
	paste <(sha1sum -- "$@" | cut -d ' ' -f 1) <(sha256sum -- "$@" | sed 's/  /\t/')
}

(cd "$dir" && mapfile -t files < <(find . -type f -printf '%P\n' | sort) && digests "${files[@]}") >"$TMP/files"
(
	cd "$TOP"
	mapfile -t files < <(image_files | grep '^src/')
	paste <(digests "${files[@]}") <(awk 'FNR == 1 && NR > 1 { print licence; licence = "" }
		FNR <= 3 && match($0, /SPDX-License-Identifier: *[^ ]*/) {
			licence = substr($0, RSTART, RLENGTH)
			sub(/.*: */, "", licence)
		}
		END { print licence }' "${files[@]}")
) >"$TMP/project"
for i in "${!LOCK_SHA256[@]}"; do
	printf '%s\t%s\t%s\n' "${LOCK_STAGE[i]}" "${LOCK_SHA256[i]}" "${LOCK_WHERE[i]}"
done >"$TMP/packages"

jq --null-input --arg release "$RELEASE" --rawfile files "$TMP/files" --rawfile project "$TMP/project" \
	--rawfile packages "$TMP/packages" --rawfile sources "$sources" \
	--arg content "$(sha256sum <"$TMP/files" | cut -d ' ' -f 1)" \
	--arg verification "$(cut -f 1 "$TMP/files" | sort | tr -d '\n' | sha1sum | cut -d ' ' -f 1)" \
	--from-file "$TOP/scripts/sbom.jq"
