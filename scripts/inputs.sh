#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: inputs.sh TARGET [--json]
#
# Print the inputs digest of a target: the sha256 of all that decides the bits of its build, which are the target's
# keys, the files of its lock and the files of the project.  With --json, print the inputs themselves, as
# provenance.json has them: {target: {KEY: VALUE}, files: [resource descriptor]}.  Nothing is fetched or built.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 1 || ($# -eq 2 && $2 == --json) ]] || die "usage: inputs.sh TARGET [--json]"
read_target "$1"
read_lock "$TARGET" base toolchain source

keys=$(target_inputs | jq --raw-input --null-input \
	'[inputs | capture("^(?<key>[A-Z_]+) = (?<value>.*)$")] | from_entries')
locked=$(lock_inputs | jq --raw-input --null-input \
	'[inputs | split(" ") | {uri: .[2], digest: {sha256: .[1]}, annotations: {stage: .[0]}}]')
project=$(
	cd "$TOP"
	{ image_files && host_files; } | xargs -d '\n' sha256sum
)
project=$(jq --raw-input --null-input \
	'[inputs | capture("^(?<digest>[0-9a-f]+)  (?<uri>.*)$") | {uri, digest: {sha256: .digest}}]' <<<"$project")
inputs=$(jq --null-input --sort-keys --argjson keys "$keys" --argjson locked "$locked" --argjson project "$project" \
	'{target: $keys, files: ($project + $locked)}')
if [[ ${2:-} == --json ]]; then
	printf '%s\n' "$inputs"
else
	sha256sum <<<"$inputs" | cut -d ' ' -f 1
fi
