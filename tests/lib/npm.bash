# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Tools from npm, by the digests in tests/npm/package-lock.json.  Load after helpers.

# npm_setup: Install the tools in out/npm/, run none of their scripts, and put them into PATH and NODE_PATH.
npm_setup() {
	local dir
	dir=$ROOT_DIR/out/npm/$(sha256sum <"$ROOT_DIR/tests/npm/package-lock.json" | cut -c 1-16)
	if [[ ! -f $dir/done ]]; then
		mkdir -p "$dir"
		cp "$ROOT_DIR/tests/npm"/package{,-lock}.json "$dir/"
		run_cmd 0 npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund
		touch "$dir/done"
	fi
	export PATH=$dir/node_modules/.bin:$PATH NODE_PATH=$dir/node_modules
}
