#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The builder trusts its own files and the locks.  It does not trust the output of a container, packages,
# a bundle from another person, or directories that other users may write.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers

KERNEL=5.10.0-32-amd64

setup_file() { TIMEOUT=1500 run_cmd 0 make -C "$ROOT_DIR" --no-print-directory bundle TARGET="$TARGET_NAME"; }

setup() {
	export OUT=$BATS_TEST_TMPDIR/out
	DIR=$BATS_TEST_TMPDIR
	VICTIM=$DIR/victim
	mkdir "$VICTIM"
	printf 'mine\n' >"$VICTIM/file"
}

teardown() {
	[[ -z ${IMAGES:-} ]] || podman image rm --force $IMAGES >/dev/null
}

victim_unchanged() { assert_equal "$(cd "$VICTIM" && find . -type f | sort | xargs cat)" mine; }

# builder_that_gives TAR: Make a target "hostile" whose builder image only prints the file TAR.
builder_that_gives() {
	local base context=$DIR/context
	base=$(podman image ls --format '{{.Repository}}:{{.Tag}}' --filter 'reference=localhost/wgkmod-base' | head -n 1)
	export TARGET_DIR=$DIR/targets
	mkdir -p "$TARGET_DIR" "$context"
	sed "s/^HIDE .*/& $RANDOM$RANDOM/" "$ROOT_DIR/targets/$TARGET_NAME" >"$TARGET_DIR/hostile"
	cp "$ROOT_DIR/targets/$TARGET_NAME.lock" "$TARGET_DIR/hostile.lock"
	cp "$1" "$context/given"
	printf 'FROM %s\nCOPY given /given\nCMD ["cat", "/given"]\n' "$base" >"$context/Containerfile"
	IMAGES=$("$ROOT_DIR/scripts/image.sh" hostile --name)
	run_cmd 0 podman build --tag "$IMAGES" "$context"
}

# as_output DIR: Make the files of every build's output in DIR.
as_output() {
	mkdir -p "$1/modules/kernel/lib" "$1/debug/kernel/lib"
	printf 'x\n' | tee "$1"/{wgkmod,explain.txt,sources,modules/kernel/lib/a.ko,debug/kernel/lib/a.ko.debug} >/dev/null
}

# refused REGEX: Fail unless unpack_stream refuses $DIR/stream.tar with that reason.
refused() {
	rm -rf "$DIR/made" "$DIR/made.tar"*
	stream=$DIR/stream.tar run_cmd 1 bash -c '. "$ROOT_DIR/scripts/lib.sh"; unpack_stream "$1" <"$stream"' - "$DIR/made"
	assert_line "$1"
	assert_absent "$DIR/made"
	victim_unchanged
}

@test "from the container's output only regular files with a build's names are accepted" {
	local o=$DIR/o name
	as_output "$o"
	pack() { tar -C "$o" -cf "$DIR/stream.tar" "$@"; }

	rm -r "$o/modules" && ln -s "$VICTIM" "$o/modules" && pack .
	refused "output has './modules -> .*' \(lrwx.*, which no build makes; nothing of it was unpacked$"
	rm "$o/modules" && mkdir "$o/modules"
	rm "$o/sources" && ln -s "$VICTIM/file" "$o/sources" && pack .
	refused "output has './sources -> "
	rm "$o/sources" && ln "$o/wgkmod" "$o/sources" && pack .
	refused "output has './.* link to ./"
	rm "$o/sources" && mkfifo "$o/sources" && pack .
	refused "output has './sources' \(prw"
	rm "$o/sources" && echo x >"$o/sources"
	for name in SHA256SUMS .git/config .podman modules/.ko modules/x.sh modules/a/.wgkmod/x.ko 'modules/a b.ko' \
		wgkmod/x; do
		rm -rf "$DIR/with" && cp -r "$o" "$DIR/with"
		[[ $name != wgkmod/* ]] || rm "$DIR/with/wgkmod"
		mkdir -p "$(dirname "$DIR/with/$name")"
		echo x >"$DIR/with/$name"
		tar -C "$DIR/with" -cf "$DIR/stream.tar" .
		refused ', which no build makes; nothing of it was unpacked$'
	done
	tar -C "$o" -P -cf "$DIR/stream.tar" --transform='s,^\./explain.txt,./modules/../../../victim/file,' .
	refused ', which no build makes'
	tar -C "$o" -P -cf "$DIR/stream.tar" --transform="s,^\./explain.txt,$VICTIM/file," .
	refused ', which no build makes'
	pack . && cp -r "$o" "$DIR/twice" && tar -C "$DIR/twice" -rf "$DIR/stream.tar" ./wgkmod
	refused "output has './wgkmod' \(-"
	rm "$o/explain.txt" && pack .
	refused "output has no './explain.txt'$"
	head -c 2000 /dev/urandom >"$DIR/stream.tar"
	refused 'is not a tar archive'
	truncate -s 2G "$o/explain.txt" && pack -S .
	refused "output has './explain.txt'"
}

@test "owners and modes of a container's files are ignored" {
	local o=$DIR/o
	as_output "$o"
	chmod 6777 "$o"/wgkmod "$o"/modules/kernel/lib/a.ko "$o/debug"
	tar -C "$o" --owner=1234 -cf "$DIR/stream.tar" .
	stream=$DIR/stream.tar run_cmd 0 bash -c '. "$ROOT_DIR/scripts/lib.sh"; unpack_stream "$1" <"$stream"' - "$DIR/made"
	assert_equal "$(cd "$DIR/made" &&
		find . ! -user "$(id -u)" -o -type d ! -perm 755 -o -type f ! -name wgkmod ! -perm 644)" ''
	assert_equal "$(stat -c %a "$DIR/made/wgkmod")" 755
}

@test "a hostile builder image changes nothing outside of its output, and there is no output" {
	local o=$DIR/o
	as_output "$o"
	rm -r "$o/modules"
	ln -s "$VICTIM" "$o/modules"
	tar -C "$o" -cf "$DIR/given.tar" .
	builder_that_gives "$DIR/given.tar"
	run_cmd 1 "$ROOT_DIR/scripts/artifacts.sh" hostile
	assert_line "^wgkmod: the build's output has './modules -> "
	assert_line '^wgkmod: build failed$'
	victim_unchanged
	assert_absent "$OUT/$KERNEL"
}

@test "no script of a package of the base runs, and no file of one gets out of the image's root" {
	local packages=$DIR/packages deb=$DIR/deb
	mkdir -p "$deb/DEBIAN" "$deb/through"
	printf '%s\n' 'Package: hostile' 'Version: 1' 'Architecture: all' 'Maintainer: x <x@localhost>' \
		'Description: x' >"$deb/DEBIAN/control"
	printf '#!/bin/sh\ntouch /ran "%s/file"\n' "$VICTIM" | tee "$deb/DEBIAN/preinst" >"$deb/DEBIAN/postinst"
	chmod 755 "$deb"/DEBIAN/p*inst
	printf 'theirs\n' >"$deb/through/file"
	stage "$TARGET_NAME" base "$packages"
	run_cmd 0 dpkg-deb --build "$deb" "$packages/hostile-2_1_all.deb"
	rm -r "$deb/through"
	ln -s "$VICTIM" "$deb/through"
	run_cmd 0 dpkg-deb --build "$deb" "$packages/hostile-1_1_all.deb"
	IMAGES=localhost/wgkmod-test:hostile
	run_cmd 0 bash -c '. "$ROOT_DIR/scripts/lib.sh"; . "$ROOT_DIR/scripts/lib/podman.sh"; read_target "$TARGET_NAME"
		phase_begin base; family_base "$1" "$2"; podman_probe "$2"
		sealed "$2" sh -c "test -L /bin/sh && test ! -e /ran && echo no script ran"' - "$packages" "$IMAGES"
	assert_line '^no script ran$'
	victim_unchanged
}

# provenance_bundle JQ-FILTER: Make a bundle with a changed provenance in $DIR/bundle.tar.
provenance_bundle() {
	mkdir -p "$DIR/b/$KERNEL"
	jq "$1" "$ROOT_DIR/out/$KERNEL/provenance.json" >"$DIR/b/$KERNEL/provenance.json"
	tar -C "$DIR/b" -cf "$DIR/bundle.tar" "$KERNEL/provenance.json"
}

# clone_with_commit: Make a clone in $DIR/clone, with one commit.
clone_with_commit() {
	git=(git -C "$DIR/clone" -c user.name=t -c user.email=t@localhost)
	clone "$DIR/clone"
	"${git[@]}" init --quiet
	"${git[@]}" add --all
	"${git[@]}" commit --quiet --message one
}

@test "rebuild takes no package and no address out of a bundle" {
	local filter evil=https://127.0.0.1:9/evil_1_amd64.deb
	local filters=("(.resolvedDependencies[] | select(.annotations.stage == \"base\")).uri |= \"$evil\"")
	[[ -z ${FULL:-} ]] || filters+=(
		'(.resolvedDependencies[] | select(.annotations.stage == "toolchain")).digest.sha256 |= "0" * 64'
		".resolvedDependencies += [{uri: \"$evil\", digest: {sha256: (\"0\" * 64)}, annotations: {stage: \"base\"}}]"
		'.internalParameters.target.FAMILY = "rpm"')
	filters+=('.internalParameters.target.TOOLCHAIN += " evil"')
	clone_with_commit
	for filter in "${filters[@]}"; do
		provenance_bundle ".predicate.buildDefinition |= ($filter)"
		run_cmd 1 "$DIR/clone/scripts/rebuild.sh" "$DIR/bundle.tar"
		assert_line 'made by a version of wgkmod that this clone does not have: .* all files with the digests named, '
		assert_line ', and the target.s keys and lock \(in the work tree, other than named: the target or its lock\)$'
		refute_line '^(install|fetch|image|build) '
	done
}

@test "rebuild takes the project's files from HEAD's history, not from a branch that was only fetched" {
	local clone=$DIR/clone script
	clone_with_commit
	"${git[@]}" checkout --quiet -b fetched
	printf 'touch %s/file2\n' "$VICTIM" >>"$clone/scripts/image.sh"
	"${git[@]}" commit --quiet --all --message two
	sha=$(sha256sum <"$clone/scripts/image.sh" | cut -d ' ' -f 1)
	"${git[@]}" checkout --quiet -
	script='.predicate.buildDefinition.resolvedDependencies[] | select(.uri == "scripts/image.sh")'
	provenance_bundle "($script).digest.sha256 |= \"$sha\""
	run_cmd 1 "$clone/scripts/rebuild.sh" "$DIR/bundle.tar"
	assert_line 'made by a version of wgkmod that this clone does not have'
	victim_unchanged
}

@test "two bundles are compared without following their links" {
	mkdir "$DIR/a"
	ln -s "$VICTIM" "$DIR/a/dir"
	tar -C "$DIR/a" -cf "$DIR/a.tar" dir
	rm "$DIR/a/dir" && mkdir "$DIR/a/dir" && echo theirs >"$DIR/a/dir/file"
	tar -C "$DIR/a" -rf "$DIR/a.tar" dir/file
	tar -C "$DIR/a" -cf "$DIR/b.tar" .
	output=$("$ROOT_DIR/scripts/compare.sh" "$DIR/a.tar" "$DIR/b.tar" 2>&1) && fail 'equal'
	victim_unchanged
}

@test "a cache or an output directory that other users may write, or that is another user's, is refused" {
	local dir
	cp -r "$ROOT_DIR/targets" "$DIR/targets"
	for dir in out out/log; do
		mkdir -p "$OUT/log" && chmod 755 "$OUT" "$OUT/log"
		chmod 777 "$DIR/$dir"
		run_cmd 1 "$ROOT_DIR/scripts/image.sh" "$TARGET_NAME"
		assert_line "^wgkmod: '$DIR/$dir' is writable by other users, .*; run: chmod go-w '$DIR/$dir'$"
	done
	chmod 755 "$OUT/log"
	mkdir -p "$DIR/cache/sha256" && chmod 1777 "$DIR/cache"
	CACHE=$DIR/cache run_cmd 1 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME"
	assert_line "^wgkmod: '$DIR/cache' is writable by other users"
	needs_root 'to give a directory away'
	chmod 755 "$DIR/cache" && chown 65534 "$DIR/cache"
	CACHE=$DIR/cache run_cmd 1 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME"
	assert_line "^wgkmod: '$DIR/cache' belongs to another user, .*; name a directory of your own$"
}

@test "a log, and the file that says how podman runs, are new files, even if a link has their name" {
	local name
	mkdir -p "$OUT/log"
	for name in log/$TARGET_NAME-image.log log/$TARGET_NAME-fetch.log .podman; do
		ln -s "$VICTIM/file" "$OUT/$name"
	done
	run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME"
	run_cmd 0 "$ROOT_DIR/scripts/image.sh" "$TARGET_NAME"
	victim_unchanged
	assert ! -L "$OUT/.podman"
	assert -f "$OUT/log/$TARGET_NAME-image.log"
	assert ! -L "$OUT/log/$TARGET_NAME-image.log"
}

@test "the file that says how podman runs names no program" {
	printf '%s uid %d\n--runtime %s --\n' "$(podman --version)" "$(id -u)" "$DIR/evil" >"$DIR/podman"
	printf '#!/bin/sh\ntouch %s/file2\n' "$VICTIM" >"$DIR/evil"
	chmod +x "$DIR/evil"
	mkdir "$OUT"
	mv "$DIR/podman" "$OUT/.podman"
	run_cmd 0 "$ROOT_DIR/scripts/image.sh" "$TARGET_NAME"
	assert_absent "$VICTIM/file2"
	assert_line '^podman +runs as: '
}

@test "staged files are copies: a later write into the cache does not change them" {
	export TARGET_DIR=$DIR/targets
	small_target "$TARGET_DIR"
	small_cache "$DIR/cache" "$TARGET_DIR"
	export CACHE=$DIR/cache
	stage small toolchain "$DIR/staged"
	assert_equal "$(find "$DIR/staged" -type f -links +1)" ''
	sums=$(sha256sum "$DIR/staged"/*)
	for file in "$CACHE"/sha256/*; do printf 'x' >>"$file"; done
	assert_equal "$(sha256sum "$DIR/staged"/*)" "$sums"
}

@test "a cache on a read-only medium is read, and a missing file is named" {
	needs_root 'to mount'
	export TARGET_DIR=$DIR/targets
	small_target "$TARGET_DIR"
	small_cache "$DIR/cache" "$TARGET_DIR"
	export CACHE=$DIR/cache
	run_cmd 0 unshare --mount bash -ec 'mount --bind "$CACHE" "$CACHE"; mount -o remount,ro,bind "$CACHE"
		"$ROOT_DIR/scripts/fetch.sh" small; "$ROOT_DIR/scripts/stage.sh" small toolchain "$OUT/staged"'
	assert_line '^fetch +3 inputs are in the cache'
	rm "$(find "$CACHE" -type f | head -n 1)"
	run_cmd 1 unshare --mount bash -ec 'mount --bind "$CACHE" "$CACHE"; mount -o remount,ro,bind "$CACHE"
		"$ROOT_DIR/scripts/fetch.sh" small'
	assert_line "^wgkmod: the cache '$CACHE' cannot be written, and it lacks 1 of 3 inputs: "
	assert_line " inputs: [a-z0-9].*\.deb \(of 'small'\)$"
}

@test "the value of a variable is only text, for make and for the shell" {
	local word name='x'\'';touch PWNED;$(shell touch PWNED)$(touch PWNED)`touch PWNED`.tar'
	cd "$DIR"
	printf 'no tar' >"$DIR/${name//\//}"
	for word in "BUNDLE=$DIR/$name" "TARGET=$name" "TARGETS=$name" "FUZZ=$name"; do
		case $word in
		BUNDLE=*) run_cmd 2 make -C "$ROOT_DIR" --no-print-directory rebuild "$word" ;;
		TARGETS=*) run_cmd 2 make -C "$ROOT_DIR" --no-print-directory bundle "$word" ;;
		*) run_cmd 2 make -C "$ROOT_DIR" --no-print-directory fetch "$word" TARGET="$name" ;;
		esac
		assert_line "^wgkmod: .*x';touch"
	done
	assert_equal "$(find "$DIR" "$ROOT_DIR" -maxdepth 1 -name PWNED)" ''
}

@test "a value of a target cannot be taken for an option of a program" {
	export TARGET_DIR=$DIR/targets
	mkdir "$TARGET_DIR"
	cp "$ROOT_DIR/targets/$TARGET_NAME.lock" "$TARGET_DIR/t.lock"
	sed 's/^TOOLCHAIN *=/& -oDir=x/' "$ROOT_DIR/targets/$TARGET_NAME" >"$TARGET_DIR/t"
	run_cmd 1 "$ROOT_DIR/scripts/image.sh" t --name
	assert_line "TOOLCHAIN: a word that begins with '-' could be taken for an option$"
	for word in $'KERNEL_DEVEL = a\n  -Kx://y' $'KERNEL_DEVEL = a\t-Kx://y'; do
		sed 's/^KERNEL_DEVEL .*//' "$ROOT_DIR/targets/$TARGET_NAME" >"$TARGET_DIR/t"
		printf '%s\n' "$word" >>"$TARGET_DIR/t"
		run_cmd 1 "$ROOT_DIR/scripts/image.sh" t --name
		assert_line "KERNEL_DEVEL: a word that begins with '-' could be taken for an option$"
	done
	sed 's/^KEY .*/KEY = -K\/etc\/passwd/' "$ROOT_DIR/targets/alinux3-5.10.60-9.x86_64" >"$TARGET_DIR/t"
	run_cmd 1 "$ROOT_DIR/scripts/image.sh" t --name
	assert_line "KEY: a word that begins with '-' could be taken for an option$"
	for key in http://mirrors.aliyun.com/KEY file:///etc/passwd; do
		sed "s,^KEY .*,KEY = $key," "$ROOT_DIR/targets/alinux3-5.10.60-9.x86_64" >"$TARGET_DIR/t"
		run_cmd 1 "$ROOT_DIR/scripts/image.sh" t --name
		assert_line "KEY '$key' is not an https address$"
	done
}

@test "a password in an address is neither in a message nor in a log" {
	export TARGET_DIR=$DIR/targets CACHE=$DIR/empty V=1
	small_target "$TARGET_DIR"
	MIRROR=http://user:secret-word@127.0.0.1:9 run_cmd 1 "$ROOT_DIR/scripts/fetch.sh" small
	refute_line secret-word
	assert_line '^curl: giving up on http://127.0.0.1:9, status 7$'
	assert_equal "$(grep -rl secret-word "$OUT")" ''
	# nor on a command line, which every user sees
	mkdir "$DIR/bin"
	# shellcheck disable=SC2016 # for the program
	printf '#!/bin/sh\nprintf "%%s\\n" "$@" >>"%s/curl-words"\nexec /usr/bin/curl "$@"\n' "$DIR" >"$DIR/bin/curl"
	chmod +x "$DIR/bin/curl"
	PATH=$DIR/bin:$PATH MIRROR=http://user:secret-word@127.0.0.1:9 run_cmd 1 "$ROOT_DIR/scripts/fetch.sh" small
	PATH=$DIR/bin:$PATH MIRROR=http://user:secret-word@127.0.0.1:9 run_cmd 1 "$ROOT_DIR/scripts/lock.sh" small
	assert -s "$DIR/curl-words"
	assert_equal "$(grep secret-word "$DIR/curl-words")" ''
}
