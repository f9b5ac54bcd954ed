#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# The store of bundles, and what the installation and the removal of a kernel call: wgkmod hook.

load lib/helpers
load lib/modules
load lib/bundle
load sweep/tools
load lib/install
load lib/inside

STORE=var/lib/wgkmod/bundles

setup() {
	host_make
	MODULES=$ROOT/lib/modules/$RELEASE
	KEY=$BATS_TEST_TMPDIR/key BUNDLE=$BATS_TEST_TMPDIR/bundle.tar
	key_make "$KEY"
	install -D -m 644 "$KEY.pub" "$ROOT/etc/wgkmod/keys.d/key.pub"
	bundle_make "$PAYLOAD" "$BUNDLE"
	key_sign "$KEY" "$BUNDLE"
}

store() { run_cmd "$1" "$WGKMOD" store --root "$ROOT" "${@:2}"; } # STATUS WORD...
hook() { run_cmd 0 "$WGKMOD" hook --root "$ROOT" "$@"; }          # WORD...

@test "store add keeps a verified bundle and its signature, list shows it, prune keeps what a kernel needs" {
	store 0 add --dry-run "$BUNDLE"
	assert_line "would be stored for $RELEASE$"
	assert_absent "$ROOT/$STORE"
	store 0 add "$BUNDLE"
	assert_line "^wgkmod: stored for $RELEASE: /$STORE/wireguard-$RELEASE.tar$"
	cmp "$BUNDLE" "$ROOT/$STORE/wireguard-$RELEASE.tar"
	cmp "$BUNDLE.minisig" "$ROOT/$STORE/wireguard-$RELEASE.tar.minisig"
	store 0 list
	assert_equal "$output" "$RELEASE: /$STORE/wireguard-$RELEASE.tar"
	store 0 add "$BUNDLE"
	store 0 prune
	store 0 list --porcelain
	assert_equal "$output" "bundle"$'\t'"$RELEASE"$'\t'"/$STORE/wireguard-$RELEASE.tar"$'\t'present
	rm -r "$MODULES/kernel"
	store 0 list
	assert_equal "$output" "$RELEASE: /$STORE/wireguard-$RELEASE.tar, and this kernel is not installed"
	store 0 prune --dry-run
	assert_equal "$(find "$ROOT/$STORE" -type f | wc -l)" 2
	store 0 prune
	assert_equal "$(find "$ROOT/$STORE" -type f | wc -l)" 0
}

@test "store add works where /var is a link, and where it is missing" {
	mv "$ROOT/var" "$ROOT/data"
	ln -s /data "$ROOT/var"
	store 0 add "$BUNDLE"
	cmp "$BUNDLE" "$ROOT/data/${STORE#var/}/wireguard-$RELEASE.tar"
	store 0 list
	assert_equal "$output" "$RELEASE: /$STORE/wireguard-$RELEASE.tar"
	rm -r "${ROOT:?}/var" "$ROOT/data"
	store 0 add "$BUNDLE"
	cmp "$BUNDLE" "$ROOT/$STORE/wireguard-$RELEASE.tar"
}

# failing CALL N STATUS WORD...: store with the system call CALL failing with EIO, the N-th time.
failing() {
	run_cmd "$3" strace -o "$BATS_TEST_TMPDIR/trace" -e "inject=$1:error=EIO:when=$2" \
		"$WGKMOD" store --root "$ROOT" "${@:4}"
	grep -q INJECTED "$BATS_TEST_TMPDIR/trace"
}

@test "store add has its files on the disk before they get their names, or fails and leaves the old ones" {
	plain_only
	store 0 add "$BUNDLE"
	cp "$BUNDLE.minisig" "$BATS_TEST_TMPDIR/old"
	key_sign "$KEY" "$BUNDLE" -t again
	failing syncfs 1 1 add "$BUNDLE"
	assert_line "^wgkmod: cannot store '/$STORE': Input/output error$"
	cmp "$BATS_TEST_TMPDIR/old" "$ROOT/$STORE/wireguard-$RELEASE.tar.minisig"
	assert_equal "$(find "$ROOT/$STORE" -type f | wc -l)" 2
}

@test "store prune deletes nothing if it cannot list all kernels, or all bundles" {
	plain_only
	store 0 add "$BUNDLE"
	failing getdents64 1 1 prune
	assert_line "^wgkmod: cannot look at '$ROOT': lib/modules: Input/output error$"
	failing getdents64 4 1 prune
	assert_line "^wgkmod: cannot delete '/$STORE': Input/output error$"
	assert_equal "$(find "$ROOT/$STORE" -type f | wc -l)" 2
}

@test "store add refuses what is not signed by a key of the host, or damaged; wrong words exit with 2" {
	key_make "$BATS_TEST_TMPDIR/other"
	key_sign "$BATS_TEST_TMPDIR/other" "$BUNDLE"
	store 4 add "$BUNDLE"
	rm "$BUNDLE.minisig"
	store 4 add "$BUNDLE"
	key_sign "$KEY" "$BUNDLE"
	printf x >>"$BUNDLE"
	store 4 add "$BUNDLE"
	assert_absent "$ROOT/$STORE"
	store 2 add
	store 2 list more
	store 2 nonsense
	run_cmd 2 "$WGKMOD" hook --root "$ROOT" nonsense "$RELEASE"
	run_cmd 2 "$WGKMOD" hook --root "$ROOT" add
}

@test "a bundle of several kernels is stored for each of them" {
	local dir=$BATS_TEST_TMPDIR/tree other=5.10.0-33-amd64
	mkdir "$dir"
	tar -xf "$BUNDLE" -C "$dir"
	cp -r "$dir/$RELEASE" "$dir/$other"
	(cd "$dir" && find . -type f -printf '%P\n' | LC_ALL=C sort |
		tar --format=ustar --owner=0 --group=0 --numeric-owner -T - -cf "$BUNDLE")
	key_sign "$KEY" "$BUNDLE"
	store 0 add "$BUNDLE"
	store 0 list
	assert_equal "$(wc -l <<<"$output")" 2
}

@test "hook add installs the stored bundle, also before depmod, and once only; remove leaves the kernel as it was" {
	local before
	before=$(tree_print "$MODULES")
	store 0 add "$BUNDLE"
	rm "$MODULES"/modules.{dep,dep.bin,alias,alias.bin,symbols,symbols.bin,softdep,devname}
	hook add "$RELEASE"
	assert_line "^wgkmod: hook: $RELEASE: the stored bundle is installed$"
	status_it 0
	before=$(tree_print "$ROOT" times)
	hook add "$RELEASE"
	assert_equal "$output" "wgkmod: hook: $RELEASE: the modules are installed already"
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT" times)
	hook remove "$RELEASE"
	assert_line "^wgkmod: hook: $RELEASE: the modules are removed$"
	assert_absent "$MODULES/.wgkmod"
	hook remove "$RELEASE"
	assert_equal "$output" ''
	rm -r "$MODULES"
	hook remove "$RELEASE"
}

# signed_at TIMESTAMP: the bundle, with other modules, as its publisher signed it then.
signed_at() {
	modinfo_sed "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" "s/^description=.*/description=build of $1/"
	payload_sums "$PAYLOAD"
	bundle_make "$PAYLOAD" "$BUNDLE"
	key_sign "$KEY" "$BUNDLE" -t "file:wireguard-$RELEASE.tar timestamp:$1 kernels: $RELEASE"
}

install_bundle() { # STATUS WORD...
	run_cmd "$1" "$WGKMOD" install --root "$ROOT" --kernel "$RELEASE" "${@:2}" "$BUNDLE"
}

# build_of TIMESTAMP: this build is installed, and intact.
build_of() {
	status_it 0
	assert_equal "$(modinfo -F description "$MODULES/kernel/drivers/net/wireguard/wireguard.ko")" "build of $1"
}

@test "an older bundle than the installed one is refused, and --allow-older takes it; remove forgets the time" {
	local bad older="^wgkmod: cannot install '.*': it is older than what is installed: its timestamp is"
	signed_at 1000
	install_bundle 0
	signed_at 2000
	install_bundle 0
	build_of 2000
	grep -qx 'timestamp 2000' "$MODULES/.wgkmod/installed"
	signed_at 999
	before=$(tree_print "$ROOT" times)
	install_bundle 4
	assert_line "$older 999, that of the installed is 2000; --allow-older takes it$"
	install_bundle 4 --dry-run
	# the trusted comment of plain minisign says when it was signed; another one says no time
	key_sign "$KEY" "$BUNDLE" -t 'untimestamp:3000'
	install_bundle 4
	assert_line "$older 0, "
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT" times)
	signed_at 1500
	install_bundle 0 --allow-older
	build_of 1500
	signed_at 1499
	install_bundle 4
	# the same modules with a later signature: from now on that is the time
	signed_at 1500
	install_bundle 0
	assert_line 'are installed already'
	key_sign "$KEY" "$BUNDLE" -t "file:wireguard-$RELEASE.tar timestamp:1700 kernels: $RELEASE"
	install_bundle 0
	grep -qx 'timestamp 1700' "$MODULES/.wgkmod/installed"
	signed_at 1600
	install_bundle 4
	remove_it 0
	install_bundle 0
	key_sign "$KEY" "$BUNDLE"
	install_bundle 0
	for bad in 15x -15; do
		sed -i "s/^timestamp .*/timestamp $bad/" "$MODULES/.wgkmod/installed"
		install_bundle 4
		assert_line "installed: line [0-9]+: '$bad' is no timestamp$"
	done
}

@test "hook add replaces an intact set only by a newer stored bundle, and never by one that is not verified" {
	signed_at 2000
	install_bundle 0
	signed_at 1000
	store 0 add "$BUNDLE"
	hook add "$RELEASE"
	assert_equal "$output" "wgkmod: hook: $RELEASE: the modules are installed already"
	build_of 2000
	signed_at 3000
	store 0 add "$BUNDLE"
	printf x >>"$ROOT/$STORE/wireguard-$RELEASE.tar"
	hook add "$RELEASE"
	assert_line "^wgkmod: hook: $RELEASE: the stored bundle cannot be installed: the modules stay as they are$"
	build_of 2000
	store 0 add "$BUNDLE"
	hook add "$RELEASE"
	assert_line "^wgkmod: hook: $RELEASE: the stored bundle is installed$"
	build_of 3000
	hook add "$RELEASE"
	assert_equal "$output" "wgkmod: hook: $RELEASE: the modules are installed already"
}

@test "the bundle of a package is found too" {
	install -D -m 644 "$BUNDLE" "$ROOT/usr/lib/wgkmod/bundles/wireguard-$RELEASE.tar"
	install -D -m 644 "$BUNDLE.minisig" "$ROOT/usr/lib/wgkmod/bundles/wireguard-$RELEASE.tar.minisig"
	hook add "$RELEASE"
	assert_line "^wgkmod: hook: $RELEASE: the stored bundle is installed$"
	status_it 0
}

@test "hook add without a bundle says so, and what guard says of the next boot; with WireGuard it does nothing" {
	local new=5.10.0-33-amd64
	store 0 add "$BUNDLE"
	hook add "$RELEASE"
	mkdir -p "$ROOT/lib/modules/$new/kernel"
	hook add "$new"
	assert_line "^wgkmod: hook: $new: no bundle for it is in the store: it has no WireGuard$"
	assert_line '^wgkmod: which kernel boots next cannot be found out, and 1 of 2 have no WireGuard: '
	echo kernel/drivers/net/wireguard/wireguard.ko >"$ROOT/lib/modules/$new/modules.builtin"
	hook add "$new"
	assert_line "^wgkmod: hook: $new: it has WireGuard, and is left alone$"
}

@test "whatever fails, hook exits with 0, and the kernel's directory is as before" {
	local before
	store 0 add "$BUNDLE"
	before=$(tree_print "$MODULES")
	# a bundle that was changed in the store
	printf x >>"$ROOT/$STORE/wireguard-$RELEASE.tar"
	hook add "$RELEASE"
	assert_line "^wgkmod: hook: $RELEASE: the stored bundle cannot be installed: it has no WireGuard$"
	# one without its signature, as of a run that was killed
	store 0 add "$BUNDLE"
	rm "$ROOT/$STORE/wireguard-$RELEASE.tar.minisig"
	hook add "$RELEASE"
	# one that does not fit
	crc_change "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" skb_push
	mkdir "$MODULES/build"
	cp "$SYMVERS" "$MODULES/build/Module.symvers"
	payload_sums "$PAYLOAD"
	bundle_make "$PAYLOAD" "$BUNDLE"
	key_sign "$KEY" "$BUNDLE"
	store 0 add "$BUNDLE"
	hook add "$RELEASE"
	assert_line "version of 'skb_push' is"
	assert_line "^wgkmod: hook: $RELEASE: the stored bundle cannot be installed: it has no WireGuard$"
	rm -r "$MODULES/build"
	diff <(printf '%s\n' "$before") <(tree_print "$MODULES")
	hook add 'not/a/release' "$RELEASE"
	hook add 5.10.0-99-amd64
	run_cmd 0 "$WGKMOD" hook --root "$BATS_TEST_TMPDIR/none" add "$RELEASE"
	assert_equal "$output" "wgkmod: cannot look at '$BATS_TEST_TMPDIR/none': No such file or directory"
}

@test "on the running system hook add passes on depmod's words as they are" {
	local words="depmod: ERROR: failed to load symbols from /lib/modules/$RELEASE/updates/x.ko: Invalid argument"
	inside_make
	rm "$MODULES/modules.devname"
	printf '#!/bin/sh\necho "%s" >&2\n' "$words" >"$ROOT/bin/depmod"
	inside 0 hook add "$RELEASE"
	assert_line "^$words$"
}

@test "killed before any of its writes, store add leaves the old bundle, none, or the new one" {
	plain_only
	local call n status store=$ROOT/$STORE
	store 0 add "$BUNDLE"
	for call in openat2 unlinkat renameat write syncfs; do
		for ((n = 1; n <= 40; n++)); do
			key_sign "$KEY" "$BUNDLE" -t "again $call $n" >/dev/null
			strace -f -o "$BATS_TEST_TMPDIR/trace" -e "inject=$call:signal=KILL:when=$n" \
				"$WGKMOD" store --root "$ROOT" add "$BUNDLE" >/dev/null 2>&1 || status=$?
			if [[ -e $store/wireguard-$RELEASE.tar ]]; then
				run_cmd 0 "$WGKMOD" verify --root "$ROOT" --kernel "$RELEASE" "$store/wireguard-$RELEASE.tar"
			fi
			grep -q 'killed by SIGKILL' "$BATS_TEST_TMPDIR/trace" || break
		done
	done
	store 0 add "$BUNDLE"
	hook add "$RELEASE"
	status_it 0
}
