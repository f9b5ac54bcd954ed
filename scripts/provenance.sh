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

subject=$(cd "$dir" && find . -type f -printf '%P\n' | sort | xargs -d '\n' sha256sum | jq --raw-input --null-input \
	'[inputs | capture("^(?<digest>[0-9a-f]+)  (?<name>.*)$") | {name, digest: {sha256: .digest}}]')
# both compilers, if one stands in for the kernel's
compilers=$(jq --raw-input --null-input '[inputs | capture("^# (?<key>Kernel|Modules) made by: (?<value>.*)$")
	| .key |= ascii_downcase] | from_entries' "$dir/explain.txt")
inputs=$("$TOP/scripts/inputs.sh" "$TARGET" --json)

jq --null-input --sort-keys \
	--argjson subject "$subject" --argjson inputs "$inputs" \
	--argjson compilers "$compilers" --arg target "$TARGET" '{
	_type: "https://in-toto.io/Statement/v1",
	subject: $subject,
	predicateType: "https://slsa.dev/provenance/v1",
	predicate: {
		buildDefinition: {
			buildType: "urn:wgkmod:build:artifacts:v1",
			externalParameters: {command: ["make", "artifacts", "TARGET=\($target)"], target: $target},
			internalParameters: ({
				target: $inputs.target,
				network: "none",
				container: ["podman", "run", "--network=none", "--read-only", "--cap-drop=all",
					"bash", "/wgkmod/build.sh"]
			} + (if $compilers == {} then {} else {compilers: $compilers} end)),
			resolvedDependencies: $inputs.files
		},
		runDetails: {builder: {id: "urn:wgkmod:builder:containerfile"}}
	}
}'
