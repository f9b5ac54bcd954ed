#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The catalogue page, in a browser.  The pictures are in out/pictures/, for a person to look at.

load lib/helpers
load lib/npm

setup_file() { npm_setup; }

setup() {
	DIR=$BATS_TEST_TMPDIR/www
	mkdir "$DIR"
}

# index COUNT: Write an index of COUNT kernels, one of them unproved, one with a package, one that replaces another, and
# a kernel that was withdrawn.
index() {
	jq --null-input --argjson count "$1" '
		("0123456789abcdef" * 4) as $sha
		| [range($count) | "5.10.\(. + 1)-4+deb.al8.x86_64" as $release | {
			$release, arch: "x86_64", distribution: (if . % 2 == 0 then "alinux3" else "debian11" end),
			target: "alinux3-\($release)", vermagic: "\($release) SMP", inputs: $sha,
			bundle: {file: "\($release)/wireguard-\($release).tar", size: 983040, sha256: $sha,
				signature: "\($release)/wireguard-\($release).tar.minisig", key: "22D2002FEB331E1C",
				replaces: (if . == 1 then $sha else null end)},
			oci: null, modules: [],
			rpm: (if . == 4 then {name: "kmod-wireguard-\($release)",
				file: "rpm/Packages/kmod-wireguard-\($release)-5.10.5-1.x86_64.rpm", sha256: $sha} else null end),
			proofs: {symbols: (if . == 3 then 0 else 262 end), boot: (if . == 2 then "not run" else "passed" end),
				parity: (if . == 2 then "not run" else "not applicable" end), repro: "not run"}}] as $kernels
		| {format: "wgkmod-index-1", generation: 7, previous: null, base: "https://kernels.example.org/wireguard",
			registry: null, keys: [{id: "22D2002FEB331E1C", file: "keys/22D2002FEB331E1C.pub",
				public: "RWQcHjPrLwDSIkzOr1//cC5XNp+d4o3RATfbH/J+2GeCI3rGMB9zQdG1"}],
			$kernels, withdrawn: [{release: "5.9.1-1.al8.x86_64", target: "x", inputs: $sha, sha256: $sha,
				reason: "it breaks <b>things</b>"}],
			not_covered: [{distribution: "alinux3", from: "5.10.134-13", reason: "x"}]}' >"$DIR/index.json"
}

pages() {
	"$ROOT_DIR/delivery/page.sh" "$DIR/index.json" en >"$DIR/index.html"
	"$ROOT_DIR/delivery/page.sh" "$DIR/index.json" zh-CN >"$DIR/index.zh-CN.html"
}

@test "in Chromium, both languages, 360 and 1280 pixels wide: no violation by axe-core, nothing too wide, no script" {
	index 6
	pages
	mkdir -p "$ROOT_DIR/out/pictures"
	run_cmd 0 node "$ROOT_DIR/tests/npm/page.js" "$DIR" "$ROOT_DIR/out/pictures"
	assert_equal "$(grep -c ' ok$' <<<"$output")" 4
	sed -i 's/<html lang="en">/<html>/' "$DIR/index.html"
	run_cmd 1 node "$ROOT_DIR/tests/npm/page.js" "$DIR" "$BATS_TEST_TMPDIR"
	assert_line '^index.html 360 html-has-lang: '
}

@test "a validator of HTML finds no error in either page, and one in a damaged page" {
	index 6
	pages
	run_cmd 0 html-validate --config "$ROOT_DIR/tests/npm/htmlvalidate.json" "$DIR/index.html" "$DIR/index.zh-CN.html"
	index 0
	pages
	run_cmd 0 html-validate --config "$ROOT_DIR/tests/npm/htmlvalidate.json" "$DIR/index.html" "$DIR/index.zh-CN.html"
	sed -i 's,</main>,,' "$DIR/index.html"
	run_cmd 1 html-validate --config "$ROOT_DIR/tests/npm/htmlvalidate.json" "$DIR/index.html"
}

@test "the page asks for the kernel first, says proofs as words, and takes no markup from the index" {
	index 6
	pages
	assert_equal "$(grep -n -m 1 '<pre>' "$DIR/index.html" | cut -d : -f 2)" '<pre><code>uname -r</code></pre>'
	output=$(<"$DIR/index.html")
	assert_line '<tr id="5.10.1-4\+deb.al8.x86_64">.*262 symbol versions equal.*booted in a virtual machine, with a tunnel'
	assert_line '<tr id="5.10.3-4\+deb.al8.x86_64">.*not booted.*Not proved'
	assert_line '<tr id="5.10.5-4\+deb.al8.x86_64">.*<a href="rpm/Packages/[^"]*">kmod-wireguard-5.10.5-4'
	assert_line '^<li><code>5.9.1-1.al8.x86_64</code>, sha256 .*: it breaks &lt;b&gt;things'
	refute_line '<tr id="5.9.1'
	assert_line 'alinux3, from version 5.10.134-13 on: this distribution ships WireGuard itself'
	assert_line '<code>RWQcHjPrLwDSIkzOr1//cC5XNp\+d4o3RATfbH/J\+2GeCI3rGMB9zQdG1</code>'
	assert_line 'curl -f -O https://kernels.example.org/wireguard/\$\(uname -r\)/wireguard-\$\(uname -r\).tar -O'
}

@test "a thousand kernels: the page is smaller than 1.5 MB and made within 5 s" {
	local start
	index 1000
	start=$(date +%s%3N)
	pages
	printf 'two pages in %d ms, %d bytes\n' $(($(date +%s%3N) - start)) "$(stat -c %s "$DIR/index.html")"
	[[ $(($(date +%s%3N) - start)) -lt 5000 && $(stat -c %s "$DIR/index.html") -lt 1500000 ]]
}
