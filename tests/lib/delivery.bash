# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Helpers for the tests of delivery/: real bundles under the names of kernels that do not exist.  Load after helpers.

# delivery_setup: Build the tests' target, make the key KEY.key and KEY.pub, and set OUT and TARGET_DIR to
# directories of this test file.
delivery_setup() {
	TIMEOUT=900 run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="$TARGET_NAME"
	BUILT=$OUT/5.10.0-32-amd64
	export BUILT OUT=$BATS_FILE_TMPDIR/out TARGET_DIR=$BATS_FILE_TMPDIR/targets KEY=$BATS_FILE_TMPDIR/key
	export SIGN_KEY=$KEY.key SOURCE_DATE_EPOCH=1700000000
	mkdir -p "$OUT" "$TARGET_DIR"
	cp "$ROOT_DIR/targets/ships-wireguard" "$TARGET_DIR/"
	run_cmd 0 minisign -G -f -W -p "$KEY.pub" -s "$KEY.key"
}

# fixture_kernel RELEASE [rpm]: Make a target of this name, with the build of the tests' target as its output, a signed
# bundle and the statement of its proofs.  With rpm, the target is of that family, without a kernel to boot.
fixture_kernel() {
	local release=$1 from=$TARGET_NAME dir=$OUT/$1
	[[ ${2:-} != rpm ]] || from=alinux3-5.10.23-4.x86_64
	sed "s/^RELEASE .*/RELEASE = $release/" "$ROOT_DIR/targets/$from" >"$TARGET_DIR/$release"
	[[ ${2:-} != rpm ]] || sed -i '/^KERNEL_IMAGE/d' "$TARGET_DIR/$release"
	cp "$ROOT_DIR/targets/$TARGET_NAME.lock" "$TARGET_DIR/$release.lock"
	rm -rf "$dir"
	cp -r "$BUILT" "$dir"
	rm -rf "$dir"/{debug,wireguard-*}
	fixture_bundle "$release"
}

# fixture_bundle RELEASE: Make the bundle of the output in out/RELEASE, which may have been changed.
fixture_bundle() {
	local release=$1 dir=$OUT/$1
	rm -f "$dir"/{SHA256SUMS,provenance.json,wireguard-*}
	"$ROOT_DIR/scripts/provenance.sh" "$release" "$dir" >"$OUT/provenance"
	mv "$OUT/provenance" "$dir/provenance.json"
	(cd "$dir" && find . -type f -printf '%P\n' | LC_ALL=C sort | xargs sha256sum) >"$OUT/sums"
	mv "$OUT/sums" "$dir/SHA256SUMS"
	run_cmd 0 "$ROOT_DIR/scripts/bundle.sh" "$release"
	fixture_statement "$release"
}

# change_inputs RELEASE: From here on, use a target whose inputs changed, and make its bundle.
change_inputs() {
	cp -r "$TARGET_DIR" "$BATS_TEST_TMPDIR/targets"
	export TARGET_DIR=$BATS_TEST_TMPDIR/targets
	sed -i 's/^BTF .*/&\nCOMPILER = x/' "$TARGET_DIR/$1"
	fixture_bundle "$1"
}

# fixture_statement RELEASE [REPRO]: Write the statement that delivery/prove.sh writes when the proofs passed.
fixture_statement() {
	local bundle=$OUT/$1/wireguard-$1.tar
	jq --null-input --sort-keys --arg name "${bundle##*/}" --arg sha "$(sha256sum <"$bundle" | cut -d ' ' -f 1)" \
		--arg repro "${2:-not run}" '{
		_type: "https://in-toto.io/Statement/v1",
		subject: [{$name, digest: {sha256: $sha}}],
		predicateType: "urn:wgkmod:proofs:v1",
		predicate: {boot: "passed", parity: "passed", $repro}}' >"$bundle.proofs.json"
}

# publish STATUS TARGET...: Publish to DEST, which the test sets.
# shellcheck disable=SC2153
publish() {
	local status=$1
	shift
	run_cmd "$status" "$ROOT_DIR/delivery/publish.sh" "$DEST" "$@"
}

# state DIR: Print each entry with the inode, the times and the contents; equal means that nothing was written.
state() {
	find "$1" -printf '%p %i %y %m %l %T@ %C@\n' | sort
	find "$1" -type f -print0 | sort -z | xargs -0 sha256sum
}

# assert_whole DEST: Fail unless the signatures of the index and the sums verify, each file has its digest, and each
# bundle that the index names is there with its digest.
assert_whole() {
	local dest=$1 sha file
	minisign -V -q -p "$KEY.pub" -m "$dest/index.json"
	minisign -V -q -p "$KEY.pub" -m "$dest/SHA256SUMS"
	(cd "$dest" && sha256sum --check --quiet --strict SHA256SUMS)
	jq --raw-output '.kernels[].bundle | "\(.sha256) \(.file) \(.signature)"' "$dest/index.json" |
		while read -r sha file signature; do
			assert_equal "$(sha256sum <"$dest/$file")" "$sha  -"
			minisign -V -q -p "$KEY.pub" -m "$dest/$file" -x "$dest/$signature"
		done
}

# assert_valid DEST: Fail unless the index is one that its schema allows.
assert_valid() {
	python3 -c 'import json, jsonschema, sys
jsonschema.validate(*(json.load(open(f)) for f in sys.argv[1:]))' "$1/index.json" "$1/index.schema.json"
}

generation() { jq .generation "$DEST/index.json"; }
