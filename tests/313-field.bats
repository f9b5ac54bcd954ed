#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod install and remove on hosts as they are reported from the field: trees with files that are
# broken, immutable or somebody else's, on file systems that are not as usual.

# shellcheck disable=SC2034,SC2153 # before and MODULES are install.bash's

load lib/helpers
load lib/modules
load sweep/tools
load lib/install

# refused_all STATUS REGEX: by install, install --dry-run, and both with --replace; nothing is written.
refused_all() {
	before=$(tree_print "$ROOT")
	refused "$@"
	install_it "$1" --dry-run
	assert_line "${@:2}"
	install_it "$1" --replace
	assert_line "${@:2}"
	unchanged
}

# in_mounts STATUS COMMANDS: with $1 to $4 wgkmod, the root, the release and the payload, where these
# commands may mount.
in_mounts() {
	local apart=(unshare --mount)
	[[ $(id -u) -eq 0 ]] || apart+=(--map-root-user)
	run_cmd "$1" "${apart[@]}" sh -euc "
		install() { \"\$1\" install --allow-unsigned --root \"\$2\" --kernel \"\$3\" \"\$4\"; }
		$2" - "$WGKMOD" "$ROOT" "$RELEASE" "$PAYLOAD"
}

@test "in a lower layer of an overlay: found before the first write, with what helps; then it works" {
	local layer=$BATS_TEST_TMPDIR/layer sentence
	needs_root 'an overlay needs a file system that can be its upper layer'
	sentence="^wgkmod: cannot install '$ROOT/lib/modules/$RELEASE': it lies in a lower layer of an overlay file system,"
	sentence+=" which cannot exchange it: "
	mkdir "$layer"
	in_mounts 0 "
		mount -t tmpfs none '$layer'
		mkdir '$layer/upper' '$layer/work'
		cp -a '$ROOT' '$layer/lower'
		mount -t overlay -o 'lowerdir=$layer/lower,upperdir=$layer/upper,workdir=$layer/work' none \"\$2\"
		for option in '' --dry-run; do
			status=0
			\"\$1\" install --allow-unsigned --root \"\$2\" --kernel \"\$3\" \$option \"\$4\" || status=\$?
			[ \$status = 1 ]
			[ -z \"\$(find '$layer/upper' ! -type d)\" ]
		done
		cd \"\$2/lib/modules\"
		cp -a \"\$3\" new && rm -r \"\$3\" && mv new \"\$3\"
		install \"\$@\"
		\"\$1\" remove --root \"\$2\" --kernel \"\$3\"
		[ ! -e .wgkmod-\$3 ]"
	assert_equal "$(grep -c "$sentence" <<<"$output")" 2
	assert_line ' installed: '
}

@test "files of an overlay's layers have devices of their own, and are not called mounts" {
	local layer=$BATS_TEST_TMPDIR/layer
	needs_root 'an overlay needs a file system that can be its upper layer'
	mkdir "$layer"
	in_mounts 0 "
		mount -t tmpfs none '$layer'
		mkdir '$layer/upper' '$layer/work'
		cp -a '$ROOT' '$BATS_TEST_TMPDIR/lower'
		mount -t overlay -o 'lowerdir=$BATS_TEST_TMPDIR/lower,upperdir=$layer/upper,workdir=$layer/work' none \"\$2\"
		status=0
		install \"\$@\" || status=\$?
		[ \$status = 1 ]"
	assert_line 'it lies in a lower layer of an overlay file system'
	refute_line 'mounted'
}

@test "a subvolume in the kernel's directory is called that" {
	local fs=$BATS_TEST_TMPDIR/fs
	needs_root 'to mount'
	mkdir "$fs"
	truncate -s 200M "$fs.img"
	run_cmd 0 mkfs.btrfs -q "$fs.img"
	mount -o loop "$fs.img" "$fs" || skip 'needs root that may mount btrfs'
	cp -a "$ROOT" "$fs/root"
	btrfs subvolume create "$fs/root/lib/modules/$RELEASE/updates" >/dev/null
	ROOT=$fs/root install_it 1
	umount "$fs"
	assert_line "updates: it is a subvolume or a snapshot, to which no hard links can be made: put a directory in its" \
		"place first$"
	refute_line 'mounted'
}

@test "a kernel's directory that is a mount itself: what would work is said" {
	in_mounts 1 "mount --bind \"\$2/lib/modules/\$3\" \"\$2/lib/modules/\$3\"; install \"\$@\""
	assert_line "^wgkmod: cannot install '$MODULES': it is a mount itself, which cannot be exchanged: copy what is in" \
		"it to a directory \(cp -a\), unmount it, and move that directory to its place$"
}

@test "without /proc and /dev/null: one sentence, and then only /proc is needed" {
	local lib program
	plain_only
	mkdir -p "$ROOT/bin" "$ROOT/proc"
	cp -r "$PAYLOAD" "$ROOT/out"
	for program in "$WGKMOD" "$(type -P depmod)" "$(type -P modprobe)"; do
		cp -L "$program" "$ROOT/bin/"
		ldd "$program" | grep -o '/[^ ]*' | while read -r lib; do
			[[ -e $ROOT$lib ]] || command install -D "$lib" "$ROOT$lib"
		done
	done
	in_mounts 1 'PATH=/bin:$PATH chroot "$2" /bin/wgkmod install --allow-unsigned --kernel "$3" /out'
	assert_line '^wgkmod: /proc is not mounted here: mount it first \(mount -t proc proc /proc\)$'
	assert_equal "$(grep -c /proc <<<"$output")" 1
	in_mounts 0 'mount --rbind /proc "$2/proc"
		PATH=/bin:$PATH exec chroot "$2" /bin/wgkmod install --allow-unsigned --kernel "$3" /out'
	assert_line ' installed: '
}

@test "broken files, FIFOs and odd names of somebody else: depmod's words are passed on, and are no error" {
	mkdir -p "$MODULES/updates/dkms"
	echo text >"$MODULES/updates/dkms/nvidia.ko"
	echo text >"$MODULES/updates/a:b.ko"
	echo text >"$MODULES/updates/x"$'\n'"y.ko"
	mkfifo "$MODULES/updates/pipe.ko"
	ln -s nowhere "$MODULES/updates/dangling.ko"
	install_it 0
	assert_line "^depmod: ERROR: failed to load symbols from /lib/modules/$RELEASE/updates/dkms/nvidia.ko: Invalid" \
		"argument$"
	installed
	install_it 0
	assert_line 'are installed already'
	echo text >"$MODULES/updates/later.ko"
	remove_it 0
	assert -e "$MODULES/updates/dkms/nvidia.ko"
	assert -p "$MODULES/updates/pipe.ko"
}

@test "an error of depmod about one of our files, or of the system, is an error" {
	local says
	says="$(command -v depmod) \"\$@\"; echo >&2 \"depmod: ERROR: failed to load symbols from \$2/lib/modules/\$3"
	fake_program depmod "$says/kernel/lib/crypto/libchacha.ko: Invalid argument\""
	refused 1 "depmod says: ERROR: failed to load symbols from .*libchacha.ko: Invalid argument$"
	fake_program depmod "$says/updates/nvidia.ko: Input/output error\""
	refused 1 "depmod says: ERROR: failed to load symbols from .*nvidia.ko: Input/output error$"
}

@test "immutable and append-only files are named, with chattr; nothing is changed" {
	local file=$MODULES/modules.dep
	needs_root 'to set the attributes'
	install_it 0
	chattr +i "$file" || skip 'needs root on a file system with attributes'
	rm -f "$BATS_TEST_TMPDIR/ok"
	run_cmd 1 "$WGKMOD" remove --root "$ROOT" --kernel "$RELEASE"
	chattr -i "$file"
	assert_line "^wgkmod: cannot remove 'modules.dep': it is immutable: run 'chattr -i $file' first$"
	payload_next
	chattr +a "$MODULES/kernel/crypto/adiantum.ko" "$MODULES/kernel/crypto"
	run_cmd 1 "$WGKMOD" install --dry-run --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
	chattr -a "$MODULES/kernel/crypto/adiantum.ko" "$MODULES/kernel/crypto"
	assert_line "^wgkmod: cannot install 'kernel/crypto': it is append-only: run 'chattr -a $MODULES/kernel/crypto' first$"
	assert_line '^wgkmod: 1 more files there are immutable or append-only$'
	remove_it 0
	unchanged
}

@test "a module of ours that lies elsewhere and in no index is in the way, for --dry-run too" {
	mkdir "$MODULES/updates" "$MODULES/build"
	cp "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" "$MODULES/updates/"
	cp "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" "$MODULES/build/"
	before=$(tree_print "$ROOT")
	refused 1 "^wgkmod: cannot install 'updates/wireguard.ko': the kernel has this module of the same name already;" \
		"move it away first, or use --replace$"
	install_it 1 --dry-run
	install_it 0 --dry-run --replace
	assert_line "^wgkmod: would remove 'updates/wireguard.ko'$"
	install_it 0 --replace
	assert_line "^wgkmod: 'updates/wireguard.ko' is a copy of what is installed, and is not kept$"
	assert_absent "$MODULES/updates/wireguard.ko"
	remove_it 0
	assert_absent "$MODULES/updates/wireguard.ko"
}

@test "when the state is lost, our files are ours again, and nothing is kept of them" {
	local option
	for option in '' --replace; do
		install_it 0
		rm -r "$MODULES/.wgkmod"
		install_it 0 ${option:+"$option"}
		assert_line "^wgkmod: 'kernel/drivers/net/wireguard/wireguard.ko' is there already, and counts as installed$"
		refute_line 'replaced'
		installed
		status_it 0
		remove_it 0
		assert_line "^wgkmod: 12 modules for $RELEASE removed$"
		run_cmd 1 grep -r wireguard "$MODULES/modules.dep"
		assert -z "$(find "$ROOT" -name wireguard.ko -o -name '.*')"
	done
}

@test "modprobe.d diverts what our modules stand on: found along modules.dep, and named" {
	rm "$PAYLOAD/modules/kernel/net/ipv4/udp_tunnel.ko"
	payload_sums "$PAYLOAD"
	cp "$STOCK/kernel/net/ipv4/udp_tunnel.ko" "$MODULES/kernel/net/ipv4/"
	depmod -b "$ROOT" "$RELEASE"
	mkdir -p "$ROOT/etc/modprobe.d"
	echo 'install udp_tunnel /bin/false' >"$ROOT/etc/modprobe.d/x.conf"
	refused_all 1 "^wgkmod: cannot install 'udp_tunnel': modprobe is told to run a command instead, by 'install" \
		"udp_tunnel' in its configuration"
	echo 'blacklist udp_tunnel' >"$ROOT/etc/modprobe.d/x.conf" # only of its aliases
	install_it 0
}

@test "new files and directories get the label of the directory above" {
	local file
	needs_root 'to set labels'
	[[ ! -e /sys/fs/selinux/enforce ]] || skip 'needs root on a host without SELinux'
	find "$MODULES" -exec "$TOOLS/look" -x security.selinux 6c6162656c00 {} +
	install_it 0
	for file in kernel/drivers/net/wireguard kernel/drivers/net/wireguard/wireguard.ko modules.dep .wgkmod \
		.wgkmod/installed; do
		"$TOOLS/look" "$MODULES" | grep -F "./$file " | grep -q ' security.selinux=6c6162656c00$' ||
			fail "'$file' has no label"
	done
}

@test "a module of a directory elsewhere, by depmod.d, is in the way, and --replace says so" {
	mkdir -p "$ROOT/etc/depmod.d" "$ROOT/ext"
	cp "$STOCK/kernel/drivers/net/wireguard/wireguard.ko" "$ROOT/ext/"
	sed -i "1i $ROOT/ext/wireguard.ko:" "$MODULES/modules.dep"
	refused_all 1 "^wgkmod: cannot install '$ROOT/ext/wireguard.ko': the kernel has this module of the same name" \
		"already, by 'external' in depmod's configuration \(depmod.d\); move it away first, and run 'depmod" \
		"$RELEASE'$"
}

@test "a module that depmod takes for one of ours, as it exports the same, is refused and named" {
	mkdir "$MODULES/updates"
	cp "$STOCK/kernel/lib/crypto/libchacha.ko" "$MODULES/updates/other_chacha.ko"
	before=$(tree_print "$ROOT")
	refused 1 "^wgkmod: cannot install '$MODULES': depmod takes updates/other_chacha.ko for kernel/.*\.ko, but other" \
		"modules were proven to provide its symbols: move it away first$"
	mv "$MODULES/updates/other_chacha.ko" "$BATS_TEST_TMPDIR/"
	install_it 0
	status_it 0
	mv "$BATS_TEST_TMPDIR/other_chacha.ko" "$MODULES/updates/"
	depmod -b "$ROOT" "$RELEASE"
	status_it 1
	assert_line "^wgkmod: cannot show '$RELEASE': depmod takes updates/other_chacha.ko for kernel/"
}

@test "a FIFO that depmod and modprobe would wait for is found before" {
	mkdir -p "$ROOT/etc/modprobe.d"
	mkfifo "$ROOT/etc/modprobe.d/x.conf"
	TIMEOUT=20 install_it 1
	assert_line "^wgkmod: cannot install 'modprobe.d': $ROOT/etc/modprobe.d/x.conf is not a regular file, and depmod" \
		"and modprobe would wait for it: move it away first$"
}

@test "with --root, no link in modprobe.d or depmod.d leads to a file of the running system" {
	local dir
	echo '# nothing' >"$BATS_TEST_TMPDIR/x.conf"
	for dir in modprobe.d depmod.d; do
		mkdir -p "$ROOT/etc/$dir"
		ln -s "$BATS_TEST_TMPDIR/x.conf" "$ROOT/etc/$dir/"
		refused_all 1 "^wgkmod: cannot install '$dir': $ROOT/etc/$dir/x.conf is a link that leads out of $ROOT: put a" \
			"file there in its place first$"
		# where the root alone has the file, only its own system would read it
		ln -sfn /etc/x.conf "$ROOT/etc/$dir/x.conf"
		cp "$BATS_TEST_TMPDIR/x.conf" "$ROOT/etc/"
		refused_all 1 "^wgkmod: cannot install '$dir': $ROOT/etc/$dir/x.conf is a link that leads out of $ROOT: "
		ln -sfn ../x.conf "$ROOT/etc/$dir/x.conf"
		ln -s /dev/null "$ROOT/etc/$dir/off.conf"
		ln -s nowhere "$ROOT/etc/$dir/dangling.conf"
		install_it 0
		remove_it 0
		rm "$ROOT/etc/$dir"/*.conf
	done
	echo 'install wireguard /bin/false' >"$ROOT/etc/x.conf"
	ln -s ../x.conf "$ROOT/etc/modprobe.d/x.conf"
	refused_all 1 "^wgkmod: cannot install 'wireguard': modprobe is told to run a command instead"
}

@test "a depmod that does not end is ended, and everything is taken back" {
	local wgkmod=$BATS_TEST_TMPDIR/limit/wgkmod
	plain_only
	run_cmd 0 make -C "$ROOT_DIR/src" O="${wgkmod%/*}" CFLAGS=-DSPAWN_SECONDS=1 "$wgkmod"
	WGKMOD=$wgkmod
	fake_program depmod 'sleep 60; exit 0'
	TIMEOUT=30 refused 1 "^wgkmod: cannot install '$MODULES': depmod did not end within 1 seconds$"
}
