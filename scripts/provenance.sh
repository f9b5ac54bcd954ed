#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: provenance.sh TARGET DIR
#
# Print the provenance of the files in DIR: an in-toto statement with a SLSA v1 predicate
# (https://slsa.dev/spec/v1.0/provenance).  It names every input: the target's keys with their values, the files
# of the lock and of the project by digest.  scripts/rebuild.sh needs no more.  It has nothing that differs from
# run to run.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 2 ]] || die "usage: provenance.sh TARGET DIR"
read_target "$1"
dir=$2
read_lock "$TARGET" base toolchain source

# descriptors KEY: Print the lines "NAME SHA256" of standard input as in-toto resource descriptors.
descriptors() {
	jq --raw-input --null-input --arg key "$1" \
		'[inputs | split(" ") | {($key): .[0], digest: {sha256: .[1]}}]'
}

# digests_of: Print "NAME SHA256" for each file name on standard input.
digests_of() { xargs -d '\n' sha256sum | sed 's/^\([0-9a-f]*\)  \(.*\)$/\2 \1/'; }

subject=$(cd "$dir" && find . -type f -printf '%P\n' | sort | digests_of | descriptors name)
inputs=$(lock_inputs | jq --raw-input --null-input \
	'[inputs | split(" ") | {uri: .[2], digest: {sha256: .[1]}, annotations: {stage: .[0]}}]')
keys=$(target_inputs | jq --raw-input --null-input \
	'[inputs | capture("^(?<key>[A-Z_]+) = (?<value>.*)$")] | from_entries')
# both compilers, if one stands in for the kernel's
compilers=$(jq --raw-input --null-input '[inputs | capture("^# (?<key>Kernel|Modules) made by: (?<value>.*)$")
	| .key |= ascii_downcase] | from_entries' "$dir/explain.txt")
project=$(
	cd "$TOP"
	{ image_files && host_files; } | digests_of
)
project=$(descriptors uri <<<"$project")

jq --null-input --sort-keys \
	--argjson subject "$subject" --argjson inputs "$inputs" --argjson project "$project" \
	--argjson keys "$keys" --argjson compilers "$compilers" --arg target "$TARGET" '{
	_type: "https://in-toto.io/Statement/v1",
	subject: $subject,
	predicateType: "https://slsa.dev/provenance/v1",
	predicate: {
		buildDefinition: {
			buildType: "urn:wgkmod:build:artifacts:v1",
			externalParameters: {command: ["make", "artifacts", "TARGET=\($target)"], target: $target},
			internalParameters: ({
				target: $keys,
				network: "none",
				container: ["podman", "run", "--network=none", "--read-only", "--cap-drop=all",
					"bash", "/wgkmod/build.sh"]
			} + (if $compilers == {} then {} else {compilers: $compilers} end)),
			resolvedDependencies: ($project + $inputs)
		},
		runDetails: {builder: {id: "urn:wgkmod:builder:containerfile"}}
	}
}'
