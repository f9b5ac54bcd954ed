#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Mirrors that are not what they were: make lock and make fetch refuse, and say which package and why.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/servers
load lib/al8

PACKAGE=make-4.3-1.al8.x86_64

setup_file() { al8_setup; }
teardown_file() { servers_stop; }

# Each test has a mirror of its own, hard links to the real one where both are in one file system, and
# a target that takes little of it.
setup() {
	local how=-a
	WWW=$BATS_TEST_TMPDIR/www
	if ln "$AL8_MIRROR/www/RPM-GPG-KEY-ALINUX-3" "$BATS_TEST_TMPDIR/linked" 2>/dev/null; then how=-al; fi
	cp "$how" "$AL8_MIRROR/www" "$WWW"
	OS=$WWW/alinux/3/os/x86_64
	free_ports 22000
	export TARGET_DIR=$BATS_TEST_TMPDIR/targets CACHE=$BATS_TEST_TMPDIR/cache PATIENCE=3
	mkdir "$BATS_TEST_TMPDIR/out"
	[[ ! -f $OUT/.podman ]] || cp "$OUT/.podman" "$BATS_TEST_TMPDIR/out/"
	OUT=$BATS_TEST_TMPDIR/out
	al8_targets "$TARGET_DIR" "$PORT"
	sed -i '/^  elf/d; /^KERNEL_IMAGE/d; /^VM/d; s/^KERNEL_DEVEL.*/KERNEL_DEVEL = m4/; s/^TOOLCHAIN.*/TOOLCHAIN = make/
		s,^SOURCE .*,SOURCE = http://127.0.0.1:'"$PORT"'/RPM-GPG-KEY-ALINUX-3,' "$TARGET_DIR/standin-9"
}

# The agents that gpg started for its folders end with the test.
teardown() {
	local dir
	for dir in "$BATS_TEST_TMPDIR/gnupg" "$AL8_MIRROR/gnupg"; do
		[[ ! -d $dir ]] || gpgconf --homedir "$dir" --kill all
	done
}

lock() { al8 "$1" lock standin-9; }
fetch() { run_cmd "$1" "$ROOT_DIR/scripts/fetch.sh" standin-9 toolchain; }
serve() { http_start "$PORT" "$WWW"; }

# own FILE: FILE is no link to the real mirror's any more.
own() { cp "$1" "$1.own" && mv "$1.own" "$1" && chmod 644 "$1"; }

# new_key NAME: a key of OpenPGP in BATS_TEST_TMPDIR/gnupg.
new_key() {
	(umask 077 && mkdir "$BATS_TEST_TMPDIR/gnupg")
	run_cmd 0 gpg --homedir "$BATS_TEST_TMPDIR/gnupg" --batch --passphrase '' --quick-generate-key "$1" rsa2048 sign never
}

# resign GNUPG-FOLDER NAME FILE: the package, signed by that key alone.
resign() {
	run_cmd 0 rpmsign --delsign "$3" # the same key's would be left as it is
	run_cmd 0 rpmsign --define "__gpg $(command -v gpg)" --define "_gpg_path $1" --define "_gpg_name $2" --addsign "$3"
}
index() { run_cmd 0 createrepo_c --quiet --update "$OS"; }

# image_with_key KEY NAME: the registry has the image NAME, which is the stand-in's with the key in rpm's
# database.
image_with_key() {
	local image=localhost/wgkmod-test:keys-$BASHPID
	run_cmd 0 skopeo copy "oci:$AL8_IMAGE" "containers-storage:$image"
	LOG=/dev/null run_cmd 0 bash -euc '
		. "$ROOT_DIR/scripts/lib.sh"
		. "$ROOT_DIR/scripts/lib/podman.sh"
		podman_probe "$1"
		container=$("${PODMAN[@]}" create --network=none --pull=never "${PODMAN_LIMITS[@]}" --security-opt=label=disable \
			--volume "$2:/key:ro" "$1" rpmkeys --import /key)
		podman start --attach "$container"
		podman commit "$container" "$1-key"
		podman rm "$container"' - "$image" "$1"
	run_cmd 0 skopeo copy "containers-storage:$image-key" "docker://127.0.0.1:$REGISTRY_PORT/$2"
	run_cmd 0 podman image rm "$image" "$image-key"
}

# no_lock: nothing was pinned.
no_lock() { assert_absent "$TARGET_DIR/standin-9.lock"; }

@test "a package with a flipped byte is refused by make lock, with its name" {
	own "$OS/Packages/$PACKAGE.rpm"
	flip "$OS/Packages/$PACKAGE.rpm" 100000
	serve
	lock 2
	assert_line "^wgkmod: the packages of the stage toolchain cannot be had: $PACKAGE.rpm: .*checksum doesn't match"
	no_lock
}

@test "the same where the mirror's index says that it has to be so" {
	own "$OS/Packages/$PACKAGE.rpm"
	flip "$OS/Packages/$PACKAGE.rpm" 100000
	index
	serve
	lock 2
	assert_line "^wgkmod: the packages .*: $PACKAGE.rpm: (digests|DIGESTS) (signatures|SIGNATURES) NOT OK, by the key of the target"
	no_lock
}

@test "an unsigned package is refused" {
	own "$OS/Packages/$PACKAGE.rpm"
	run_cmd 0 rpmsign --delsign "$OS/Packages/$PACKAGE.rpm"
	index
	serve
	lock 2
	assert_line "^wgkmod: the packages .*: Package $PACKAGE.rpm is not signed"
	no_lock
}

@test "a package signed by another key is refused" {
	own "$OS/Packages/$PACKAGE.rpm"
	new_key somebody
	resign "$BATS_TEST_TMPDIR/gnupg" somebody "$OS/Packages/$PACKAGE.rpm"
	index
	serve
	lock 2
	assert_line "^wgkmod: the packages .*: Public key for $PACKAGE.rpm is not installed"
	no_lock
}

@test "a key that the image has, and that is not the target's, does not count" {
	new_key 'the image alone'
	gpg --homedir "$BATS_TEST_TMPDIR/gnupg" --armor --export >"$BATS_TEST_TMPDIR/key"
	own "$OS/Packages/$PACKAGE.rpm"
	resign "$BATS_TEST_TMPDIR/gnupg" 'the image alone' "$OS/Packages/$PACKAGE.rpm"
	index
	serve
	image_with_key "$BATS_TEST_TMPDIR/key" alinux3/keys:latest
	sed -i "s,^IMAGE .*,IMAGE = 127.0.0.1:$REGISTRY_PORT/alinux3/keys:latest," "$TARGET_DIR/standin-9"
	lock 2
	assert_line "^wgkmod: the packages .*: $PACKAGE.rpm: (digests|DIGESTS) (signatures|SIGNATURES) NOT OK, by the key of the target"
	no_lock
	run_cmd 0 skopeo inspect --raw "docker://127.0.0.1:$REGISTRY_PORT/alinux3/keys:latest"
	run_cmd 0 podman image rm "localhost/wgkmod-lock:$(printf %s "$output" | sha256sum | cut -c 1-16)"
}

@test "a package that is gone is refused by make lock; in the cache it is not missed" {
	serve
	lock 0
	fetch 0
	rm "$OS/Packages/$PACKAGE.rpm"
	fetch 0
	CACHE=$BATS_TEST_TMPDIR/empty fetch 69
	assert_line "^wgkmod: cannot fetch $PACKAGE.rpm \(of 'standin-9'\): the mirrors that could be reached do not have it any more"
	rm "$TARGET_DIR/standin-9.lock"
	index
	lock 2
	assert_line '^wgkmod: the packages .*: no repository has make$'
	no_lock
}

@test "a changed package is refused by fetch, and by make lock with both digests; a new one shows as a difference" {
	local old new
	serve
	lock 0
	old=$(awk '/make-4.3/ { print $2 }' "$TARGET_DIR/standin-9.lock")
	own "$OS/Packages/$PACKAGE.rpm"
	# the distribution's own key, another time
	resign "$AL8_MIRROR/gnupg" 'wgkmod stand-in' "$OS/Packages/$PACKAGE.rpm"
	new=$(sha256sum <"$OS/Packages/$PACKAGE.rpm" | cut -d ' ' -f 1)
	index
	fetch 1
	assert_line "^wgkmod: Packages/$PACKAGE.rpm: the digest is $new, not $old as in the lock"
	lock 2
	assert_line "^wgkmod: Packages/$PACKAGE.rpm has the digest $new now, and $old in the lock"
	grep -q "$old" "$TARGET_DIR/standin-9.lock"

	cp "$TARGET_DIR/standin-9.lock" "$BATS_TEST_TMPDIR/first"
	sed -i "s/^toolchain $old .*make-4.3.*/toolchain $old Packages\/make-4.2-1.al8.x86_64.rpm/" "$TARGET_DIR/standin-9.lock"
	lock 0
	assert_line "^-toolchain $old Packages/make-4.2-1.al8.x86_64.rpm$"
	assert_line "^\+toolchain $new Packages/$PACKAGE.rpm$"
}

@test "a mirror that stops in the middle of a package is given up, by make lock and by fetch" {
	serve
	lock 0
	MIRROR_STOPS=$((PORT + 1))
	server_start "http://127.0.0.1:$MIRROR_STOPS/" python3 "$ROOT_DIR/tests/al8/silent.py" "$MIRROR_STOPS" "$WWW" "$PACKAGE.rpm"
	MIRROR="http://127.0.0.1:$MIRROR_STOPS/alinux/3/os/x86_64" fetch 1
	assert_line "^wgkmod: cannot fetch $PACKAGE.rpm "
	# that the next one does not have it does not make it gone
	MIRROR="http://127.0.0.1:$MIRROR_STOPS/alinux/3/os/x86_64 http://127.0.0.1:$PORT/alinux/3/plus/x86_64" fetch 1
	assert_line '^wgkmod: cannot fetch .*: no mirror could be reached that has it'
	rm "$TARGET_DIR/standin-9.lock"
	MIRROR="http://127.0.0.1:$MIRROR_STOPS/alinux/3/os/x86_64" lock 2
	assert_line "^wgkmod: the packages .*: $PACKAGE.rpm: .*Timeout was reached"
	no_lock
}

@test "a repository that cannot be had is not left out: the lock would be another" {
	serve
	rm -r "$WWW/alinux/3/updates"
	lock 2
	assert_line "^wgkmod: the packages .*updates/x86_64/repodata/repomd.xml"
	no_lock
}

@test "a mirror that takes connections and says nothing is given up" {
	serve
	lock 0
	python3 "$ROOT_DIR/tests/al8/silent.py" "$((PORT + 1))" "$WWW" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- 4>&- &
	printf '%d\n' $! >>"$BATS_FILE_TMPDIR/servers"
	MIRROR="http://127.0.0.1:$((PORT + 1))/alinux/3/os/x86_64" fetch 1
	assert_line '^wgkmod: cannot fetch m4-.*\.rpm make-.*\.rpm '
	rm "$TARGET_DIR/standin-9.lock"
	MIRROR="http://127.0.0.1:$((PORT + 1))/alinux/3/os/x86_64" lock 2
	assert_line "^wgkmod: the packages .*: Curl error .*Timeout was reached for http://127.0.0.1:$((PORT + 1))/"
	no_lock
}
