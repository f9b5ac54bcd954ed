#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The base image of the family rpm: from a real registry by digest, through the cache, to podman.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/servers

setup_file() {
	"$ROOT_DIR/scripts/install-deps.sh" docker-registry skopeo >&2
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory image TARGET="$TARGET_NAME"
	DIR=$BATS_FILE_TMPDIR
	free_ports 23000
	export PORT DIR
	registry_start "$PORT"
	BASE=$(podman image ls --format '{{.Repository}}:{{.Tag}}' --filter 'reference=localhost/wgkmod-base' | head -n 1)
	run_cmd 0 skopeo copy --quiet "containers-storage:$BASE" "docker://127.0.0.1:$PORT/alinux3/alinux3:latest"

	# Make a target of the family rpm whose base is that image.
	export TARGET_DIR=$DIR/targets
	mkdir "$TARGET_DIR"
	sed "s,^IMAGE .*,IMAGE = 127.0.0.1:$PORT/alinux3/alinux3:latest," \
		"$ROOT_DIR/targets/alinux3-5.10.60-9.x86_64" >"$TARGET_DIR/img"
	DIGEST=$(skopeo inspect --raw "docker://127.0.0.1:$PORT/alinux3/alinux3:latest" | sha256sum | cut -d ' ' -f 1)
	export DIGEST
	printf 'base %s docker://127.0.0.1:%d/alinux3/alinux3@sha256:%s\n' "$DIGEST" "$PORT" "$DIGEST" >"$TARGET_DIR/img.lock"
}

teardown_file() { servers_stop; }

setup() { export OUT=$BATS_TEST_TMPDIR/out CACHE=$BATS_TEST_TMPDIR/cache TARGET_DIR=$DIR/targets; }

# family COMMAND...: Run a function of builder/families/rpm.sh, with the target read.
family() {
	# shellcheck disable=SC2086
	TARGET=img bash -c '. "$ROOT_DIR/scripts/lib.sh"
		read_target img; LOG=/dev/null TMP=$DIR/family; mkdir -p "$TMP"; "$@"' family "$@"
}

fetch() { run_cmd "$1" "$ROOT_DIR/scripts/fetch.sh" img base; }

@test "a lock names a package by its path below the repository, and another file by its address" {
	local repo repos
	mapfile -t repos < <(family family_mirrors)
	assert "${#repos[@]}" -gt 1
	location() { mkdir -p "$DIR/family"
		TARGET=img run_cmd 0 bash -c '. "$ROOT_DIR/scripts/lib.sh"
		read_target img; TMP=$DIR/family; . "$ROOT_DIR/scripts/lib/lock-rpm.sh"; location_of "$1"' - "$1"; }
	for repo in "${repos[@]}"; do
		location "${repo%/}/Packages/a/ab-1.rpm"
		assert_equal "$output" Packages/a/ab-1.rpm
	done
	location https://elsewhere/Packages/d-1.rpm
	assert_equal "$output" https://elsewhere/Packages/d-1.rpm
}

@test "an image enters the cache blob by blob, and gets from there to podman unchanged" {
	local id
	fetch 0
	assert_line '^fetch +1 of 1 inputs downloaded'
	find "$CACHE/sha256" -type f | while read -r file; do
		assert_equal "$(sha256sum <"$file" | cut -d ' ' -f 1)" "${file##*/}"
	done
	assert "$(find "$CACHE/sha256" -type f | wc -l)" -ge 3
	fetch 0
	assert_line '1 inputs are in the cache'
	run_cmd 0 "$ROOT_DIR/scripts/stage.sh" img base "$BATS_TEST_TMPDIR/staged"
	export -f family
	run_cmd 0 bash -c 'family "$@"' in_shell family_base "$BATS_TEST_TMPDIR/staged" localhost/wgkmod-test:image
	id=$(podman image inspect --format '{{.Id}}' localhost/wgkmod-test:image)
	assert_equal "$id" "$(jq -r .config.digest "$BATS_TEST_TMPDIR/staged/image/manifest.json" | sed 's/^sha256://')"
	podman image rm localhost/wgkmod-test:image >/dev/null
}

@test "a flipped bit in a layer, the configuration or the manifest in the cache is refused, and the file is named" {
	local file
	fetch 0
	for file in "$CACHE"/sha256/*; do
		chmod 644 "$file"
		flip "$file" $(($(stat -c %s "$file") / 2))
		fetch 1
		assert_line "the cache is damaged: '$file'|image manifest '$file' in the cache cannot be read"
		run_cmd 1 "$ROOT_DIR/scripts/stage.sh" img base "$BATS_TEST_TMPDIR/staged"
		flip "$file" $(($(stat -c %s "$file") / 2))
	done
	fetch 0
}

@test "an image whose digest the registry does not have is refused, and nothing is kept" {
	local other=${DIGEST:0:63}0
	[[ $other != "$DIGEST" ]] || other=${DIGEST:0:63}1
	cp -r "$TARGET_DIR" "$BATS_TEST_TMPDIR/targets"
	export TARGET_DIR=$BATS_TEST_TMPDIR/targets
	sed -i "s/$DIGEST/$other/g" "$TARGET_DIR/img.lock"
	fetch 1
	assert_line "^wgkmod: docker://.*/alinux3@sha256:$other: skopeo could not copy it: .*manifest unknown"
	assert_equal "$(find "$CACHE/sha256" -type f)" ''
}

@test "a registry that serves a damaged layer is refused, and nothing is kept" {
	local blob
	blob=$(find "$DIR/registry" -name data -size +1M | head -n 1)
	flip "$blob" 100000
	fetch 1
	flip "$blob" 100000
	assert_equal "$(find "$CACHE/sha256" -type f)" ''
	fetch 0
}

@test "an image of which podman's storage lost a layer: what podman says, and make clean-images" {
	local store=$BATS_TEST_TMPDIR/store
	mkdir "$store" "$OUT"
	printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$store" "$store" >"$store/conf"
	export CONTAINERS_STORAGE_CONF=$store/conf
	run_cmd 0 skopeo copy --quiet "docker://127.0.0.1:$PORT/alinux3/alinux3:latest" containers-storage:localhost/lost:1
	probe() { # STATUS
		run_cmd "$1" bash -c '. "$ROOT_DIR/scripts/lib.sh"; . "$ROOT_DIR/scripts/lib/podman.sh"
			LOG=$OUT/log; podman_probe localhost/lost:1'
	}
	probe 0
	rm -r "$store"/graph/overlay/*/diff
	# The way that worked before is not taken for one that works.
	[[ -f $OUT/.podman ]]
	probe 1
	assert_line "^wgkmod: podman cannot run a container here in any of the ways known: .*no such file or directory;" \
		"where an image is damaged, 'make clean-images' removes all that wgkmod made$"
	umount "$store/graph/overlay" # podman mounts it
}

@test "an image store of our own below a long path: podman takes its run root, which goes with the script" {
	local dir=$BATS_TEST_TMPDIR/a/path/of/more/than/fifty/characters/in/all
	mkdir -p "$dir"
	# the command by which podman cleans up after a container
	run_cmd 0 bash -c '. "$ROOT_DIR/scripts/lib.sh"; . "$ROOT_DIR/scripts/lib/podman.sh"
		trap on_exit EXIT; own_storage "$1/store"; echo "$RUN_ROOT"
		podman --root "$1/store/graph" --runroot "$RUN_ROOT/store" ps; podman info --format "{{.Store.RunRoot}}"' - "$dir"
	assert_line '^/tmp/wgkmod-run\.[A-Za-z0-9]*/store$'
	assert_absent "$(head -n 1 <<<"$output")"
}
