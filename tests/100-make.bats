#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The front door.

load lib/helpers

@test "make help names every target of the Makefile, one a line" {
	local name
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory help
	while read -r name; do
		assert_line "^  make $name +[a-z].*"
	done < <(sed -n 's/^\.PHONY: //p' "$ROOT_DIR/Makefile")
	assert_equal "$(grep -c '^  make ' <<<"$output")" "$(grep -c '^\.PHONY: ' "$ROOT_DIR/Makefile")"
}

@test "make alone is make help" {
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory
	assert_line '^  make demo '
}

@test "make targets lists every kernel with the state of its lock" {
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory targets
	assert_line '^debian11-5.10.0-32-amd64 .* complete, [0-9]+ inputs$'
	assert_line '^alinux3-5.10.60-9.x86_64 +5.10.60-9.al8.x86_64 +rpm +not complete, 3 digests unknown'
	assert_equal "$(tail -n +2 <<<"$output" | wc -l)" "$(find "$ROOT_DIR/targets" -name '*.lock' | wc -l)"
}

@test "an unknown TARGET is refused, and the command that lists the targets is named" {
	run_cmd 2 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET=alinux3-5.10.60-8.x86_64
	assert_line "unknown target 'alinux3-5.10.60-8.x86_64'; 'make targets' lists those that are known$"
}

@test "a TARGET that is a path is refused" {
	run_cmd 2 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET=../targets/x
	assert_line "'../targets/x' is not a target's name"
}

@test "make rpm and make media pack only kernels that are named" {
	local goal
	for goal in rpm media; do
		run_cmd 2 make -C "$ROOT_DIR" --no-print-directory "$goal" DEST="$BATS_TEST_TMPDIR/dest"
		assert_line "^usage: make $goal DEST=directory .* TARGETS=\"A B\"$"
	done
}

@test "without TARGET a line says which one is used" {
	run_cmd 0 "$ROOT_DIR/scripts/default-target.sh" "$TARGET_NAME"
	assert_line "^wgkmod: TARGET=.*, (the running kernel|as targets/ does not have the running kernel $(uname -r))$"
}

@test "the running kernel is the target if targets/ has it" {
	mkdir "$BATS_TEST_TMPDIR/targets"
	sed "s/^RELEASE .*/RELEASE = $(uname -r)/" "$ROOT_DIR/targets/$TARGET_NAME" >"$BATS_TEST_TMPDIR/targets/mine"
	cp "$ROOT_DIR/targets/$TARGET_NAME.lock" "$BATS_TEST_TMPDIR/targets/mine.lock"
	TARGET_DIR=$BATS_TEST_TMPDIR/targets run_cmd 0 "$ROOT_DIR/scripts/default-target.sh" "$TARGET_NAME"
	assert_line '^wgkmod: TARGET=mine, the running kernel$'
	assert_line '^mine$'
}

teardown() { [[ -z ${BARE:-} ]] || rm -rf "$BARE"; }

# bare_machine DIR: Make a machine for a non-root user: a clone, and a PATH with only make and the essential
# programs.
bare_machine() {
	local dir=$1 program
	chmod 755 "$dir"
	clone "$dir/clone"
	mkdir "$dir/bin"
	for program in bash sh make awk mawk grep sed cat cut head tail tr sort uname id dirname basename paste \
		mktemp rm mkdir env stat find sha256sum realpath date apt-get; do
		ln -s "$(command -v "$program")" "$dir/bin/$program"
	done
	chmod -R a+rX "$dir"
}

@test "make as a non-root user with nothing installed prints what to do" {
	local as=()
	BARE=$(mktemp -d /tmp/wgkmod-bare.XXXXXX) # other users cannot enter BATS_TEST_TMPDIR
	bare_machine "$BARE"
	[[ $(id -u) -ne 0 ]] || as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	output=$("${as[@]}" "$(command -v env)" -i "PATH=$BARE/bin" "HOME=$BARE" "$BARE/bin/make" -C "$BARE/clone" \
		--no-print-directory artifacts TARGET="$TARGET_NAME" 2>&1) && fail "it went on: $output"
	assert_line '^wgkmod: missing here: curl .*dpkg-deb.*; run as root:$'
	assert_line '^    apt-get update && apt-get install --yes --no-install-recommends .*dpkg'
}

@test "make clean-images removes our image names, and no others" {
	local name store=$BATS_TEST_TMPDIR/store
	mkdir "$store"
	printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$store" "$store" >"$store/conf"
	export CONTAINERS_STORAGE_CONF=$store/conf
	for name in wgkmod-x:1 wgkmod-y:2 other:3; do
		printf '%s\n' "$name" >"$store/file"
		run_cmd 0 bash -c 'tar -C "$1" -c file | podman import - "localhost/$2"' - "$store" "$name"
	done
	run_cmd 0 podman tag localhost/wgkmod-x:1 localhost/mine:1
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory clean-images
	assert_equal "$(podman image ls --format '{{.Repository}}:{{.Tag}}' | sort)" $'localhost/mine:1\nlocalhost/other:3'
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory clean-images
	podman image rm localhost/mine:1 localhost/other:3 >/dev/null
}

@test "make check-full goes on after a failure, and prints a line for each part at the end" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\necho "did $*"\n[ "$2" != two ]\n' >"$BATS_TEST_TMPDIR/bin/make"
	chmod +x "$BATS_TEST_TMPDIR/bin/make"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run_cmd 1 "$ROOT_DIR/tests/run/check-full.sh" 'one X=1' two three
	assert_line '^did --no-print-directory one X=1$'
	assert_line '^make one X=1 +passed +[0-9]+ s$'
	assert_line '^make two +FAILED +[0-9]+ s$'
	assert_line '^make three +passed +[0-9]+ s$'
	assert_line '^wgkmod: 1 of 3 failed$'
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run_cmd 0 "$ROOT_DIR/tests/run/check-full.sh" one
}

@test "a clone whose scripts cannot be executed is refused with the reason" {
	clone "$BATS_TEST_TMPDIR/clone"
	chmod a-x "$BATS_TEST_TMPDIR"/clone/scripts/*.sh
	run_cmd 2 make -C "$BATS_TEST_TMPDIR/clone" --no-print-directory targets
	assert_line "no script of '.*/clone' can be executed: its file system may be mounted noexec"
}
