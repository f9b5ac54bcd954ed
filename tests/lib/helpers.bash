# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Helpers that every test file loads.  ROOT_DIR is the repository, TARGET_NAME the target that the tests
# build.  Each test keeps its own files in BATS_TEST_TMPDIR.

ROOT_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
TARGET_NAME=debian11-5.10.0-32-amd64
export ROOT_DIR TARGET_NAME
export OUT=${OUT:-$ROOT_DIR/out}
export CACHE=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wgkmod}
export WGKMOD=${WGKMOD:-$OUT/check/wgkmod}
unset V TARGET MIRROR TARGET_DIR
PATH=$PATH:/usr/sbin:/sbin # Debian's PATH for non-root users lacks these directories
# The tests' servers listen on this address.
export no_proxy=${no_proxy:+$no_proxy,}127.0.0.1 NO_PROXY=${NO_PROXY:+$NO_PROXY,}127.0.0.1

TIMEOUT=${TIMEOUT:-300}

# fail MESSAGE...: Print the message on standard error and fail the test.
fail() {
	printf '%s\n' "$*" >&2
	return 1
}

# run_cmd STATUS COMMAND...: Run the command for at most TIMEOUT seconds and set output to what it printed.
# Unless it exits with exactly STATUS, print the output and fail.
run_cmd() {
	local expected=$1 status=0
	shift
	output=$(timeout --kill-after=10 "$TIMEOUT" "$@" 2>&1 </dev/null) || status=$?
	[[ $status -eq $expected ]] || fail "status $status instead of $expected from: $*"$'\n'"$output"
}

# plain_only: Skip the test under tests/run/memory.sh.  For tests that change what wgkmod sees by LD_PRELOAD, or
# run it in a root of its own: a memory checker does not work there.
plain_only() {
	[[ -z ${MEMORY_CHECKED:-} ]] || skip 'needs the plain wgkmod'
}

# wait_until SECONDS COMMAND...: Run the command again and again until it succeeds; fail after SECONDS.
wait_until() {
	local end=$((SECONDS + $1))
	until "${@:2}"; do
		((SECONDS < end)) || fail "this did not succeed within $1 seconds: ${*:2}"
		sleep 0.05
	done
}

# needs_root WHY: Skip the test for a non-root user.  tests/run/check.sh looks for these words.
needs_root() { [[ $(id -u) -eq 0 ]] || skip "needs root: $1"; }

# full_only: Skip the test unless FULL=1: it takes minutes, and another one covers the same code.  tests/run/check.sh
# looks for these words.
full_only() { [[ -n ${FULL:-} ]] || skip 'only make check-full runs it'; }

# assert_line REGEX...: Fail unless a line of output matches; several words are one REGEX, with blanks between.
assert_line() {
	grep -Eq -- "$*" <<<"$output" || fail "no line matches '$*' in:"$'\n'"$output"
}

# refute_line REGEX: Fail if a line of output matches.
refute_line() {
	local status=0
	grep -E -- "$1" <<<"$output" >&2 || status=$?
	[[ $status -eq 1 ]] || fail "a line matches '$1'"
}

# assert_equal GOT WANTED: Fail unless the two strings are equal.
assert_equal() {
	[[ $1 == "$2" ]] || fail "is:     '$1'"$'\n'"should: '$2'"
}

# assert WORD...: Fail unless test(1) takes the words for true, as in: assert "$count" -gt 5, assert -e FILE.
assert() {
	test "$@" || fail "this is not so: $*"
}

# assert_absent FILE: Fail if the file exists, also if it is a dangling link.
assert_absent() {
	[[ ! -e $1 && ! -L $1 ]] || fail "'$1' exists"
}

# figure NAME TEXT...: Keep a figure of the documents.
figure() { "$ROOT_DIR/tests/run/figures.sh" "$@"; }

# stage TARGET STAGE DIR: Copy the files of one stage of a lock from the cache to DIR.
stage() {
	"$ROOT_DIR/scripts/stage.sh" "$@"
}

# clone DIR: Copy the repository's files to DIR: those that git tracks, and new ones that it does not ignore.
clone() {
	mkdir -p "$1"
	(cd "$ROOT_DIR" && git ls-files -z --cached --others --exclude-standard |
		tar -c --null -T - -f -) | tar -x --no-same-owner -C "$1"
}

# small_target DIR: Make the target "small" in DIR, for tests of the lock and the cache.  Its lock names three
# small files that are in the cache.
small_target() {
	mkdir -p "$1"
	sed 's/^RELEASE .*/RELEASE = small/' "$ROOT_DIR/targets/$TARGET_NAME" >"$1/small"
	grep -E '/(libacl1|make|mawk)_' "$ROOT_DIR/targets/$TARGET_NAME.lock" >"$1/small.lock"
	[[ $(wc -l <"$1/small.lock") -eq 3 ]]
}

# small_cache DIR TARGET_DIR: Make a cache in DIR with the files of small_target.
small_cache() {
	local sha
	mkdir -p "$1/sha256"
	while read -r _ sha _; do
		cp "$CACHE/sha256/$sha" "$1/sha256/$sha"
		chmod 644 "$1/sha256/$sha"
	done <"$2/small.lock"
}

# flip FILE OFFSET: Flip the lowest bit of the byte at OFFSET.
flip() {
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\x$(printf '%02x' $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# kill_at N PROGRAMS COMMAND...: Run the command in a process group of its own, and kill the whole group before
# the N-th call of one of PROGRAMS (words).  Set KILLED to 1; if the command ends before that, set it to
# nothing, and fail if the command's status is not 0.
# shellcheck disable=SC2034 # KILLED is for the caller
kill_at() {
	local n=$1 programs=$2 bin program status=0
	shift 2
	bin=$(mktemp -d "$BATS_TEST_TMPDIR/kill.XXXXXX")
	: >"$bin/calls"
	for program in $programs; do
		cat >"$bin/$program" <<-EOF
			#!/bin/bash
			echo $program >>'$bin/calls'
			if [[ \$(wc -l <'$bin/calls') -ge $n ]]; then kill -KILL 0; fi
			exec $(command -v "$program") "\$@"
		EOF
		chmod +x "$bin/$program"
	done
	PATH=$bin:$PATH setsid --wait "$@" >"$bin/output" 2>&1 3>&- 4>&- </dev/null || status=$?
	KILLED=
	case $status in
	137) KILLED=1 ;;
	0) ;;
	*) fail "status $status: $(cat "$bin/output")" ;;
	esac
}
