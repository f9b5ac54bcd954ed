#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# make media on a vfat file system, and a host of the stand-in without network that installs from it.

# shellcheck disable=SC2030,SC2031,SC2034 # each test is a subshell; DEST is on_host's

load lib/helpers
load lib/modules
load lib/servers
load lib/al8
load lib/rpm

NINE=5.10.223-9.al8.x86_64

setup_file() {
	"$ROOT_DIR/scripts/install-deps.sh" mkfs.vfat fusefat >&2
	rpm_setup
	rm -rf "${OUT:?}/media" # the older packages of runs with other keys would fill the medium
	truncate --size=16M "$RPM_DIR/vfat"
	run_cmd 0 mkfs.vfat "$RPM_DIR/vfat"
	medium "$RPM_DIR/vfat" rw+
	make_media 0 "$BATS_FILE_TMPDIR/medium" 'standin-9 standin-8'
	assert_line '^media .*: 2 kernel.s., [0-9]+ files written, SHA256SUMS has the sha256 [0-9a-f]{64}'
	make_media 0 "$BATS_FILE_TMPDIR/medium" 'standin-9 standin-8'
	assert_line '^media .* is up to date'
	fusermount -u "$BATS_FILE_TMPDIR/medium"
}
teardown_file() {
	! mountpoint --quiet "$BATS_FILE_TMPDIR/medium" || fusermount -u "$BATS_FILE_TMPDIR/medium"
	servers_stop
	rpm_teardown
}
setup() {
	export TARGET_DIR=$AL8_TARGETS
	cp "$RPM_DIR/vfat" "$BATS_TEST_TMPDIR/vfat"
	medium "$BATS_TEST_TMPDIR/vfat" rw+
	host_bare
}
teardown() { fusermount -u "$BATS_FILE_TMPDIR/medium"; }

# medium IMAGE OPTION: Mount a vfat image on BATS_FILE_TMPDIR/medium.  Without 3>&-, bats would wait for fusefat.
medium() {
	mkdir -p "$BATS_FILE_TMPDIR/medium"
	run_cmd 0 fusefat -o "$2" "$1" "$BATS_FILE_TMPDIR/medium" 3>&-
}

# make_media STATUS DEST TARGETS [VARIABLE=...]: make media with the keys of rpm_setup.
make_media() {
	local status=$1 dest=$2 targets=$3
	shift 3
	TIMEOUT=900 run_cmd "$status" make -C "$ROOT_DIR" --no-print-directory media DEST="$dest" TARGETS="$targets" \
		SIGN_KEY="$RPM_DIR/keys/minisign.key" PUBLIC_KEY="$RPM_DIR/keys/minisign.pub" \
		GPG_KEY='wgkmod test' VENDOR=acme "$@"
}

# host_bare: Make a host with the kernel 9, whose packages are not ours, and without any key.
host_bare() {
	ROOT=$BATS_TEST_TMPDIR/root
	DEST=$RPM_DIR/dest
	cp -a "$RPM_DIR/base" "$ROOT"
	mkdir "$ROOT/mnt/medium"
	dnf 0 install "kernel-$NINE"
	rm "$ROOT/etc/yum.repos.d"/*
}

# offline STATUS COMMAND...: Run a command on the host, which has no network and sees the medium as /mnt/medium.
# shellcheck disable=SC2016 # expanded by the inner shell
offline() {
	local status=$1
	shift
	run_cmd "$status" unshare --mount --pid --net --fork --kill-child bash -euc '
		mount -t proc proc "$1/proc"
		mount --bind /dev "$1/dev"
		mount --bind "$2" "$1/mnt/medium"
		chroot "$1" "${@:3}" || exit $?' - "$ROOT" "$BATS_FILE_TMPDIR/medium" "$@"
}

# trust: What the instructions say first.
trust() {
	offline 0 sh -c 'cd /mnt/medium && sha256sum --check --quiet SHA256SUMS'
	offline 0 install -D -m 644 /mnt/medium/minisign.pub /etc/wgkmod/keys.d/minisign.pub
}

@test "from the medium: install, again, upgrade, go back, remove, with one command each" {
	local before ko=modules/kernel/drivers/net/wireguard/wireguard.ko out=$BATS_TEST_TMPDIR/out first
	before=$(tree "$NINE")
	offline 4 sh /mnt/medium/install.sh --kernel "$NINE"
	assert_line 'no key is trusted on this host yet'
	assert_line "^  $(sed -n 2p "$RPM_DIR/keys/minisign.pub" | sed 's/[+/]/./g')$"
	trust
	offline 0 sh /mnt/medium/install.sh --kernel "$NINE" --porcelain
	assert_line $'^result\t'"$NINE"$'\tchanged$'
	first=$(tree "$NINE")
	offline 0 sh /mnt/medium/install.sh --porcelain --kernel "$NINE"
	assert_line $'^result\t'"$NINE"$'\tunchanged$'
	offline 0 wgkmod status --kernel "$NINE"

	mkdir "$out"
	cp -r "$OUT/$NINE" "$out"
	modinfo_sed "$out/$NINE/$ko" 's/^description=.*/description=another build/'
	payload_sums "$out/$NINE"
	OUT=$out SIGN_KEY=$RPM_DIR/keys/minisign.key run_cmd 0 "$ROOT_DIR/scripts/bundle.sh" standin-9
	OUT=$out PUBLIC_KEY=$RPM_DIR/keys/minisign.pub run_cmd 0 "$ROOT_DIR/delivery/media.sh" "$BATS_FILE_TMPDIR/medium" \
		standin-9
	offline 0 sh /mnt/medium/install.sh --kernel "$NINE" --porcelain
	assert_line $'^result\t'"$NINE"$'\tchanged$'
	[[ $(tree "$NINE") != "$first" ]]
	make_media 0 "$BATS_FILE_TMPDIR/medium" 'standin-9 standin-8'
	offline 0 sh /mnt/medium/install.sh --kernel "$NINE" --porcelain
	diff <(printf '%s\n' "$first") <(tree "$NINE")
	offline 0 wgkmod remove --kernel "$NINE"
	diff <(printf '%s\n' "$before") <(tree "$NINE")
}

@test "another key: the new one is trusted, what the old one signed is refused from then on" {
	local keys=$BATS_TEST_TMPDIR/new
	trust
	run_cmd 0 minisign -G -f -W -p "$keys.pub" -s "$keys.key"
	offline 0 sh /mnt/medium/install.sh --kernel "$NINE"
	make_media 0 "$BATS_FILE_TMPDIR/medium" standin-9 SIGN_KEY="$keys.key" PUBLIC_KEY="$keys.pub"
	offline 4 sh /mnt/medium/install.sh --kernel "$NINE"
	cp "$keys.pub" "$ROOT/etc/wgkmod/keys.d/new.pub"
	rm "$ROOT/etc/wgkmod/keys.d/minisign.pub"
	offline 0 sh /mnt/medium/install.sh --kernel "$NINE"
	medium_back
	offline 4 sh /mnt/medium/install.sh --kernel "$NINE"
}

# medium_back: Put the first medium in again.
medium_back() {
	fusermount -u "$BATS_FILE_TMPDIR/medium"
	cp "$RPM_DIR/vfat" "$BATS_TEST_TMPDIR/vfat"
	medium "$BATS_TEST_TMPDIR/vfat" rw+
}

@test "a medium without the kernel, half written, damaged, or signed by nobody that is trusted is refused" {
	local bundle=$BATS_FILE_TMPDIR/medium/$NINE/wireguard-$NINE.tar before
	before=$(tree "$NINE")
	trust
	offline 3 sh /mnt/medium/install.sh --kernel 6.6.6-nobody
	assert_line "^install.sh: the medium has no bundle for the kernel 6.6.6-nobody; it has: .*$NINE"
	offline 3 sh /mnt/medium/install.sh --porcelain --kernel=6.6.6-nobody --dry-run
	assert_line '^install.sh: the medium has no bundle for the kernel 6.6.6-nobody;'
	offline 2 sh /mnt/medium/install.sh --porcelain --kernel
	assert_line '^install.sh: --kernel needs a release$'
	offline 3 sh /mnt/medium/install.sh # the running kernel is this machine's
	flip "$bundle" 4000
	offline 4 sh /mnt/medium/install.sh --kernel "$NINE"
	assert_line '^install.sh: the bundle is not what SHA256SUMS says: the medium is damaged$'
	sed -i "s/^[0-9a-f]*\(  .*wireguard-$NINE.tar\)$/$(sha256sum <"$bundle" | cut -c 1-64)\1/" \
		"$BATS_FILE_TMPDIR/medium/SHA256SUMS"
	offline 4 sh /mnt/medium/install.sh --kernel "$NINE"
	assert_line "^wgkmod: cannot install '.*\.minisig': it does not match the file"
	rm "$BATS_FILE_TMPDIR/medium/SHA256SUMS"
	offline 4 sh /mnt/medium/install.sh --kernel "$NINE"
	assert_line '^install.sh: the medium has no SHA256SUMS: it was not written to its end$'
	diff <(printf '%s\n' "$before") <(tree "$NINE")
}

@test "the medium's RPM repository works by file:// without network, and its signature is verified" {
	local line
	offline 0 rpm --import /mnt/medium/rpm/RPM-GPG-KEY-wgkmod-acme
	# the lines of the instructions, for a kernel that does not run
	line=$(sed -n '/^    dnf /,$p' "$ROOT_DIR/delivery/media/README.txt" |
		sed 's,/mnt/,/mnt/medium/,g; s,^ *dnf,dnf --assumeyes,')
	offline 0 bash -c "uname() { echo $NINE; }; $line"
	offline 0 rpm --verify "kmod-wireguard-$NINE"
	offline 0 wgkmod status --kernel "$NINE"
	assert_line "^$NINE: 4 modules$"
	sed -i 's,<revision>1<,<revision>2<,' "$BATS_FILE_TMPDIR/medium/rpm/repodata/repomd.xml"
	offline 1 bash -c "uname() { echo $NINE; }; ${line/--assumeyes/--assumeyes --refresh}"
	assert_line 'GPG|PGP'
}

@test "make media removes no file that is not the medium's, whatever the medium's list says" {
	local zero victim=$BATS_TEST_TMPDIR/victim
	zero=$(printf '0%.0s' {1..64})
	echo precious >"$victim"
	touch "$BATS_FILE_TMPDIR/medium/old.tar"
	printf '%s  %s\n' "$zero" "../../../../../../../../$victim" "$zero" /etc/hostname "$zero" old.tar \
		>>"$BATS_FILE_TMPDIR/medium/SHA256SUMS"
	make_media 0 "$BATS_FILE_TMPDIR/medium" 'standin-9 standin-8'
	assert -f "$victim"
	assert_absent "$BATS_FILE_TMPDIR/medium/old.tar"
}

@test "make media to a directory that cannot be written or is full says so and vouches for nothing" {
	local small=$BATS_TEST_TMPDIR/small
	mkdir "$small"
	mount -t tmpfs -o size=300k tmpfs "$small"
	make_media 2 "$small" standin-9
	umount "$small.copy" 2>/dev/null || rm -rf "$small.copy"
	cp -r "$small" "$small.copy"
	umount "$small"
	assert_line "^wgkmod: cannot write '$small/"
	assert_absent "$small.copy/SHA256SUMS"
	make_media 2 /proc/nowhere standin-9
	assert_line "^wgkmod: cannot create '/proc/nowhere'$"
	make_media 2 '' standin-9
	assert_line '^usage: make media DEST='
}
