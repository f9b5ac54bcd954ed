#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Many targets at once: what fails is named and does not stop the others, and what is done stays done.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/servers

teardown_file() { servers_stop; }

setup() {
	local name
	export TARGET_DIR=$BATS_TEST_TMPDIR/targets OUT=$BATS_TEST_TMPDIR/out
	small_target "$TARGET_DIR"
	small_cache "$BATS_TEST_TMPDIR/full" "$TARGET_DIR"
	export CACHE=$BATS_TEST_TMPDIR/cache
	for name in one two three open; do
		cp "$TARGET_DIR/small" "$TARGET_DIR/$name"
		cp "$TARGET_DIR/small.lock" "$TARGET_DIR/$name.lock"
	done
	sed -i 's/^toolchain [0-9a-f]*/toolchain -/' "$TARGET_DIR/open.lock"
}

# serve: Make a mirror with the files of the small target's lock, behind a web server.  Set MIRROR.
serve() {
	local sha where
	while read -r _ sha where; do
		mkdir -p "$BATS_TEST_TMPDIR/mirror/${where%/*}"
		cp "$BATS_TEST_TMPDIR/full/sha256/$sha" "$BATS_TEST_TMPDIR/mirror/${where//%2b/+}"
	done <"$TARGET_DIR/small.lock"
	http_start_anywhere "$BATS_TEST_TMPDIR/mirror"
	export MIRROR=http://127.0.0.1:$PORT
}

@test "an unknown target and an incomplete lock fail alone, each with its reason and its log" {
	cp -r "$BATS_TEST_TMPDIR/full" "$CACHE"
	run_cmd 2 make -C "$ROOT_DIR" --no-print-directory fetch TARGETS='one nosuch open two one'
	assert_line '^fetch +one: 3 inputs are in the cache and have their digests'
	assert_line '^fetch +two: 3 inputs are in the cache'
	assert_line "^FAILED +nosuch after 0 s: unknown target 'nosuch'; .*; log: $OUT/log/nosuch-fetch-all.log$"
	assert_line "^FAILED +open after 0 s: the lock of 'open' is not complete: .*; log: $OUT/log/open-fetch-all.log$"
	assert_line '^fetch +4 kernels, [0-9]+ at a time: 2 done, 2 failed, 0 not finished'
	assert_line '^failed +(nosuch open|open nosuch)$'
	grep -q 'unknown target' "$OUT/log/nosuch-fetch-all.log"
}

@test "of a target that ends without a sentence the last line of its log is said" {
	cp -r "$BATS_TEST_TMPDIR/full" "$CACHE"
	mkdir "$BATS_TEST_TMPDIR/bin"
	# shellcheck disable=SC2016 # for the program
	printf '#!/bin/sh\nkill -KILL $PPID\n' >"$BATS_TEST_TMPDIR/bin/flock"
	chmod +x "$BATS_TEST_TMPDIR/bin/flock"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run_cmd 1 "$ROOT_DIR/cluster/many.sh" fetch one
	assert_line '^FAILED +one after [0-9]+ s: .*Killed .*; log: '
}

@test "TARGETS=all is each target with a complete lock, and how many are left out is said" {
	cp -r "$BATS_TEST_TMPDIR/full" "$CACHE"
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory fetch TARGETS=all
	assert_line '^targets +1 left out, as their locks are not complete'
	assert_line '^fetch +4 kernels, .*: 4 done, 0 failed, 0 not finished'
}

@test "a name that is no target's name, and a JOBS that is no number, are refused before anything runs" {
	run_cmd 1 "$ROOT_DIR/cluster/many.sh" fetch one ../one
	assert_line "^wgkmod: '../one' is not a target's name$"
	JOBS=0 run_cmd 1 "$ROOT_DIR/cluster/many.sh" fetch one
	assert_line "^wgkmod: JOBS '0' is not a number"
	run_cmd 1 "$ROOT_DIR/cluster/many.sh" clean one
	assert_line '^wgkmod: usage: many.sh '
	assert_absent "$OUT/log"
}

@test "an input that several targets have is downloaded once" {
	serve
	JOBS=4 run_cmd 0 "$ROOT_DIR/cluster/many.sh" fetch one two three small
	assert_line '^fetch +4 kernels, 4 at a time: 4 done'
	assert_equal "$(cat "$BATS_FILE_TMPDIR"/server.* | grep -c '"GET /.*\.deb')" 3
}

@test "after ^C what is done stays done, the others are named, and the next run finishes them" {
	local pid
	cp -r "$BATS_TEST_TMPDIR/full" "$CACHE"
	sed -i "s/^toolchain [0-9a-f]*/toolchain $(printf '1%.0s' {1..64})/" "$TARGET_DIR/two.lock"
	free_ports 24000
	python3 -c 'import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)' "$PORT" 3>&- &
	DEAF=$!
	# The shell makes a process in the background ignore ^C: undo that.
	JOBS=2 MIRROR=http://127.0.0.1:$PORT python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.setsid()
os.execv(sys.argv[1], sys.argv[1:])' "$ROOT_DIR/cluster/many.sh" fetch one two three \
		>"$BATS_TEST_TMPDIR/said" 2>&1 </dev/null &
	pid=$!
	wait_until 30 grep -q '^fetch .*three: 3 inputs' "$BATS_TEST_TMPDIR/said"
	kill -INT -- "-$pid"
	wait "$pid" || assert_equal "$?" 130
	output=$(cat "$BATS_TEST_TMPDIR/said")
	assert_line '^fetch +3 kernels, 2 at a time: 2 done, 0 failed, 1 not finished'
	assert_line '^unfinished +two$'
	cp "$TARGET_DIR/one.lock" "$TARGET_DIR/two.lock"
	run_cmd 0 "$ROOT_DIR/cluster/many.sh" fetch one two three
	assert_line '3 done, 0 failed'
}

@test "a target that finds its disk full fails alone, and the next run finishes it" {
	[[ $EUID -eq 0 ]] || skip 'needs root'
	mkdir "$CACHE"
	mount -t tmpfs -o size=200k tmpfs "$CACHE"
	FULL_MOUNT=$CACHE
	serve
	chmod 755 "$CACHE"
	run_cmd 1 "$ROOT_DIR/cluster/many.sh" fetch one two
	assert_line '^FAILED +one after .*; log: '
	grep -q "the file system of '$CACHE.*' is full" "$OUT/log/one-fetch-all.log"
	mount -o remount,size=100m "$CACHE"
	run_cmd 0 "$ROOT_DIR/cluster/many.sh" fetch one two
	assert_line '2 done, 0 failed'
}

# in_cache: Print the number of files in the cache; fail if one does not have the digest in its name.
in_cache() {
	local file
	for file in "$CACHE"/sha256/*; do
		assert_equal "$(sha256sum <"$file" | cut -d ' ' -f 1)" "${file##*/}"
	done
	find "$CACHE/sha256" -type f | wc -l
}

@test "ten runs on machines that see no lock of each other fill one cache, some killed: each file is whole" {
	local n pids=()
	serve
	mkdir "$BATS_TEST_TMPDIR/bin" "$CACHE"
	printf '#!/bin/sh\nexit 0\n' >"$BATS_TEST_TMPDIR/bin/flock"
	# shellcheck disable=SC2016 # for the program
	printf '#!/bin/sh\necho "machine-$MACHINE"\n' >"$BATS_TEST_TMPDIR/bin/uname"
	chmod +x "$BATS_TEST_TMPDIR"/bin/*
	for n in {1..10}; do
		MACHINE=$n OUT=$OUT-$n PATH=$BATS_TEST_TMPDIR/bin:$PATH setsid "$ROOT_DIR/scripts/fetch.sh" small \
			>/dev/null 2>&1 3>&- &
		pids+=("$!")
	done
	for n in 0 1 2; do
		sleep 0.05
		kill -KILL -- "-${pids[n]}" || echo "run $n had ended"
	done
	for n in {3..9}; do wait "${pids[n]}"; done
	assert_equal "$(in_cache)" 3
}

@test "make cache-prune keeps what the locks name and what is young, and removes the rest" {
	local sha
	cp -r "$BATS_TEST_TMPDIR/full" "$CACHE"
	for sha in 1 2; do echo "$sha" >"$CACHE/sha256/$(echo "$sha" | sha256sum | cut -d ' ' -f 1)"; done
	mkdir "$CACHE/.wgkmod-tmp.elsewhere.12345678"
	touch -d '2 days ago' "$CACHE"/sha256/* "$CACHE"/.wgkmod-tmp.*
	touch "$CACHE/sha256/$(echo 2 | sha256sum | cut -d ' ' -f 1)"
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory cache-prune
	assert_line '^cache +1 files removed, 0 MB; 4 are kept$'
	assert_absent "$CACHE/sha256/$(echo 1 | sha256sum | cut -d ' ' -f 1)"
	assert_absent "$CACHE/.wgkmod-tmp.elsewhere.12345678"
	run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" small
	assert_line '3 inputs are in the cache'
	rm "$TARGET_DIR"/*.lock
	CACHE=/nowhere run_cmd 1 "$ROOT_DIR/cluster/cache-prune.sh"
	assert_line "^wgkmod: there is no cache '/nowhere'"
}

teardown() {
	[[ -z ${FULL_MOUNT:-} ]] || umount "$FULL_MOUNT"
	[[ -z ${DEAF:-} ]] || kill "$DEAF"
}
