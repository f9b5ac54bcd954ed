#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: provenance.sh TARGET DIR
#
# Writes the provenance of what is in DIR to standard output: an in-toto statement with a SLSA v1
# predicate (https://slsa.dev/spec/v1.0/provenance).  Every input stands in it by its digest, and
# nothing that differs from one run to the next.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 2 ]] || die "usage: provenance.sh TARGET DIR"
read_target "$1"
dir=$2
read_lock "$TARGET" base toolchain source

# name_digests: "NAME SHA256" lines from standard input as in-toto resource descriptors.
descriptors() {
	jq --raw-input --null-input --arg key "$1" \
		'[inputs | split(" ") | {($key): .[0], digest: {sha256: .[1]}}]'
}

# digests_of FILE-NAMES on standard input: "NAME SHA256" lines.
digests_of() { xargs -d '\n' sha256sum | sed 's/^\([0-9a-f]*\)  \(.*\)$/\2 \1/'; }

subject=$(cd "$dir" && find . -type f -printf '%P\n' | sort | digests_of | descriptors name)
inputs=$(for i in "${!LOCK_SHA256[@]}"; do
	printf '%s %s\n' "${LOCK_WHERE[i]}" "${LOCK_SHA256[i]}"
done | descriptors uri)
project=$(
	cd "$TOP"
	{
		printf '%s\n' Containerfile build.sh closure.sh kernel.sh offline.sh "families/$FAMILY.sh"
		find crypto scripts src -type f \( -name '*.[ch]' -o -name '*.sh' -o -name Makefile -o -name 'Kbuild*' \) | sort
	} | digests_of
	printf 'targets/%s %s\n' "$TARGET" "$(sha256sum <"$TARGET_DIR/$TARGET" | cut -d ' ' -f 1)"
	printf 'targets/%s.lock %s\n' "$TARGET" "$(sha256sum <"$TARGET_DIR/$TARGET.lock" | cut -d ' ' -f 1)"
)
project=$(descriptors uri <<<"$project")

jq --null-input --sort-keys \
	--argjson subject "$subject" --argjson inputs "$inputs" --argjson project "$project" \
	--arg target "$TARGET" --arg release "$RELEASE" --arg hide "$HIDE" '{
	_type: "https://in-toto.io/Statement/v1",
	subject: $subject,
	predicateType: "https://slsa.dev/provenance/v1",
	predicate: {
		buildDefinition: {
			buildType: "urn:wgkmod:build:artifacts:v1",
			externalParameters: {command: ["make", "artifacts", "TARGET=\($target)"], target: $target},
			internalParameters: {
				release: $release,
				hide: ($hide | split(" ") | map(select(. != ""))),
				network: "none",
				container: ["podman", "run", "--network=none", "--read-only", "--cap-drop=all",
					"bash", "/wgkmod/build.sh"]
			},
			resolvedDependencies: ($project + $inputs)
		},
		runDetails: {builder: {id: "urn:wgkmod:builder:containerfile"}}
	}
}'
