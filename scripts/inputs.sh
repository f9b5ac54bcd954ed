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

# One jq for all targets, and one list of the project's files for a family: these take the time.
declare -A project=()
make_tmp "$OUT"
for name; do
	read_target "$name"
	read_lock "$TARGET" base toolchain source
	printf '\f%s\n' "$FAMILY"
	target_inputs
	lock_inputs
	[[ -n ${project[$FAMILY]:-} ]] || project[$FAMILY]=$(project_files)
done >"$TMP/targets"
for name in "${!project[@]}"; do
	printf '{"%s": %s}\n' "$name" "${project[$name]}"
done >"$TMP/projects"
jq --raw-input --slurp --sort-keys --slurpfile projects "$TMP/projects" '
	($projects | add) as $project | split("\f")[1:][] | split("\n") | .[0] as $family | .[1:] | {
		target: (map(capture("^(?<key>[A-Z_]+) = (?<value>.*)$")) | from_entries),
		files: ($project[$family] + map(capture("^(?<stage>[a-z]+) (?<sha256>[^ ]+) (?<uri>.*)$")
			| {uri, digest: {sha256}, annotations: {stage}}))}' "$TMP/targets" >"$TMP/inputs"
if [[ -n $json ]]; then
	cat "$TMP/inputs"
else
	# a file for each target
	csplit --quiet --elide-empty-files --digits=6 --prefix="$TMP/of-" "$TMP/inputs" '/^{$/' '{*}'
	sha256sum "$TMP/of-"* | cut -d ' ' -f 1
fi
