#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031 # each test is a subshell
#
# A copy of a web root that is verified, and the matrix of what changed since.

load lib/helpers
load lib/delivery

A=5.10.1-a+b-amd64
B=5.10.2-b-amd64

setup_file() {
	delivery_setup
	fixture_kernel "$A"
	fixture_kernel "$B"
	DEST=$BATS_FILE_TMPDIR/www
	publish 0 "$A" "$B"
}

setup() {
	DEST=$BATS_FILE_TMPDIR/www COPY=$BATS_TEST_TMPDIR/copy
	export OUT=$BATS_TEST_TMPDIR/out TARGET_DIR=$BATS_TEST_TMPDIR/targets
	cp -r "$BATS_FILE_TMPDIR/out" "$OUT"
	cp -r "$BATS_FILE_TMPDIR/targets" "$TARGET_DIR"
}

pull() { # STATUS [FROM]
	run_cmd "$1" "$ROOT_DIR/delivery/pull.sh" "file://${2:-$DEST}" "$COPY" "$KEY.pub"
}

# altered: Make a copy of the web root in WWW that a test may change.
altered() {
	WWW=$BATS_TEST_TMPDIR/www
	cp --recursive --dereference "$DEST" "$WWW"
}

# refused SENTENCE: Pull from WWW says this, and leaves no copy.
refused() {
	pull 1 "$WWW"
	assert_line "^wgkmod: 'file://$WWW$1; nothing was changed$"
	assert_absent "$COPY"
}

@test "pull copies a web root whole, and the copy is one that publish goes on with" {
	(umask 077 && pull 0 && assert_equal "$(find "$COPY/" ! -perm -o=r -o -type d ! -perm -o=x)" '')
	rm -r "$COPY" "$COPY.versions"
	pull 0
	assert_line "^pull +$COPY, generation 1, 2 kernel\(s\) verified, [0-9]+ file\(s\) downloaded$"
	diff -r "$DEST/" "$COPY/"
	assert_whole "$COPY"
	DEST=$COPY publish 0 "$A"
	assert_equal "$output" ''
}

@test "a copy below a link stays where it is when it is pulled again" {
	local version
	mkdir "$BATS_TEST_TMPDIR/there"
	ln -s there "$BATS_TEST_TMPDIR/here"
	COPY=$BATS_TEST_TMPDIR/here/copy
	pull 0
	version=$(stat -c %i "$COPY/")
	pull 0
	assert_equal "$(stat -c %i "$COPY/")" "$version"
	assert_whole "$COPY"
}

@test "a second pull downloads nothing but the index and the checksums" {
	pull 0
	pull 0
	assert_line "2 kernel\(s\) verified, 0 file\(s\) downloaded$"
	diff -r "$DEST/" "$COPY/"
}

@test "a file that is altered, missing or not signed is refused, and named" {
	altered
	flip "$WWW/$A/wireguard-$A.tar" 5000
	refused "/${A/+/\\+}/wireguard-${A/+/\\+}.tar' does not have the digest in SHA256SUMS"
	cp "$DEST/$A/wireguard-$A.tar" "$WWW/$A/"
	rm "$WWW/$B/explain.txt"
	refused "' cannot be copied: curl: .*"
	cp "$DEST/$B/explain.txt" "$WWW/$B/"
	sed -i 's/"boot": "passed"/"boot": "failed"/' "$WWW/index.json"
	refused "/index.json' has no valid signature by '$KEY.pub'"
	cp "$DEST/index.json" "$WWW/"
	sed -i 1d "$WWW/SHA256SUMS"
	refused "/SHA256SUMS' has no valid signature by '$KEY.pub'"
}

@test "a path in the checksums that leads elsewhere is refused, although it is signed" {
	altered
	printf '%064d  ../../evil\n' 0 >>"$WWW/SHA256SUMS"
	minisign -S -s "$KEY.key" -m "$WWW/SHA256SUMS" >/dev/null
	refused "/SHA256SUMS' has the line '0+  ../../evil', which make publish does not write"
}

@test "an older generation than that of the copy is refused" {
	altered
	pull 0
	fixture_kernel 5.10.3-c-amd64
	DEST=$COPY publish 0 5.10.3-c-amd64
	pull 1 "$WWW"
	assert_line "^wgkmod: 'file://$WWW' is generation 1, older than '$COPY'; nothing was changed$"
	assert_equal "$(jq .generation "$COPY/index.json")" 2
}

@test "make pull and make matrix take addresses and files" {
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory pull FROM="file://$DEST" DEST="$COPY" PUBLIC_KEY="$KEY.pub"
	assert_line "^pull +$COPY, generation 1, 2 kernel"
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory matrix PUBLISHED="$COPY/index.json" TARGETS="$A $B"
	assert_equal "$output" '{"include":[]}'
	run_cmd 2 make -C "$ROOT_DIR" --no-print-directory pull FROM="file://$DEST"
	assert_line '^usage: make pull '
}

@test "an address without https is refused" {
	run_cmd 1 "$ROOT_DIR/delivery/pull.sh" http://example.org "$COPY" "$KEY.pub"
	assert_line "^wgkmod: 'http://example.org' is not an https address"
}

matrix() { # STATUS ARGUMENT...
	local status=$1
	shift
	run_cmd "$status" "$ROOT_DIR/delivery/matrix.sh" "$@"
}

@test "the matrix has each target that is not published with its inputs, in at most SHARDS shards" {
	matrix 0 /nonexistent "$A" "$B"
	assert_equal "$output" \
		"{\"include\":[{\"shard\":\"5.10.1-1\",\"targets\":\"$A\"},{\"shard\":\"5.10.2-2\",\"targets\":\"$B\"}]}"
	SHARDS=1 matrix 0 /nonexistent "$A" "$B"
	assert_equal "$output" "{\"include\":[{\"shard\":\"5.10.1-1\",\"targets\":\"$A $B\"}]}"
	matrix 0 "$DEST/index.json" "$A" "$B"
	assert_equal "$output" '{"include":[]}'
}

@test "after a change of one lock the matrix has that target alone" {
	sed -i '0,/^toolchain [0-9a-f]*/s//toolchain '"$(printf '%064d' 7)"'/' "$TARGET_DIR/$B.lock"
	matrix 0 "$DEST/index.json" "$A" "$B"
	assert_equal "$output" "{\"include\":[{\"shard\":\"5.10.2-1\",\"targets\":\"$B\"}]}"
}

@test "by default a target whose lock is not complete for the build is left out; a thousand targets make 200 shards" {
	run_cmd 0 bash -c 'printf "k-%d\n" {0..999} |
		jq --raw-input --null-input --compact-output --argjson shards 200 --from-file "$1" |
		jq -c "[(.include | length), ([.include[].targets | split(\" \")[]] | unique | length)]"' \
		- "$ROOT_DIR/delivery/matrix.jq"
	assert_equal "$output" '[200,1000]'
	sed -i '0,/^source [0-9a-f]*/s//source -/' "$TARGET_DIR/$A.lock"
	sed -i '0,/^vm [0-9a-f]*/s//vm -/' "$TARGET_DIR/$B.lock"
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory matrix
	assert_line '^targets +1 left out, as their locks are not complete'
	assert_line "^\{\"include\":\[\{\"shard\":\"5.10.2-1\",\"targets\":\"$B\"\}\]\}$"
}
