#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod remove, and install --replace, --dir and --dry-run, into fake roots: what there was
# comes back.

load lib/helpers
load lib/modules
load sweep/tools
load lib/install

# shellcheck disable=SC2034 # before is also install.bash's
setup() {
	host_make
	MODULES=$ROOT/lib/modules/$RELEASE
	before=$(looks "$ROOT")
}

looks() { # DIR
	"$TOOLS/look" -t "$1"
}

as_before() {
	diff <(printf '%s\n' "$before") <(looks "$ROOT")
}

@test "what was installed is removed: the tree is the one there was" {
	install_it 0
	remove_it 0
	assert_equal "$output" "wgkmod: 12 modules for $RELEASE removed"
	as_before
}

@test "nothing installed: remove says so and writes nothing" {
	remove_it 0
	assert_equal "$output" "wgkmod: nothing is installed for $RELEASE"
	as_before
}

# An access list: the owner rwx, user 1234 r-x, the group r-x, mask rwx, others r-x.
ACL=0200000001000700ffffffff02000500d204000004000500ffffffff10000700ffffffff20000500ffffffff

@test "owners, modes, attributes and access lists of directories are kept" {
	local directory=$MODULES/kernel/net/ipv4
	chmod 2750 "$directory"
	[[ $(id -u) -ne 0 ]] || chown 1234:2345 "$directory"
	"$TOOLS/look" -x user.test 612076616c7565 "$directory" "$MODULES" "$MODULES/kernel/crypto"
	"$TOOLS/look" -x system.posix_acl_default "$ACL" "$directory"
	"$TOOLS/look" -x system.posix_acl_access "$ACL" "$MODULES/kernel/crypto"
	before=$(looks "$ROOT")
	install_it 0
	diff <(grep -E '^./lib/modules/[^/]*(/kernel/crypto|/kernel/net/ipv4)? ' <<<"$before") \
		<(looks "$ROOT" | grep -E '^./lib/modules/[^/]*(/kernel/crypto|/kernel/net/ipv4)? ')
	remove_it 0
	as_before
}

@test "a default access list of the parent does not get into the kernel's directories" {
	"$TOOLS/look" -x system.posix_acl_default "$ACL" "$ROOT/lib/modules"
	before=$(looks "$ROOT")
	install_it 0
	remove_it 0
	# The indexes are new files, as after any depmod.
	diff <(grep -v /modules\\. <<<"$before") <(looks "$ROOT" | grep -v /modules\\.)
}

@test "an upgrade is removed as a whole" {
	install_it 0
	rm "$PAYLOAD/modules/kernel/lib/crypto/libcurve25519.ko"
	modinfo_sed "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" \
		's/^description=.*/description=another/'
	payload_sums "$PAYLOAD"
	install_it 0
	remove_it 0
	as_before
}

@test "--replace: what is in the way is replaced, and comes back" {
	local file=$MODULES/kernel/net/ipv4/udp_tunnel.ko inode
	echo foreign >"$file"
	chmod 640 "$file"
	touch -d '2001-02-03 04:05:06.789' "$file"
	"$TOOLS/look" -x user.test 6b657074 "$file"
	mkdir "$PAYLOAD/modules/kernel/crypto"
	ln -s /etc/passwd "$MODULES/kernel/crypto/libchacha.ko"
	mv "$PAYLOAD/modules/kernel/lib/crypto/libchacha.ko" "$PAYLOAD/modules/kernel/crypto/"
	payload_sums "$PAYLOAD"
	depmod -b "$ROOT" "$RELEASE"
	inode=$(stat -c %i "$file")
	before=$(looks "$ROOT")
	install_it 1
	assert_line "udp_tunnel.ko': it is there, and not from wgkmod; move it away first, or use --replace$"
	as_before
	install_it 0 --replace
	assert_line "^wgkmod: 2 files replaced; 'wgkmod remove' puts back what was there$"
	cmp "$PAYLOAD/modules/kernel/net/ipv4/udp_tunnel.ko" "$file"
	# Another run does not need the word, and does not lose what is kept.
	install_it 0
	remove_it 0
	as_before
	assert_equal "$(stat -c %i "$file")" "$inode"
}

@test "--replace: a file of ours that somebody changed comes back as that" {
	local file=$MODULES/kernel/net/ipv4/udp_tunnel.ko
	install_it 0
	rm "$file"
	echo theirs >"$file"
	install_it 0 --replace
	cmp "$PAYLOAD/modules/kernel/net/ipv4/udp_tunnel.ko" "$file"
	remove_it 0
	assert_equal "$(cat "$file")" theirs
}

@test "--replace: a module of the same name elsewhere goes, and comes back" {
	mkdir "$MODULES/updates"
	xz --check=crc32 <"$STOCK/kernel/net/ipv4/udp_tunnel.ko" >"$MODULES/updates/udp_tunnel.ko.xz"
	depmod -b "$ROOT" "$RELEASE"
	before=$(looks "$ROOT")
	install_it 0 --replace
	assert_absent "$MODULES/updates/udp_tunnel.ko.xz"
	remove_it 0
	as_before
}

@test "--replace: what an upgrade no longer has comes back with the upgrade" {
	local file=$MODULES/kernel/net/ipv4/udp_tunnel.ko
	cp "$STOCK/kernel/net/ipv4/udp_tunnel.ko" "$file"
	echo more >>"$file"
	depmod -b "$ROOT" "$RELEASE"
	before=$(looks "$ROOT")
	install_it 0 --replace
	rm "$PAYLOAD/modules/kernel/net/ipv4/udp_tunnel.ko"
	payload_sums "$PAYLOAD"
	install_it 0
	cmp <(cat "$STOCK/kernel/net/ipv4/udp_tunnel.ko" <(echo more)) "$file"
	assert_absent "$ROOT/var/lib/wgkmod/$RELEASE/replaced"
	remove_it 0
	as_before
}

@test "--replace: a directory in the way stays" {
	mkdir -p "$MODULES/kernel/net/ipv4/udp_tunnel.ko/x"
	before=$(looks "$ROOT")
	install_it 1 --replace
	assert_line "udp_tunnel.ko': it is a directory; move it away first$"
	as_before
}

@test "--replace: what is kept on another file system is a copy, and comes back with all" {
	local file=$MODULES/kernel/net/ipv4/udp_tunnel.ko
	needs_root 'to mount'
	echo foreign >"$file"
	chmod 640 "$file"
	touch -d '2001-02-03 04:05:06.789' "$file"
	depmod -b "$ROOT" "$RELEASE"
	before=$(looks "$ROOT")
	run_cmd 0 unshare --mount sh -euc 'mount -t tmpfs none "$1/var/lib"
		"$2" install --allow-unsigned --root "$1" --kernel "$3" --replace "$4"
		[ "$(stat -c %a "$1/var/lib/wgkmod/$3/replaced/kernel/net/ipv4/udp_tunnel.ko")" = 640 ]
		"$2" remove --root "$1" --kernel "$3"' - "$ROOT" "$WGKMOD" "$RELEASE" "$PAYLOAD"
	as_before
}

@test "what somebody changed since the install stays, and remove says so" {
	local file=$MODULES/kernel/net/ipv4/udp_tunnel.ko
	install_it 0
	rm "$file"
	echo theirs >"$file"
	remove_it 0
	assert_line "'kernel/net/ipv4/udp_tunnel.ko' was changed since wgkmod installed it, and stays$"
	assert_equal "$(cat "$file")" theirs
	assert_absent "$ROOT/var/lib/wgkmod"
	assert_absent "$MODULES/kernel/drivers/net/wireguard"
}

@test "what was replaced is not lost to who changed ours since: a later remove gives it back" {
	local file=$MODULES/kernel/net/ipv4/udp_tunnel.ko
	cp "$STOCK/kernel/lib/crypto/libchacha.ko" "$file"
	depmod -b "$ROOT" "$RELEASE"
	before=$(looks "$ROOT")
	install_it 0 --replace
	assert_line "1 file replaced; 'wgkmod remove' puts back what was there$"
	rm "$file"
	echo theirs >"$file"
	remove_it 0
	assert_line "'kernel/net/ipv4/udp_tunnel.ko' was changed since wgkmod installed it, and stays$"
	assert_line "the file that was replaced at 'kernel/net/ipv4/udp_tunnel.ko' is still kept: move away what is there now, and"
	assert_line "^wgkmod: 11 modules for $RELEASE removed$"
	run_cmd 0 "$WGKMOD" status --root "$ROOT"
	assert_line "^$RELEASE: 0 modules$"
	assert_line "^  kernel/net/ipv4/udp_tunnel.ko: replaced; "
	# Nothing is to be done until then, nor is there room for a second original.
	remove_it 1
	install_it 1 --replace
	assert_line "udp_tunnel.ko': it is there, and not from wgkmod, and an earlier file from there is still kept; move"
	assert_equal "$(cat "$file")" theirs
	# The same file once more, as a package's reinstallation puts it, is no second one.
	rm "$file"
	cp "$STOCK/kernel/lib/crypto/libchacha.ko" "$file"
	install_it 0 --replace
	remove_it 0
	assert_line "^wgkmod: 1 file that had been replaced put back$"
	diff <(sed '/udp_tunnel/s/ [0-9.]*$//' <<<"$before") <(looks "$ROOT" | sed '/udp_tunnel/s/ [0-9.]*$//')
}

@test "what was replaced comes back once the place is free" {
	local file=$MODULES/kernel/net/ipv4/udp_tunnel.ko
	cp "$STOCK/kernel/lib/crypto/libchacha.ko" "$file"
	depmod -b "$ROOT" "$RELEASE"
	before=$(looks "$ROOT")
	install_it 0 --replace
	rm "$file"
	echo theirs >"$file"
	remove_it 0
	rm "$file"
	remove_it 0
	assert_equal "$output" "wgkmod: 0 modules for $RELEASE removed"$'\n'"wgkmod: 1 file that had been replaced put back"
	as_before
}

@test "what is missing already is no hindrance" {
	install_it 0
	rm -r "$MODULES/kernel/drivers/net/wireguard"
	remove_it 0
	as_before
}

@test "a directory that was made for us and is used by others stays" {
	install_it 0
	echo x >"$MODULES/kernel/drivers/net/wireguard/note"
	remove_it 0
	assert_equal "$(ls "$MODULES/kernel/drivers/net/wireguard")" note
}

@test "a directory that was there and empty stays" {
	mkdir -p "$MODULES/kernel/drivers/net/wireguard"
	before=$(looks "$ROOT")
	install_it 0
	remove_it 0
	as_before
}

@test "the kernel's directory is gone: what is known of it goes as well" {
	install_it 0
	rm -r "$MODULES"
	remove_it 0 --dry-run
	assert_line "would forget $RELEASE"
	remove_it 0
	assert_equal "$output" "wgkmod: $RELEASE is forgotten: its directory is gone"
	assert_absent "$ROOT/var/lib/wgkmod"
	install_it 1
}

@test "the kernel's directory is gone, and something was replaced in it: that is not deleted" {
	local path=kernel/net/ipv4/udp_tunnel.ko kept=$ROOT/var/lib/wgkmod/$RELEASE/replaced
	mkdir -p "$MODULES/kernel/net/ipv4"
	cp "$STOCK/kernel/lib/crypto/libchacha.ko" "$MODULES/$path"
	install_it 0 --replace
	rm -r "$MODULES"
	remove_it 1
	assert_line "^wgkmod: cannot remove '$RELEASE': its directory is gone, and the files that were replaced in it are in '$kept': move them away first$"
	cmp "$kept/$path" "$STOCK/kernel/lib/crypto/libchacha.ko"
	mv "$kept" "$BATS_TEST_TMPDIR/"
	remove_it 0
	assert_equal "$output" "wgkmod: $RELEASE is forgotten: its directory is gone"
}

@test "owner, mode and attributes of the indexes are kept, and come back" {
	local rights
	"$TOOLS/look" -x user.test 612076616c7565 "$MODULES/modules.dep"
	chmod 600 "$MODULES/modules.alias"
	chmod 640 "$MODULES/modules.dep.bin"
	[[ $(id -u) -ne 0 ]] || chown 12:34 "$MODULES/modules.symbols"
	[[ $(id -u) -ne 0 ]] || "$TOOLS/look" -x security.test 6c6162656c "$MODULES/kernel" "$MODULES/modules.symbols"
	rights=$(stat -c '%n %a %u %g' "$MODULES"/modules.{dep,alias,dep.bin,symbols})
	before=$(looks "$ROOT")
	install_it 0
	diff <(printf '%s\n' "$rights") <(stat -c '%n %a %u %g' "$MODULES"/modules.{dep,alias,dep.bin,symbols})
	assert_equal "$(looks "$MODULES" | grep -c 'user.test')" 1
	remove_it 0
	as_before
}

@test "an index that was not there before is not there after" {
	rm "$MODULES/modules.symbols" "$MODULES/modules.devname"
	before=$(looks "$ROOT")
	install_it 0
	[ -s "$MODULES/modules.symbols" ]
	remove_it 0
	as_before
}

@test "--dir: they go to another directory, and another again" {
	install_it 0 --dir extra
	[ -z "$(find "$MODULES/kernel" -name wireguard.ko)" ]
	cmp "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" \
		"$MODULES/extra/drivers/net/wireguard/wireguard.ko"
	grep -q '^extra/drivers/net/wireguard/wireguard.ko:' "$MODULES/modules.dep"
	install_it 0 --dir updates/wg
	assert_absent "$MODULES/extra"
	[ -e "$MODULES/updates/wg/drivers/net/wireguard/wireguard.ko" ]
	install_it 0
	[ -e "$MODULES/kernel/drivers/net/wireguard/wireguard.ko" ]
	remove_it 0
	as_before
}

@test "out of a damaged state by hand, as the manual page says" {
	local path state=$ROOT/var/lib/wgkmod/$RELEASE
	cp "$MODULES/kernel/crypto/adiantum.ko" "$MODULES/kernel/net/ipv4/udp_tunnel.ko"
	depmod -b "$ROOT" "$RELEASE"
	before=$("$TOOLS/look" "$ROOT")
	install_it 0 --replace
	echo x >>"$state/installed"
	remove_it 4
	while read -r path; do rm "$MODULES/$path"; done < <(sed -n 's,^[0-9a-f]*  modules/,,p' "$PAYLOAD/SHA256SUMS")
	cp -a "$state/replaced/." "$MODULES/"
	rm -r "$state"
	rm -rf "$ROOT/var/lib/wgkmod/.$RELEASE".*
	find "$MODULES" -type d -empty -delete
	depmod -b "$ROOT" "$RELEASE"
	install_it 0 --replace
	remove_it 0
	diff <(printf '%s\n' "$before") <("$TOOLS/look" "$ROOT")
}

@test "--dir takes a directory below the kernel's, and nothing else" {
	local dir
	for dir in / /etc .. ../x a/../b .hidden 'a b' a//b a/ 'a~b' updates/a=b ''; do
		install_it 2 --dir "$dir"
	done
	as_before
}

@test "--dry-run says what would be done, and does nothing" {
	echo foreign >"$MODULES/kernel/net/ipv4/udp_tunnel.ko"
	before=$(looks "$ROOT")
	install_it 1 --dry-run
	install_it 0 --dry-run --replace
	assert_line "^wgkmod: would replace, and keep, 'kernel/net/ipv4/udp_tunnel.ko'$"
	assert_line "^wgkmod: would write 'kernel/drivers/net/wireguard/wireguard.ko'$"
	as_before
	install_it 0 --replace
	before=$(looks "$ROOT")
	remove_it 0 --dry-run
	assert_line "^wgkmod: would remove 'kernel/drivers/net/wireguard/wireguard.ko'$"
	assert_line "^wgkmod: would put back 'kernel/net/ipv4/udp_tunnel.ko'$"
	as_before
}

@test "when depmod fails, nothing is removed" {
	install_it 0
	before=$(looks "$ROOT")
	fake_program depmod 'exit 1'
	remove_it 1
	assert_line "^wgkmod: cannot remove '$MODULES': depmod failed with status 1$"
	as_before
}

@test "links in the kernel's directory lead where they led, and modules behind them are indexed" {
	mkdir -p "$ROOT/lib/modules/5.10.0-1-other/extra" "$MODULES/weak-updates"
	cp "$STOCK/kernel/lib/crypto/libchacha.ko" "$ROOT/lib/modules/5.10.0-1-other/extra/weak.ko"
	ln -s ../../5.10.0-1-other/extra/weak.ko "$MODULES/weak-updates/weak.ko"
	depmod -b "$ROOT" "$RELEASE"
	grep -q '^weak-updates/weak.ko:' "$MODULES/modules.dep"
	before=$(looks "$ROOT")
	install_it 0
	grep -q '^weak-updates/weak.ko:' "$MODULES/modules.dep"
	remove_it 0
	as_before
}

@test "a state that does not know the indexes there were is not trusted: they would go" {
	install_it 0
	before=$(looks "$ROOT")
	: >"$ROOT/var/lib/wgkmod/$RELEASE/indexes"
	remove_it 4
	assert_line "^wgkmod: cannot remove '$RELEASE': .*/indexes: it does not name modules.dep$"
	rm "$ROOT/var/lib/wgkmod/$RELEASE/indexes"
	remove_it 4
	[[ -s $MODULES/modules.dep ]]
}

@test "when depmod passes over a directory with what is given back, nothing is removed" {
	local file=$MODULES/updates/udp_tunnel.ko
	mkdir "${file%/*}"
	cp "$STOCK/kernel/net/ipv4/udp_tunnel.ko" "$file"
	depmod -b "$ROOT" "$RELEASE"
	install_it 0 --replace
	assert_absent "$file"
	fake_program depmod "mv \$2/lib/modules/\$3/updates \$2/hidden; $(command -v depmod) \"\$@\"; mv \$2/hidden \$2/lib/modules/\$3/updates"
	remove_it 1
	assert_line "^wgkmod: cannot remove '$MODULES': depmod left out updates/udp_tunnel.ko$"
	assert_absent "$file"
	rm "$BATS_TEST_TMPDIR/bin/depmod"
	remove_it 0
	grep -q '^updates/udp_tunnel.ko:' "$MODULES/modules.dep"
}

@test "--dir and --replace: a file of ours that somebody changed elsewhere goes, and comes back" {
	local file=$MODULES/kernel/drivers/net/wireguard/wireguard.ko
	install_it 0
	modinfo_sed "$file" 's/^description=.*/description=mine/'
	rm -f "$file".*
	cp "$file" "$BATS_TEST_TMPDIR/mine"
	install_it 1 --dir extra
	assert_line "wireguard.ko': it was changed since wgkmod installed it"
	install_it 0 --dir extra --replace
	assert_absent "$file"
	remove_it 0
	cmp "$file" "$BATS_TEST_TMPDIR/mine"
}
