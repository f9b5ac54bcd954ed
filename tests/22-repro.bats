#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The same bits: from another folder, as another user, under another environment, from an emptied
# image store, without network.

load helpers

KERNEL=5.10.0-32-amd64

setup_file() {
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="$TARGET_NAME"
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory fetch TARGET="$TARGET_NAME"
}

# own_store DIR: an image store of the test's own, empty.
own_store() {
	mkdir -p "$1"
	printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$1" "$1" >"$1/storage.conf"
	export CONTAINERS_STORAGE_CONF=$1/storage.conf
}

# no_network COMMAND...: runs it where there is no network but loopback.
no_network() {
	if [[ $(id -u) -eq 0 ]]; then
		unshare --net "$@"
	else
		unshare --map-root-user --net "$@"
	fi
}

teardown() {
	if [[ -n ${CONTAINERS_STORAGE_CONF:-} ]]; then
		rm -rf "$BATS_TEST_TMPDIR/store"
	fi
	if [[ -n ${ROOTLESS:-} ]]; then
		pkill -KILL -u "$ROOTLESS" || [[ $? -eq 1 ]] # podman's pause process
		userdel --remove "$ROOTLESS" >/dev/null 2>&1
		rm -rf "$DIR"
	fi
}

@test "from the cache alone: no network, an empty image store, another folder, umask, locale, zone and HOME" {
	local clone="$BATS_TEST_TMPDIR/a clone/elsewhere"
	clone "$clone"
	own_store "$BATS_TEST_TMPDIR/store"
	unset OUT
	export -f no_network
	HOME=$BATS_TEST_TMPDIR TZ=Asia/Shanghai LANG=zh_CN.UTF-8 LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=1 \
		KBUILD_BUILD_USER=x CFLAGS=-O0 KCFLAGS=-O0 TMPDIR=$BATS_TEST_TMPDIR TIMEOUT=600 \
		run_cmd 0 bash -c 'umask 077; no_network make -C "$1" --no-print-directory artifacts TARGET="$2"' \
		offline "$clone" "$TARGET_NAME"
	assert_line '^image .* made without network'
	assert_line '^build +7 modules'
	diff "$ROOT_DIR/out/$KERNEL/SHA256SUMS" "$clone/out/$KERNEL/SHA256SUMS"
}

# as_user COMMAND...: runs it as ROOTLESS, with nothing of this environment.
as_user() {
	setpriv --reuid="$ROOTLESS" --regid="$ROOTLESS" --init-groups env -i PATH="$PATH" \
		HOME="$DIR/home" CACHE="$DIR/cache" "$@"
}

@test "as another user, rootless" {
	if [[ $(id -u) -ne 0 ]]; then
		return 0 # the test before was that
	fi
	DIR=$(mktemp -d /tmp/wgkmod-rootless.XXXXXX) ROOTLESS=wgkmod-test-$$
	useradd --create-home --home-dir "$DIR/home" "$ROOTLESS"
	clone "$DIR/clone"
	mkdir "$DIR/cache"
	cp -r "$CACHE/sha256" "$DIR/cache/sha256"
	chown -R "$ROOTLESS" "$DIR"
	export -f as_user
	export DIR ROOTLESS
	TIMEOUT=900 run_cmd 0 bash -c 'as_user make -C "$DIR/clone" --no-print-directory artifacts TARGET="$1"' \
		rootless "$TARGET_NAME"
	assert_line '^build +7 modules'
	diff "$ROOT_DIR/out/$KERNEL/SHA256SUMS" "$DIR/clone/out/$KERNEL/SHA256SUMS"
}
