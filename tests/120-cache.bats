#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# fetch and the cache: the digest is the only gate, and what was downloaded in part is no file of the cache.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/servers

teardown_file() { servers_stop; }

setup() {
	export TARGET_DIR=$BATS_TEST_TMPDIR/targets OUT=$BATS_TEST_TMPDIR/out
	small_target "$TARGET_DIR"
	small_cache "$BATS_TEST_TMPDIR/full" "$TARGET_DIR"
	export CACHE=$BATS_TEST_TMPDIR/cache
}

# mirror DIR: Make a mirror with the files of the small target's lock in DIR, and set MIRROR to its file:// address.
mirror() {
	local sha where
	while read -r _ sha where; do
		mkdir -p "$1/${where%/*}"
		cp "$BATS_TEST_TMPDIR/full/sha256/$sha" "$1/${where//%2b/+}"
	done <"$TARGET_DIR/small.lock"
	export MIRROR=file://$1
}

fetch() { run_cmd "$1" "$ROOT_DIR/scripts/fetch.sh" small; }

# in_cache: Print the number of files in the cache; fail if one does not have the digest in its name.
in_cache() {
	local file
	for file in "$CACHE"/sha256/*; do
		[[ -e $file ]] || continue
		assert_equal "$(sha256sum <"$file" | cut -d ' ' -f 1)" "${file##*/}" || return 1
	done
	find "$CACHE/sha256" -type f | wc -l
}

@test "fetch downloads the files of the lock into an empty cache" {
	mirror "$BATS_TEST_TMPDIR/mirror"
	fetch 0
	assert_line '^fetch +3 of 3 inputs downloaded, all have the digests of the lock'
	assert_equal "$(in_cache)" 3
}

@test "fetch asks no mirror for files that are in the cache" {
	cp -r "$BATS_TEST_TMPDIR/full" "$CACHE"
	MIRROR=file:///nowhere fetch 0
	assert_line '^fetch +3 inputs are in the cache'
}

@test "a bit flipped anywhere in the cache is refused, and the file is named" {
	local file size offset of
	cp -r "$BATS_TEST_TMPDIR/full" "$CACHE"
	for file in "$CACHE"/sha256/*; do
		size=$(stat -c %s "$file")
		of=$(grep "${file##*/}" "$TARGET_DIR/small.lock" | cut -d ' ' -f 1)
		for offset in 0 $((size / 2)) $((size - 1)); do
			flip "$file" "$offset"
			MIRROR=file:///nowhere fetch 1
			assert_line "the cache is damaged: '$file' \(.*\.deb\) does not have the digest"
			run_cmd 1 "$ROOT_DIR/scripts/stage.sh" small "$of" "$BATS_TEST_TMPDIR/staged"
			assert_line "the cache is damaged: '$file'"
			flip "$file" "$offset"
		done
	done
	MIRROR=file:///nowhere fetch 0
}

@test "a file cut short in the cache is refused, and the file is named" {
	local file
	cp -r "$BATS_TEST_TMPDIR/full" "$CACHE"
	file=$(find "$CACHE" -type f | head -n 1)
	truncate -s -1 "$file"
	MIRROR=file:///nowhere fetch 1
	assert_line "the cache is damaged: '$file'"
}

@test "a mirror that serves other bytes is refused with both digests, and nothing is kept" {
	mirror "$BATS_TEST_TMPDIR/mirror"
	find "$BATS_TEST_TMPDIR/mirror" -name 'make_*' | while read -r file; do flip "$file" 100; done
	fetch 1
	assert_line 'make_.*: the digest is [0-9a-f]{64}, not [0-9a-f]{64} as in the lock'
	assert_equal "$(in_cache)" 2
}

@test "the next mirror is asked for files that the first does not have or has with other contents" {
	mirror "$BATS_TEST_TMPDIR/good"
	mirror "$BATS_TEST_TMPDIR/bad"
	find "$BATS_TEST_TMPDIR/bad" -name 'make_*' -exec truncate -s 10 {} +
	find "$BATS_TEST_TMPDIR/bad" -name 'mawk_*' -delete
	MIRROR="file://$BATS_TEST_TMPDIR/bad file://$BATS_TEST_TMPDIR/good"
	fetch 0
	assert_equal "$(in_cache)" 3
}

@test "the message is about the file that no mirror has, not about one that a mirror had damaged and another whole" {
	mirror "$BATS_TEST_TMPDIR/good"
	mirror "$BATS_TEST_TMPDIR/bad"
	find "$BATS_TEST_TMPDIR/bad" -name 'make_*' | while read -r file; do flip "$file" 100; done
	find "$BATS_TEST_TMPDIR"/{bad,good} -name 'mawk_*' -delete
	MIRROR="file://$BATS_TEST_TMPDIR/bad file://$BATS_TEST_TMPDIR/good"
	fetch 1
	assert_line "^wgkmod: cannot fetch mawk_.*\\.deb \\(of 'small'\\)"
	assert_equal "$(in_cache)" 2
}

@test "a curl that does not tell which file was cut off, and one that downloads one file after the other" {
	mirror "$BATS_TEST_TMPDIR/mirror"
	mkdir "$BATS_TEST_TMPDIR/bin"
	# shellcheck disable=SC2016 # for the program
	printf '#!/bin/sh\ncase $* in *--version*) echo "curl $CURL_IS (x)" ;; *) exec /usr/bin/curl "$@" ;; esac\n' \
		>"$BATS_TEST_TMPDIR/bin/curl"
	chmod +x "$BATS_TEST_TMPDIR/bin/curl"
	for version in 7.74.0 7.61.1; do
		rm -rf "$CACHE"
		CURL_IS=$version PATH=$BATS_TEST_TMPDIR/bin:$PATH fetch 0
		assert_equal "$(in_cache)" 3
	done
	find "$BATS_TEST_TMPDIR/mirror" -name 'make_*' -exec truncate -s 10 {} +
	rm -rf "$CACHE"
	CURL_IS=7.61.1 PATH=$BATS_TEST_TMPDIR/bin:$PATH fetch 1
	assert_line 'make_.*: the digest is [0-9a-f]{64}, not [0-9a-f]{64} as in the lock, or it was cut off$'
}

@test "a new cache whose path has a colon is filled" {
	mirror "$BATS_TEST_TMPDIR/mirror"
	export CACHE=$BATS_TEST_TMPDIR/a:b
	fetch 0
	assert_equal "$(in_cache)" 3
}

@test "a file system without locks, or only for directories of other machines, does not stop a fetch" {
	mirror "$BATS_TEST_TMPDIR/mirror"
	mkdir -p "$BATS_TEST_TMPDIR/bin" "$CACHE/.wgkmod-tmp.$(uname -n).example.12345678"
	printf '#!/bin/sh\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/flock"
	chmod +x "$BATS_TEST_TMPDIR/bin/flock"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH fetch 0
	assert_equal "$(in_cache)" 3
	rm -rf "$CACHE/sha256"
	fetch 0
	assert -d "$CACHE/.wgkmod-tmp.$(uname -n).example.12345678"
}

# cut_mirror BYTES ranges|whole: Serve the small target's files over HTTP, and cut each answer off after BYTES.  The
# file MAKE, with 400 kB, is the largest.  SERVER_LOG has a line "FILE OFFSET" for each request.
cut_mirror() {
	mirror "$BATS_TEST_TMPDIR/mirror"
	MAKE=$(sed -n 's/^toolchain \([0-9a-f]*\) .*make_.*/\1/p' "$TARGET_DIR/small.lock")
	server_start_anywhere python3 "$ROOT_DIR/tests/lib/cut-server.py" "$BATS_TEST_TMPDIR/mirror" "$1" "$2"
	export MIRROR=http://127.0.0.1:$PORT
}

# asked: Print the offsets from which MAKE was asked for.
asked() { sed -n 's/^make_[^ ]* //p' "$SERVER_LOG" | paste -sd ' '; }

@test "a download that is cut off goes on where it ended" {
	cut_mirror 150000 ranges
	fetch 0
	assert_equal "$(asked)" 'all 150000 300000'
	assert_equal "$(in_cache)" 3
	assert_absent "$CACHE/partial"
}

@test "a download that is cut off again and again goes on in the next run" {
	cut_mirror 100000 ranges
	fetch 1
	assert_line '^wgkmod: files downloaded in part: 1; the next run goes on from there$'
	assert_equal "$(stat -c %s "$CACHE/partial/$MAKE")" 300000
	assert_equal "$(in_cache)" 2
	fetch 0
	assert_equal "$(asked)" 'all 100000 200000 300000'
	assert_equal "$(in_cache)" 3
	assert_equal "$(find "$CACHE/partial" -type f)" ''
}

@test "a part with other bytes, or too many, and a server that knows no parts: the file is downloaded from its start" {
	local mode
	for mode in ranges whole; do
		cut_mirror 1000000 "$mode"
		rm -rf "$CACHE"
		mkdir -p "$CACHE/partial"
		head -c 1000 /dev/zero >"$CACHE/partial/$MAKE"
		fetch 0
		assert_equal "$(asked)" '1000 all'
		assert_equal "$(in_cache)" 3
	done
	rm -rf "$CACHE"
	mkdir -p "$CACHE/partial"
	head -c 1000000 /dev/zero >"$CACHE/partial/$MAKE"
	fetch 0
	assert_equal "$(in_cache)" 3
}

@test "a package that no mirror has is named, with what to do" {
	mirror "$BATS_TEST_TMPDIR/mirror"
	find "$BATS_TEST_TMPDIR/mirror" -name 'mawk_*' -delete
	fetch 1
	assert_line "cannot fetch mawk_.*\.deb \(of 'small'\): no mirror could be reached that has it"
	assert_line 'set MIRROR='
	assert_equal "$(in_cache)" 2
}

@test "an unreachable mirror is an error, without a long wait" {
	export MIRROR=http://127.0.0.1:9
	TIMEOUT=60 fetch 1
	assert_line "no mirror could be reached that has it \(curl's last status: 7\)"
}

@test "a full disk during fetch is reported, and the next run completes" {
	mirror "$BATS_TEST_TMPDIR/mirror"
	mkdir "$CACHE"
	run_cmd 0 unshare --map-root-user --mount bash -c '
		mount -t tmpfs -o size=200k,mode=755 none "$CACHE"
		"$1" small && exit 9
		[[ -z $(find "$CACHE" -mindepth 1 -maxdepth 1 ! -name sha256) ]] || exit 8
		mount -o remount,size=8m "$CACHE"
		"$1" small' full "$ROOT_DIR/scripts/fetch.sh"
	assert_line "the file system of '.*/cache/.*' is full"
	assert_line '^fetch +[123] of 3 inputs downloaded'
}

@test "a fetch killed before its steps (FULL=1: each of them) leaves only whole files; the next run completes" {
	local n step=3
	[[ -z ${FULL:-} ]] || step=1
	mirror "$BATS_TEST_TMPDIR/mirror"
	mkdir -p "$CACHE/sha256"
	for ((n = 1; ; n += step)); do
		kill_at "$n" 'curl sha256sum chmod sync mv rm mkdir mktemp' "$ROOT_DIR/scripts/fetch.sh" small
		[[ -n $KILLED ]] || break
		find "$CACHE/sha256" -type f | while read -r file; do
			assert_equal "$(sha256sum <"$file" | cut -d ' ' -f 1)" "${file##*/}"
		done
		fetch 0
		assert_equal "$(in_cache)" 3
		rm -rf "$CACHE"
		mkdir -p "$CACHE/sha256"
	done
	assert "$n" -gt 15
	assert_equal "$(in_cache)" 3
}

@test "stage copies a stage's files under their own names, and names a file that is not in the cache" {
	cp -r "$BATS_TEST_TMPDIR/full" "$CACHE"
	run_cmd 0 "$ROOT_DIR/scripts/stage.sh" small toolchain "$BATS_TEST_TMPDIR/staged"
	assert -f "$(echo "$BATS_TEST_TMPDIR"/staged/make_*_amd64.deb)"
	assert_equal "$(find "$BATS_TEST_TMPDIR/staged" -type f | wc -l)" 1
	find "$CACHE" -type f -delete
	run_cmd 1 "$ROOT_DIR/scripts/stage.sh" small toolchain "$BATS_TEST_TMPDIR/staged"
	assert_line "'make_.*deb' is not in the cache '$CACHE'; run: make fetch TARGET=small"
}

@test "a package that vanished has its own exit status, an unreachable mirror does not" {
	mkdir "$BATS_TEST_TMPDIR/empty"
	http_start_anywhere "$BATS_TEST_TMPDIR/empty"
	MIRROR=http://127.0.0.1:$PORT fetch 69
	assert_line "cannot fetch .*mawk_.*\(of 'small'\): the mirrors that could be reached do not have it any more; "
	assert_line "; the lock '.*/small.lock' still has its name and digest$"
	MIRROR=http://127.0.0.1:9 fetch 1
	assert_line 'no mirror could be reached that has it'
}

@test "TARGET=all lists a target that cannot be fetched any more, and proves nothing with it" {
	mkdir "$BATS_TEST_TMPDIR/empty"
	http_start_anywhere "$BATS_TEST_TMPDIR/empty"
	MIRROR=http://127.0.0.1:$PORT run_cmd 1 "$ROOT_DIR/tests/run/proofs.sh" parity all
	assert_line '^small +cannot be had any more( +-){7}$'
	assert_line '^parity +1 kernels: 0 passed, 0 failed, 1 cannot be had any more$'
	MIRROR=http://127.0.0.1:9 run_cmd 1 "$ROOT_DIR/tests/run/proofs.sh" parity all
	assert_line '^small +FAILED( +-){7}$'
}

@test "TARGET=all fails for an unreadable target, and skips one that has nothing to prove" {
	sed -i '/^KERNEL_IMAGE/d' "$TARGET_DIR/small"
	run_cmd 1 "$ROOT_DIR/tests/run/proofs.sh" boot all
	assert_line '^boot +0 kernels: 0 passed, 0 failed, 0 cannot be had any more$'
	sed -i 's/^RELEASE/RELAESE/' "$TARGET_DIR/small"
	run_cmd 1 "$ROOT_DIR/tests/run/proofs.sh" boot all
	assert_line "^wgkmod: .*/small:[0-9]+: unknown key 'RELAESE'$"
	assert_line '^small +FAILED( +-){8}$'
	assert_line '^boot +1 kernels: 0 passed, 1 failed, 0 cannot be had any more$'
	sed -i 's/^RELAESE/RELEASE/' "$TARGET_DIR/small"
	printf 'toolchain what\n' >>"$TARGET_DIR/small.lock"
	run_cmd 1 "$ROOT_DIR/tests/run/proofs.sh" parity all
	assert_line '/small.lock:4: not of the form STAGE SHA256 LOCATION$'
	assert_line '^small +FAILED( +-){7}$'
}

@test "a mirror whose name does not resolve is skipped at once, and the next is asked" {
	mirror "$BATS_TEST_TMPDIR/mirror"
	MIRROR="http://nowhere.invalid $MIRROR" TIMEOUT=30 fetch 0
	assert_line '^fetch +3 of 3 inputs downloaded'
	rm -rf "$CACHE"
	MIRROR=http://nowhere.invalid TIMEOUT=30 fetch 1
	assert_equal "$(grep -c 'http://nowhere.invalid' "$OUT"/log/small-fetch.log)" 1
}

@test "the user's configuration of curl and jq changes nothing" {
	mirror "$BATS_TEST_TMPDIR/mirror"
	mkdir "$BATS_TEST_TMPDIR/home"
	printf 'include\n' >"$BATS_TEST_TMPDIR/home/.curlrc"
	printf 'def has(x): false;\n' >"$BATS_TEST_TMPDIR/home/.jq"
	HOME=$BATS_TEST_TMPDIR/home fetch 0
	assert_line '^fetch +3 of 3 inputs downloaded'
	HOME=$BATS_TEST_TMPDIR/home run_cmd 0 bash -c '. "$ROOT_DIR/scripts/lib.sh"; jq -n "{a: 1} | has(\"a\")"'
	assert_equal "$output" true
}

@test "apt's list of mirrors and apt's proxy are used if the user names none" {
	local dir=$BATS_TEST_TMPDIR
	mirror "$dir/mirror"
	mkdir "$dir/bin"
	printf '# a comment\n%s priority:1\n' "$MIRROR" >"$dir/list"
	printf '#!/bin/sh\necho mirror+file:%s/list\n' "$dir" >"$dir/bin/apt-get"
	printf "#!/bin/sh\necho \"proxy='http://127.0.0.1:9/'\"\n" >"$dir/bin/apt-config"
	chmod +x "$dir"/bin/*
	PATH=$dir/bin:$PATH MIRROR='' fetch 0
	assert_line '^fetch +3 of 3 inputs downloaded'
	PATH=$dir/bin:$PATH run_cmd 0 bash -c '. "$ROOT_DIR/scripts/lib.sh"
		read_target small; family_network; echo "$http_proxy"'
	assert_equal "$output" 'http://127.0.0.1:9/'
}
