#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031 # each test is a subshell
#
# The web root: what publish.sh writes, when it writes nothing, what it refuses, and that it can be killed.

load lib/helpers
load lib/delivery

A=5.10.1-a+b-amd64
B=5.10.2-b-amd64
A_RE=${A//+/\\+}

setup_file() {
	delivery_setup
	fixture_kernel "$A"
	fixture_kernel "$B"
	cp -r "$OUT" "$BATS_FILE_TMPDIR/out.pristine"
}

setup() {
	DEST=$BATS_TEST_TMPDIR/www
	export OUT=$BATS_TEST_TMPDIR/out TARGET_DIR=$BATS_FILE_TMPDIR/targets
	cp -r "$BATS_FILE_TMPDIR/out.pristine" "$OUT"
}

# assert_unpublished SENTENCE: The last run said this alone, and DEST was not made.
assert_unpublished() {
	assert_line "^wgkmod: $1"
	assert_equal "$(wc -l <<<"$output")" 1
	assert_absent "$DEST"
}

@test "a web root has the bundles, their documents, keys and sums, and an index that its schema allows" {
	local file
	publish 0 "$A" "$B"
	assert_line "^publish +$DEST, generation 1, 2 kernel\(s\)$"
	assert_whole "$DEST"
	for file in wireguard-$A.tar{,.minisig,.sha256,.proofs.json} provenance.json sbom.spdx.json explain.txt; do
		[[ -f $DEST/$A/$file ]] || fail "there is no $file"
	done
	(cd "$DEST/$A" && sha256sum --check --quiet "wireguard-$A.tar.sha256")
	python3 -c 'import json, jsonschema, sys
jsonschema.validate(*(json.load(open(f)) for f in sys.argv[1:]))' "$DEST/index.json" "$DEST/index.schema.json"
	proofs='{"boot":"passed","parity":"passed","repro":"not run","symbols":262}'
	assert_equal "$(jq -c '[.kernels[] | .release, .inputs, .proofs]' "$DEST/index.json")" \
		"[\"$A\",\"$("$ROOT_DIR/scripts/inputs.sh" "$A")\",$proofs,\"$B\",\"$("$ROOT_DIR/scripts/inputs.sh" "$B")\",$proofs]"
}

@test "publishing the same again says nothing and writes nothing, also without the bundles in out/" {
	publish 0 "$A" "$B"
	state "$DEST.versions/1-"* >"$BATS_TEST_TMPDIR/before"
	readlink "$DEST" >>"$BATS_TEST_TMPDIR/before"
	publish 0 "$A" "$B"
	assert_equal "$output" ''
	rm -r "${OUT:?}/$B"
	publish 0 "$A" "$B"
	assert_equal "$output" ''
	diff "$BATS_TEST_TMPDIR/before" <(state "$DEST.versions/1-"* && readlink "$DEST")
}

@test "another kernel comes to those that are there; the generation grows by one and names the index before" {
	local first
	publish 0 "$B"
	first=$(sha256sum <"$DEST/index.json" | cut -d ' ' -f 1)
	publish 0 "$A"
	assert_whole "$DEST"
	assert_equal "$(jq -c '[.generation, .previous, [.kernels[].release]]' "$DEST/index.json")" \
		"[2,\"$first\",[\"$A\",\"$B\"]]"
}

@test "changed.sh names the targets that are not published with their inputs" {
	run_cmd 0 "$ROOT_DIR/delivery/changed.sh" "$DEST/index.json" "$A" "$B"
	assert_equal "$output" "$A"$'\n'"$B"
	publish 0 "$A" "$B"
	run_cmd 0 "$ROOT_DIR/delivery/changed.sh" "$DEST/index.json" "$A" "$B"
	assert_equal "$output" ''
	cp -r "$TARGET_DIR" "$BATS_TEST_TMPDIR/targets"
	sed -i 's/^BTF .*/&\nCOMPILER = x/' "$BATS_TEST_TMPDIR/targets/$B"
	TARGET_DIR=$BATS_TEST_TMPDIR/targets run_cmd 0 "$ROOT_DIR/delivery/changed.sh" "$DEST/index.json" "$A" "$B"
	assert_equal "$output" "$B"
}

@test "another bundle of a published kernel is refused with both digests; REPLACE=1 takes it and says so" {
	local old new
	publish 0 "$A"
	old=$(sha256sum <"$OUT/$A/wireguard-$A.tar" | cut -d ' ' -f 1)
	echo more >>"$OUT/$A/explain.txt"
	fixture_bundle "$A"
	new=$(sha256sum <"$OUT/$A/wireguard-$A.tar" | cut -d ' ' -f 1)
	publish 1 "$A"
	assert_line "^wgkmod: $A_RE is published with sha256 $old, and '.*' has $new; REPLACE=1 replaces it$"
	assert_equal "$(generation)" 1
	REPLACE=1 publish 0 "$A"
	assert_whole "$DEST"
	assert_equal "$(jq -c '[.generation, .kernels[0].bundle.sha256, .kernels[0].bundle.replaces]' "$DEST/index.json")" \
		"[2,\"$new\",\"$old\"]"
	grep -q "replaces .*$old" "$DEST/index.html"
}

@test "a bundle without proofs, or with those of another bundle, is refused; UNPROVEN=1 takes it and says so" {
	cp "$OUT/$B/wireguard-$B.tar.proofs.json" "$OUT/$A/wireguard-$A.tar.proofs.json"
	publish 1 "$A"
	assert_unpublished "'.*' is not proved; run: delivery/prove.sh "
	rm "$OUT/$A/wireguard-$A.tar.proofs.json"
	publish 1 "$A"
	assert_unpublished "'.*' is not proved; run: delivery/prove.sh "
	UNPROVEN=1 publish 0 "$A"
	assert_equal "$(jq -r '.kernels[0].proofs.boot' "$DEST/index.json")" 'not run'
	grep -qF 'Not proved' "$DEST/index.html"
	fixture_statement "$A"
	publish 0 "$A"
	assert_equal "$(jq -r '.kernels[0].proofs.boot' "$DEST/index.json")" passed
	if grep -F 'Not proved' "$DEST/index.html"; then fail 'the page still says that it is not proved'; fi
}

@test "no key, a missing bundle, an unsigned one, one of another key, one of older inputs: one sentence each" {
	SIGN_KEY='' publish 1 "$A"
	assert_unpublished 'publish needs SIGN_KEY='
	SIGN_KEY=$KEY.none publish 1 "$A"
	assert_unpublished "there is no key '$KEY.none'$"
	rm "$OUT/$B/wireguard-$B.tar"
	publish 1 "$A" "$B"
	assert_line "^wgkmod: there is no '$OUT/$B/wireguard-$B.tar'; run: make bundle TARGET=$B$"
	assert_absent "$DEST"
	cp -r "$TARGET_DIR" "$BATS_TEST_TMPDIR/targets"
	sed -i 's/^BTF .*/&\nCOMPILER = x/' "$BATS_TEST_TMPDIR/targets/$A"
	TARGET_DIR=$BATS_TEST_TMPDIR/targets publish 1 "$A"
	assert_unpublished "'.*' was made from other inputs than those of '$A_RE' now"
	mv "$OUT/$A/wireguard-$A.tar.minisig" "$BATS_TEST_TMPDIR/minisig"
	publish 1 "$A"
	assert_unpublished "'.*' is not signed; run: make bundle "
	run_cmd 0 minisign -G -f -W -p "$BATS_TEST_TMPDIR/o.pub" -s "$BATS_TEST_TMPDIR/o.key"
	run_cmd 0 minisign -S -s "$BATS_TEST_TMPDIR/o.key" -m "$OUT/$A/wireguard-$A.tar"
	publish 1 "$A"
	assert_unpublished "'.*minisig' is not a signature of the bundle by '$SIGN_KEY'"
}

@test "an index or a file that was changed by hand, and a generation that falls, are refused" {
	publish 0 "$A"
	cp -a "$DEST.versions" "$BATS_TEST_TMPDIR/first"
	sed -i 's/"boot": "passed"/"boot": "not run"/' "$DEST/index.json"
	publish 1 "$A" "$B"
	assert_line "^wgkmod: '$DEST/index.json' was not signed by .* changed by hand"
	assert_equal "$(wc -l <<<"$output")" 1
	cp "$BATS_TEST_TMPDIR"/first/*/index.json "$DEST/index.json"
	echo more >>"$DEST/$A/explain.txt"
	publish 1 "$A" "$B"
	assert_line "^wgkmod: '$DEST/$A_RE/explain.txt' is not the file that was published"
	cp "$BATS_TEST_TMPDIR"/first/*/"$A"/explain.txt "$DEST/$A/explain.txt"
	publish 0 "$A" "$B"
	ln -sfnT "$(cd "$BATS_TEST_TMPDIR" && echo www.versions/1-*)" "$DEST"
	publish 1 "$A"
	assert_line "^wgkmod: '$DEST' is generation 1, but 2 was published: the generation would fall"
}

@test "the repository of make rpm in DEST goes along, and its changes are no changes by hand" {
	publish 0 "$A"
	mkdir "$DEST/.rpm-1"
	echo one >"$DEST/.rpm-1/file"
	ln -s .rpm-1 "$DEST/rpm"
	publish 0 "$B"
	assert_equal "$(<"$DEST/rpm/file")" one
	echo two >"$DEST/rpm/file"
	publish 0 "$A" "$B"
	assert_equal "$output" ''
	if grep -F rpm "$DEST/SHA256SUMS"; then fail 'SHA256SUMS has files of make rpm'; fi
	assert_whole "$DEST"
}

@test "a DEST that is not a web root, or cannot be made, is refused; an empty directory is taken" {
	mkdir "$DEST"
	echo mine >"$DEST/file"
	publish 1 "$A"
	assert_line "^wgkmod: '$DEST' is not a link that make publish made"
	rm "$DEST/file"
	publish 0 "$A"
	assert_whole "$DEST"
	DEST=$BATS_TEST_TMPDIR/none/www publish 1 "$A"
	assert_line "^wgkmod: there is no directory '$BATS_TEST_TMPDIR/none' for DEST$"
	DEST=/proc/www publish 1 "$A"
	assert_line '^wgkmod: '
	assert_absent /proc/www
}

@test "a full file system, at any size: one sentence, nothing half published" {
	needs_root 'a tmpfs of a few pages'
	local full=0 kib
	for kib in 16 64 200 600 1000 1400 1600 1700 4000; do
		DEST=$BATS_TEST_TMPDIR/www-$kib
		DEST_DIR=$BATS_TEST_TMPDIR/tmpfs run_cmd 0 unshare --mount bash -c '
			mkdir -p "$1" && mount -t tmpfs -o size="$2"k none "$1" && shift 2
			status=0
			"$@" 2>&1 || status=$?
			echo "status $status"
			ls "$DEST_DIR"' - "$BATS_TEST_TMPDIR/tmpfs" "$kib" \
			"$ROOT_DIR/delivery/publish.sh" "$BATS_TEST_TMPDIR/tmpfs/www" "$A"
		if grep -q '^status 1' <<<"$output"; then
			full=$((full + 1))
			assert_line '^wgkmod: nothing was published: .*No space left on device|cannot create'
			refute_line '^www$'
			assert_equal "$(grep -c '^wgkmod:' <<<"$output")" 1
		else
			assert_line '^www$'
		fi
	done
	assert_equal "$full" 8
}

@test "killed before any rename, with FULL=1 any removal, copy or signature: old or new, and the next run completes" {
	local n old new programs='mv ln rmdir'
	[[ -z ${FULL:-} ]] || programs+=' rm cp install minisign sync'
	publish 0 "$A"
	old=$(readlink "$DEST")
	mkdir "$BATS_TEST_TMPDIR/keep"
	cp -a "$DEST" "$DEST.versions" "$BATS_TEST_TMPDIR/keep/"
	for ((n = 1; n < 200; n++)); do
		kill_at "$n" "$programs" "$ROOT_DIR/delivery/publish.sh" "$DEST" "$A" "$B"
		assert_whole "$DEST"
		new=$(readlink "$DEST")
		[[ -n $KILLED ]] || break
		publish 0 "$A" "$B"
		assert_whole "$DEST"
		assert_equal "$(jq -c '[.generation, (.kernels | length)]' "$DEST/index.json")" '[2,2]'
		assert_equal "$(find "$DEST.versions" -mindepth 1 -maxdepth 1 -type d | wc -l)" 2
		rm -rf "$DEST" "$DEST.versions"
		cp -a "$BATS_TEST_TMPDIR/keep/www" "$BATS_TEST_TMPDIR/keep/www.versions" "$BATS_TEST_TMPDIR/"
	done
	[[ $n -gt 3 && $n -lt 200 && $new != "$old" ]] || fail "killed $n times, now $new"
}

@test "killed at the first publish: no DEST, or a whole one" {
	local n
	for ((n = 1; n < 200; n++)); do
		kill_at "$n" 'mv ln rmdir install' "$ROOT_DIR/delivery/publish.sh" "$DEST" "$A"
		if [[ -e $DEST ]]; then assert_whole "$DEST"; fi
		[[ -n $KILLED ]] || break
		rm -rf "$DEST" "$DEST.versions"
	done
	[[ $n -gt 3 ]] || fail "killed only $n times"
}

@test "two machines publish the same commit: equal trees, bit for bit" {
	publish 0 "$A" "$B"
	(
		umask 077
		cd /
		clone "$BATS_TEST_TMPDIR/other clone"
		export ROOT_DIR="$BATS_TEST_TMPDIR/other clone" DEST=$BATS_TEST_TMPDIR/second TZ=Asia/Tokyo TAR_OPTIONS=--format=gnu
		find "$OUT" -exec touch -d 2001-02-03 {} +
		publish 0 "$B" "$A"
	)
	diff -r "$DEST" "$BATS_TEST_TMPDIR/second"
	assert_equal "$(readlink "$DEST" | cut -d / -f 2)" "$(readlink "$BATS_TEST_TMPDIR/second" | cut -d / -f 2)"
}
