# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# tools_setup: compiles the C programs beside this file, once a run; $TOOLS is where they are.

tools_setup() {
	local dir=${BASH_SOURCE[0]%/*} source
	export TOOLS=$BATS_RUN_TMPDIR/tools
	mkdir -p "$TOOLS"
	(
		flock 9
		for source in "$dir"/*.c; do
			source=${source##*/}
			[[ -e $TOOLS/${source%.c} ]] ||
				cc -std=gnu11 -O2 -Wall -Wextra -o "$TOOLS/${source%.c}" "$dir/$source"
		done
	) 9>"$TOOLS.lock"
}
