#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: inputs.sh TARGET...
#        inputs.sh TARGET --json
#
# Print the inputs digest of each target, one a line: the sha256 of all that decides the bits of its build, which are
# the target's keys, the files of its lock and the files of the project.  With --json, print the inputs themselves, as
# provenance.json has them: {target: {KEY: VALUE}, files: [resource descriptor]}.  Nothing is fetched or built.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
json=
if [[ $# -eq 2 && $2 == --json ]]; then
	json=1
	set -- "$1"
fi
[[ $# -gt 0 ]] || die "usage: inputs.sh TARGET..., or inputs.sh TARGET --json"

# project_files: Print the project's files that a build of the family FAMILY depends on, as JSON.
project_files() {
	(cd "$TOP" && { image_files && host_files; } | xargs -d '\n' sha256sum) | jq --raw-input --null-input \
		'[inputs | capture("^(?<digest>[0-9a-f]+)  (?<uri>.*)$") | {uri, digest: {sha256: .digest}}]'
}

# inputs: Print the inputs of the target that was read, as JSON.
inputs() {
	{ target_inputs && lock_inputs; } | jq --raw-input --null-input --sort-keys --argjson project "${project[$FAMILY]}" '
		[inputs] | {
			target: (map(capture("^(?<key>[A-Z_]+) = (?<value>.*)$")) | from_entries),
			files: ($project + map(capture("^(?<stage>[a-z]+) (?<sha256>[^ ]+) (?<uri>.*)$")
				| {uri, digest: {sha256}, annotations: {stage}}))}'
}

# The targets of a family share the project's files, which take most of the time.
declare -A project=()
for name; do
	read_target "$name"
	read_lock "$TARGET" base toolchain source
	[[ -n ${project[$FAMILY]:-} ]] || project[$FAMILY]=$(project_files)
	if [[ -n $json ]]; then
		inputs
	else
		inputs | sha256sum | cut -d ' ' -f 1
	fi
done
