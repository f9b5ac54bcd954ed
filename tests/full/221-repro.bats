#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# make repro in full: several builds with different values; a difference that no variation causes; and the
# same bits by hand, from the cache alone.

load ../lib/helpers
load ../lib/bundle
load ../lib/plants

KERNEL=5.10.0-32-amd64

setup() { needs_root 'make repro makes users and mounts'; }

setup_file() { run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME"; }

@test "five builds, each under other values of all variations, are equal" {
	OUT=$BATS_TEST_TMPDIR/out TIMEOUT=7200 \
		run_cmd 0 make -C "$ROOT_DIR" --no-print-directory repro TARGET="$TARGET_NAME" N=5
	assert_equal "$(grep -c '^repro  *shown ' <<<"$output")" 15
	assert_line '^repro +debian11-5.10.0-32-amd64: 20 files equal in 6 builds; '
}

@test "a difference that no variation causes is reported as such" {
	clone "$BATS_TEST_TMPDIR/copy"
	plant random-build-id "$BATS_TEST_TMPDIR/copy"
	OUT=$BATS_TEST_TMPDIR/out VARY='umask timezone' TIMEOUT=3600 \
		run_cmd 3 "$BATS_TEST_TMPDIR/copy/tests/run/repro.sh" "$TARGET_NAME"
	assert_line '^repro +caused by: none of them: two builds in the same environment differ$'
	image_forget "$BATS_TEST_TMPDIR/copy"
}

@test "from the cache alone: no network, an empty image store, another directory, umask, locale, zone and HOME" {
	local clone="$BATS_TEST_TMPDIR/a clone/elsewhere"
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="$TARGET_NAME"
	clone "$clone"
	mkdir "$BATS_TEST_TMPDIR/store"
	printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' \
		"$BATS_TEST_TMPDIR/store" "$BATS_TEST_TMPDIR/store" >"$BATS_TEST_TMPDIR/storage.conf"
	export CONTAINERS_STORAGE_CONF=$BATS_TEST_TMPDIR/storage.conf
	local made=$OUT
	unset OUT
	HOME=$BATS_TEST_TMPDIR TZ=Asia/Shanghai LANG=zh_CN.UTF-8 LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=1 \
		KBUILD_BUILD_USER=x CFLAGS=-O0 KCFLAGS=-O0 TMPDIR=$BATS_TEST_TMPDIR TIMEOUT=600 \
		run_cmd 0 bash -c 'umask 077; unshare --net make -C "$1" --no-print-directory artifacts TARGET="$2"' \
		offline "$clone" "$TARGET_NAME"
	rm -rf "$BATS_TEST_TMPDIR/store"
	assert_line '^image .* made without network'
	assert_line '^build +7 modules'
	diff "$made/$KERNEL/SHA256SUMS" "$clone/out/$KERNEL/SHA256SUMS"
}
