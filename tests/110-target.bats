#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Target files and locks: bad ones are refused by file, line and key.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/servers

teardown_file() { servers_stop; }

setup() {
	export TARGET_DIR=$BATS_TEST_TMPDIR
	cp "$ROOT_DIR/targets/$TARGET_NAME" "$TARGET_DIR/mine"
	cp "$ROOT_DIR/targets/$TARGET_NAME.lock" "$TARGET_DIR/mine.lock"
	FILE=$TARGET_DIR/mine
}

programs() { run_cmd "$1" "$ROOT_DIR/scripts/programs.sh" mine; }

line_of() { grep -n "^$1" "$FILE" | cut -d : -f 1; }

@test "a good target file is read" {
	programs 0
	assert_line '^dpkg-deb$'
}

@test "an unknown key is refused" {
	sed -i 's/^SUITE /SWEET /' "$FILE"
	programs 1
	assert_line "mine:$(line_of SWEET): unknown key 'SWEET'$"
}

@test "a missing key is refused, for each key that is required" {
	local key
	for key in ARCH RELEASE SUITE TOOLCHAIN KERNEL_DEVEL SOURCE BTF; do
		awk -v k="$key" '/^[^ \t]/ { skip = $1 == k } !skip' "$ROOT_DIR/targets/$TARGET_NAME" >"$FILE"
		programs 1
		assert_line "mine:[0-9]+: the key $key is missing$"
	done
}

@test "a key is not taken from the environment, nor from a file of the current directory" {
	sed -i '/^SUITE/d' "$FILE"
	export SUITE=evil
	programs 1
	assert_line "mine:[0-9]+: the key SUITE is missing$"
	cp "$ROOT_DIR/targets/$TARGET_NAME" "$FILE"
	sed -i '/^VM /d' "$FILE"
	cd "$BATS_TEST_TMPDIR"
	touch KVM
	programs 0
}

@test "a target file without FAMILY, or with another, is refused" {
	sed -i '/^FAMILY/d' "$FILE"
	programs 1
	assert_line "mine:$(line_of ARCH): FAMILY must be the first key, but ARCH is$"
	sed -i '1iFAMILY = apk' "$FILE"
	programs 1
	assert_line "mine:1: unknown FAMILY 'apk'; there are: deb rpm"
}

@test "a key given twice is refused" {
	echo 'SUITE = bookworm' >>"$FILE"
	programs 1
	assert_line "mine:$(wc -l <"$FILE"): SUITE is given twice$"
}

@test "a line that is not KEY = value is refused" {
	echo 'suite: bookworm' >>"$FILE"
	programs 1
	assert_line "mine:$(wc -l <"$FILE"): 'suite: bookworm' is not of the form KEY = value$"
}

@test "a release that is a path, another architecture and BTF are refused" {
	sed -i 's,^RELEASE .*,RELEASE = ../../etc,' "$FILE"
	programs 1
	assert_line "RELEASE '../../etc' is not a kernel release$"
	sed -i 's,^RELEASE .*,RELEASE = 1,; s,^ARCH .*,ARCH = mips,' "$FILE"
	programs 1
	assert_line "ARCH 'mips' is not supported"
	sed -i 's,^ARCH .*,ARCH = x86_64,; s,^BTF .*,BTF = on,' "$FILE"
	programs 1
	assert_line "BTF 'on' is not supported"
}

@test "a malformed lock is refused by file and line" {
	local line
	for line in 'base 123 pool/x' 'base - ../../x' 'bass - x' "vm $(printf 'a%.0s' {1..63}) x" 'vm - x y'; do
		{ head -n 4 "$ROOT_DIR/targets/$TARGET_NAME.lock"; echo "$line"; } >"$FILE.lock"
		run_cmd 1 "$ROOT_DIR/scripts/fetch.sh" mine
		assert_line "mine.lock:5: not of the form STAGE SHA256 LOCATION$"
	done
}

@test "a missing lock is refused with what to do" {
	rm "$FILE.lock"
	run_cmd 1 "$ROOT_DIR/scripts/fetch.sh" mine
	assert_line "there is no lock '.*/mine.lock'; run: make lock TARGET=mine$"
}

@test "a lock that is not complete is refused, says what is missing, and leaves nothing" {
	unset TARGET_DIR
	export OUT=$BATS_TEST_TMPDIR/out CACHE=$BATS_TEST_TMPDIR/cache
	local name
	for name in 5.10.23-{4,5,6,6.1} 5.10.60-9 5.10.84-10.{2,3,4} 5.10.112-11{,.1,.2} 5.10.134-12{,.1,.2}; do
		run_cmd 1 "$ROOT_DIR/scripts/artifacts.sh" "alinux3-$name.x86_64"
		assert_line "^wgkmod: the lock of 'alinux3-$name.x86_64' is not complete: no digest is known for" \
			".*kernel-devel-$name.al8.x86_64.rpm; run 'make lock TARGET=alinux3-$name.x86_64' where the distribution's" \
			"mirrors can be reached$"
		assert_equal "$(wc -l <<<"$output")" 1
	done
	assert_absent "$OUT"
	assert_absent "$CACHE"
	assert_equal "$(cd "$ROOT_DIR/targets" && printf '%s\n' alinux3-*.lock | wc -l)" 14
}

@test "the targets of Alibaba Cloud Linux 3 differ in nothing but the release and what follows from it" {
	local file version release seen
	for file in "$ROOT_DIR"/targets/alinux3-*.x86_64; do
		release=${file##*/alinux3-} release=${release%.x86_64} version=${release%-*}
		assert_equal "$(sed -n 's/^RELEASE *= //p' "$file")" "$release.al8.x86_64"
		grep -v '^#' "$file" | sed "s/$release\\.al8/R/g; s/linux-$version\\./linux-V./" >"$BATS_TEST_TMPDIR/plain"
		seen=${seen:-$(cat "$BATS_TEST_TMPDIR/plain")}
		diff "$BATS_TEST_TMPDIR/plain" - <<<"$seen"
		# a tag that does not move
		grep -Eq '^IMAGE .*:[0-9][0-9.]+$' "$file"
	done
}

@test "a kernel that ships WireGuard is refused with the reason" {
	unset TARGET_DIR
	local version
	for version in 5.10.134-13 5.10.134-13.1 5.10.134-16.3 5.10.134-100 5.11.0-1; do
		run_cmd 1 "$ROOT_DIR/scripts/artifacts.sh" "alinux3-$version.x86_64"
		assert_line "'alinux3-$version.x86_64' is refused: from 5.10.134-13 on the distribution ships WireGuard"
	done
	run_cmd 1 "$ROOT_DIR/scripts/artifacts.sh" alinux3-5.10.134-12.9.x86_64
	assert_line 'unknown target'
}

@test "make lock resolves the target to the lock that is committed" {
	export OUT=$BATS_TEST_TMPDIR/out
	run_cmd 0 "$ROOT_DIR/scripts/lock.sh" mine
	sed -i 's/ of mine by / of debian11-5.10.0-32-amd64 by /' "$FILE.lock"
	diff "$ROOT_DIR/targets/$TARGET_NAME.lock" "$FILE.lock"
}

@test "make lock says what changed, and does not touch a lock when it fails" {
	export OUT=$BATS_TEST_TMPDIR/out
	sed -i '/\/make_/d' "$FILE.lock"
	sed -i 's/ of debian11-5.10.0-32-amd64 by / of mine by /' "$FILE.lock"
	run_cmd 0 "$ROOT_DIR/scripts/lock.sh" mine
	assert_line '^\+toolchain [0-9a-f]{64} pool/main/m/make-dfsg/make_'
	refute_line '^-'
	sed -i 's/^TOOLCHAIN *= /&no-such-package /' "$FILE"
	cp "$FILE.lock" "$BATS_TEST_TMPDIR/before"
	run_cmd 1 "$ROOT_DIR/scripts/lock.sh" mine
	assert_line 'no-such-package'
	cmp "$FILE.lock" "$BATS_TEST_TMPDIR/before"
}

@test "make lock refuses a file that has another digest than the lock says, and leaves the lock" {
	export OUT=$BATS_TEST_TMPDIR/out
	sed -i '/\/make_/s/ [0-9a-f]\{8\}/ 00000000/' "$FILE.lock"
	cp "$FILE.lock" "$BATS_TEST_TMPDIR/before"
	run_cmd 1 "$ROOT_DIR/scripts/lock.sh" mine
	assert_line 'make_[^ ]*\.deb has the digest [0-9a-f]{64} now, and 00000000[0-9a-f]{56} in the lock; if that is meant'
	cmp "$FILE.lock" "$BATS_TEST_TMPDIR/before"
}

@test "make lock refuses a source, a kernel or a word without version that is not the build tree's" {
	export OUT=$BATS_TEST_TMPDIR/out
	cp "$FILE.lock" "$BATS_TEST_TMPDIR/before"
	cp "$FILE" "$BATS_TEST_TMPDIR/good"
	sed -i '/^SOURCE /s/=5.10.223-1$/=5.10.218-1/' "$FILE"
	run_cmd 1 "$ROOT_DIR/scripts/lock.sh" mine
	assert_line "^wgkmod: 'mine': SOURCE is 'linux-source-5.10=5.10.218-1', but KERNEL_DEVEL is of version 5.10.223-1;" \
		"build tree, source and kernel must be of exactly one version$"
	sed '/^KERNEL_IMAGE /s/=5.10.223-1$/=5.10.223-2/' "$BATS_TEST_TMPDIR/good" >"$FILE"
	run_cmd 1 "$ROOT_DIR/scripts/lock.sh" mine
	assert_line "KERNEL_IMAGE is 'linux-image-5.10.0-32-amd64=5.10.223-2', but"
	sed '/^SOURCE /s/=5.10.223-1$//' "$BATS_TEST_TMPDIR/good" >"$FILE"
	run_cmd 1 "$ROOT_DIR/scripts/lock.sh" mine
	assert_line "SOURCE says 'linux-source-5.10' without a version; write 'linux-source-5.10=VERSION'$"
	cmp "$FILE.lock" "$BATS_TEST_TMPDIR/before"
}

@test "a SOURCE_DIR outside of what the build can write to is refused" {
	local dir
	for dir in /usr/src/linux /build /build/../etc 'relative/path'; do
		sed "s,^BTF .*,&\nSOURCE_DIR = $dir," "$ROOT_DIR/targets/$TARGET_NAME" >"$FILE"
		run_cmd 1 "$ROOT_DIR/scripts/image.sh" mine --name
		assert_line "SOURCE_DIR '.*' is not a directory below /build/, the only place where the build can write$"
	done
}

@test "of every complete lock the stage kernel is the packages that KERNEL_IMAGE names, and no other" {
	local lock name got
	for lock in "$ROOT_DIR"/targets/debian*.lock; do
		name=${lock##*/} name=${name%.lock}
		got=$(TARGET_DIR=$ROOT_DIR/targets bash -c '. "$1/scripts/lib.sh"; read_target "$2"; read_lock "$2" kernel
			printf "%s\n" "${#LOCK_WHERE[@]} $(wc -w <<<"$KERNEL_IMAGE")"' - "$ROOT_DIR" "$name")
		assert_equal "${got% *}" "${got#* }"
		assert "${got% *}" -gt 0
	done
}

# ---- what make lock verified is kept, and further suites -------------------------------

# cache_without PATTERN: CACHE is one of the test's own with what the lock of mine names, but for what
# matches.
cache_without() {
	local sha file from=$CACHE/sha256
	export OUT=$BATS_TEST_TMPDIR/out CACHE=$BATS_TEST_TMPDIR/cache
	mkdir -p "$CACHE/sha256"
	while read -r _ sha file; do
		[[ $sha =~ ^[0-9a-f]{64}$ && ! $file =~ $1 && ! -f $CACHE/sha256/$sha ]] || continue
		ln "$from/$sha" "$CACHE/sha256/" 2>/dev/null || cp "$from/$sha" "$CACHE/sha256/"
	done <"$FILE.lock"
}

@test "make lock leaves all that it pinned in the cache: without network nothing is missing" {
	cache_without '/(make|flex)_'
	run_cmd 0 "$ROOT_DIR/scripts/lock.sh" mine
	run_cmd 0 unshare --net "$ROOT_DIR/scripts/fetch.sh" mine
	assert_line 'inputs are in the cache and have their digests'
}

# mirror_without NAME: Start a mirror with the index of bullseye and no package.  Take the package NAME out of the cache
# and of the lock.  Set WWW and PORT.
mirror_without() {
	local from file
	WWW=$BATS_TEST_TMPDIR/www
	cache_without "/$1_"
	from=$(bash -c '. "$1/scripts/lib.sh"; read_target mine; deb_mirror bullseye' - "$ROOT_DIR")
	mkdir -p "$WWW/dists/bullseye/main/binary-amd64"
	for file in InRelease Release main/binary-amd64/Packages.xz; do
		run_cmd 0 curl --silent --fail --location --output "$WWW/dists/bullseye/$file" "$from/dists/bullseye/$file"
	done
	http_start_anywhere "$WWW"
	sed -i "/\/$1_/d" "$FILE.lock"
	cp "$FILE.lock" "$BATS_TEST_TMPDIR/before"
}

# lock_from_mirror STATUS: Lock the target by that mirror.
lock_from_mirror() { MIRROR=http://127.0.0.1:$PORT PATIENCE=3 run_cmd "$1" "$ROOT_DIR/scripts/lock.sh" mine; }

@test "a lock is not written where the mirror's index has a package and its pool has not" {
	mirror_without make
	lock_from_mirror 69
	assert_line '^wgkmod: cannot fetch make_[^ ]*\.deb \(of .mine.\): '
	cmp "$FILE.lock" "$BATS_TEST_TMPDIR/before"
}

@test "without a package that only the VM boots, the lock is complete for a build; a damaged one is an error" {
	local path
	path=$(sed -n 's,^vm [^ ]* \(.*/wireguard-tools_.*\)$,\1,p' "$FILE.lock")
	mirror_without wireguard-tools
	mkdir -p "$WWW/${path%/*}"
	echo damaged >"$WWW/$path"
	lock_from_mirror 1
	cmp "$FILE.lock" "$BATS_TEST_TMPDIR/before"
	rm "$WWW/$path"
	lock_from_mirror 0
	assert_line '^lock +the lock is complete for the build, but without what only the VM boots: '
	diff <(grep -v '^#\|^vm ' "$BATS_TEST_TMPDIR/before") <(grep -v '^#' "$FILE.lock")
}

@test "of a further suite make lock takes nothing that the target does not name by version" {
	export OUT=$BATS_TEST_TMPDIR/out
	sed -i 's/^SUITE .*/SUITE = bullseye bullseye-security/' "$FILE"
	run_cmd 0 "$ROOT_DIR/scripts/lock.sh" mine
	sed -i 's/ of mine by / of debian11-5.10.0-32-amd64 by /' "$FILE.lock"
	diff "$ROOT_DIR/targets/$TARGET_NAME.lock" "$FILE.lock"
}
