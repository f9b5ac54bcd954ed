#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The same bits under all variations of make repro, and from the cache alone, without network.  Planted causes of
# differing bits (plants.bash) show that this test can fail.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/bundle
load lib/plants

KERNEL=5.10.0-32-amd64

setup_file() {
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="$TARGET_NAME"
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory fetch TARGET="$TARGET_NAME"
}

teardown() {
	if [[ -n ${COPY:-} && -d $COPY ]]; then
		image_forget "$COPY"
	fi
	[[ -z ${OPEN:-} ]] || rm -rf "$OPEN"
}

# planted NAME: Make a copy of the project with the plant, and an OUT of its own; set COPY, VARIATION, DIFFERS.
planted() {
	COPY=$BATS_TEST_TMPDIR/copy
	clone "$COPY"
	plant "$1" "$COPY"
	export OUT=$BATS_TEST_TMPDIR/out
}

repro_needs_root() { needs_root 'make repro makes users and mounts'; }

# repro STATUS WORDS...: Run repro.sh of the copy under these variations.
repro() {
	local status=$1
	repro_needs_root
	shift
	VARY="$*" TIMEOUT=3000 run_cmd "$status" "${COPY:-$ROOT_DIR}/tests/run/repro.sh" "$TARGET_NAME"
}

@test "make repro: another user, path, clock, host, file order and everything else at once, and the same bits" {
	repro_needs_root
	touch "$BATS_TEST_TMPDIR/begin"
	OUT=$BATS_TEST_TMPDIR/out TIMEOUT=3000 \
		run_cmd 0 make -C "$ROOT_DIR" --no-print-directory repro TARGET="$TARGET_NAME"
	assert_equal "$(grep -c '^repro  *shown ' <<<"$output")" 15
	# no file of the other user is left
	assert_equal "$(find /dev/shm -nouser -newer "$BATS_TEST_TMPDIR/begin")" ''
	# the cache still belongs to its owner
	assert_equal "$(find "$CACHE/sha256" ! -user "$(stat -c %u "$CACHE")" | wc -l)" 0
	assert_line '^repro +debian11-5.10.0-32-amd64: 20 files equal in 2 builds; sha256 of the bundle: [0-9a-f]{64}$'
	refute_line 'NOT SHOWN|not tried'
}

@test "make artifacts from the cache alone, a colon in its path, no network, an empty image store: the same bits" {
	full_only
	needs_root 'for a network namespace'
	local clone="$BATS_TEST_TMPDIR/a clone/elsewhere"
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="$TARGET_NAME"
	clone "$clone"
	mkdir "$BATS_TEST_TMPDIR/a:cache"
	ln -s "$CACHE/sha256" "$BATS_TEST_TMPDIR/a:cache/"
	mkdir "$BATS_TEST_TMPDIR/store"
	printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' \
		"$BATS_TEST_TMPDIR/store" "$BATS_TEST_TMPDIR/store" >"$BATS_TEST_TMPDIR/storage.conf"
	export CONTAINERS_STORAGE_CONF=$BATS_TEST_TMPDIR/storage.conf
	local made=$OUT
	unset OUT
	CACHE=$BATS_TEST_TMPDIR/a:cache HOME=$BATS_TEST_TMPDIR TZ=Asia/Shanghai LANG=zh_CN.UTF-8 LC_ALL=C.UTF-8 \
		SOURCE_DATE_EPOCH=1 KBUILD_BUILD_USER=x CFLAGS=-O0 KCFLAGS=-O0 TMPDIR=$BATS_TEST_TMPDIR TIMEOUT=1500 \
		run_cmd 0 bash -c 'umask 077; unshare --net make -C "$1" --no-print-directory artifacts TARGET="$2"' \
		offline "$clone" "$TARGET_NAME"
	rm -rf "$BATS_TEST_TMPDIR/store"
	assert_line '^image .* made without network'
	assert_line '^build +7 modules'
	diff "$made/$KERNEL/SHA256SUMS" "$clone/out/$KERNEL/SHA256SUMS"
}

@test "each planted cause of differing bits is caught, and the file is named" {
	full_only
	local name names
	mapfile -t names < <(plants | cut -d '|' -f 1)
	assert "${#names[@]}" -ge 20
	for name in "${names[@]}"; do
		echo "plant: $name"
		rm -rf "$BATS_TEST_TMPDIR/copy" "$BATS_TEST_TMPDIR/out"
		planted "$name"
		[[ $VARIATION != - ]] || VARIATION=timezone
		BISECT='' repro 3 "$VARIATION"
		assert_line "^  (differs|only in the second): ${DIFFERS//KERNEL/$KERNEL}$"
		image_forget "$COPY"
	done
	figure plants "${#names[@]} of ${#names[@]} planted causes caught"
}

@test "the variation that causes a difference is found by halving, and shown by diffoscope" {
	full_only
	planted host-name
	repro 3 umask timezone host
	assert_line '^repro +NOT equal: [0-9]+ files of build 1 are not those of the first$'
	assert_line '^  differs: provenance.json$'
	assert_line '^repro +caused by: host$'
	grep -q 'repro-7' "$OUT/repro/differences.txt"
}

@test "a variation that has no effect is never counted as shown" {
	full_only
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\nshift 2\nexec "$@"\n' >"$BATS_TEST_TMPDIR/bin/taskset"
	chmod +x "$BATS_TEST_TMPDIR/bin/taskset"
	export OUT=$BATS_TEST_TMPDIR/out
	PATH=$BATS_TEST_TMPDIR/bin:$PATH repro 1 cpus umask
	assert_line '^repro +shown +umask: '
	assert_line '^repro +NOT SHOWN +cpus: the build did not see another host.cpus build.cpus$'
	assert_line '^repro +not tried +clock$'
	assert_line '^wgkmod: these variations were requested but had no effect: cpus$'
}

@test "make repro refuses what it cannot vary, and words that it does not know" {
	local cpu
	repro_needs_root
	export OUT=$BATS_TEST_TMPDIR/out
	cpu=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*\([0-9]*\).*/\1/p' /proc/self/status)
	run_cmd 1 taskset --cpu-list "$cpu" "$ROOT_DIR/tests/run/repro.sh" "$TARGET_NAME"
	assert_line 'the number of processors cannot be varied: there is one here \(WITHOUT=cpus leaves it out\)$'
	repro 1 moon
	assert_line "^wgkmod: there is no variation 'moon'; there are: path umask "
	run_cmd 1 "$ROOT_DIR/tests/run/repro.sh" "$TARGET_NAME" 0
	assert_line "^wgkmod: N '0' is not a number from 1 to 99$"
	# another user may not be able to reach this clone, nor BATS_TEST_TMPDIR
	OPEN=$(mktemp -d /tmp/wgkmod-open.XXXXXX)
	chmod 755 "$OPEN"
	clone "$OPEN/clone"
	chmod -R a+rX "$OPEN/clone"
	run_cmd 1 setpriv --reuid=65534 --clear-groups "$OPEN/clone/tests/run/repro.sh" "$TARGET_NAME"
	assert_line '^wgkmod: make repro needs root'
}
