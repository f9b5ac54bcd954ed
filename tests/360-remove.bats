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

@test "remove gives back the tree that was there" {
	install_it 0
	remove_it 0
	assert_equal "$output" "wgkmod: 12 modules for $RELEASE removed"
	as_before
}

@test "remove with nothing installed says so and writes nothing" {
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

@test "remove after an upgrade gives back the tree before the first install" {
	install_it 0
	rm "$PAYLOAD/modules/kernel/lib/crypto/libcurve25519.ko"
	modinfo_sed "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" \
		's/^description=.*/description=another/'
	payload_sums "$PAYLOAD"
	install_it 0
	remove_it 0
	as_before
}

@test "--replace: a file in the way is replaced, and comes back on remove" {
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

@test "--replace: a changed file of ours comes back changed" {
	local file=$MODULES/kernel/net/ipv4/udp_tunnel.ko
	install_it 0
	rm "$file"
	echo theirs >"$file"
	install_it 0 --replace
	cmp "$PAYLOAD/modules/kernel/net/ipv4/udp_tunnel.ko" "$file"
	remove_it 0
	assert_equal "$(cat "$file")" theirs
}

@test "--replace: a module of the same name elsewhere is moved away, and comes back" {
	mkdir "$MODULES/updates"
	xz --check=crc32 <"$STOCK/kernel/net/ipv4/udp_tunnel.ko" >"$MODULES/updates/udp_tunnel.ko.xz"
	depmod -b "$ROOT" "$RELEASE"
	before=$(looks "$ROOT")
	install_it 0 --replace
	assert_absent "$MODULES/updates/udp_tunnel.ko.xz"
	remove_it 0
	as_before
}

@test "--replace: an upgrade gives back a file that it no longer replaces" {
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
	assert_absent "$MODULES/.wgkmod/kept"
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

@test "a file that changed since the install stays, and remove says so" {
	local file=$MODULES/kernel/net/ipv4/udp_tunnel.ko
	install_it 0
	rm "$file"
	echo theirs >"$file"
	remove_it 0
	assert_line "'kernel/net/ipv4/udp_tunnel.ko' was changed since wgkmod installed it, and stays$"
	assert_equal "$(cat "$file")" theirs
	assert_absent "$MODULES/.wgkmod"
	assert_absent "$MODULES/kernel/drivers/net/wireguard"
}

@test "a replaced file survives a change of ours: a later remove gives it back" {
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
	assert_line "the file that was replaced at 'kernel/net/ipv4/udp_tunnel.ko' is still kept: move away what is there" \
		"now, and"
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

@test "a replaced file comes back once its path is free" {
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

@test "a missing file of ours does not stop remove" {
	install_it 0
	rm -r "$MODULES/kernel/drivers/net/wireguard"
	remove_it 0
	as_before
}

@test "a directory of ours that others use stays" {
	install_it 0
	echo x >"$MODULES/kernel/drivers/net/wireguard/note"
	remove_it 0
	assert_equal "$(ls "$MODULES/kernel/drivers/net/wireguard")" note
}

@test "an empty directory that was there before stays" {
	mkdir -p "$MODULES/kernel/drivers/net/wireguard"
	before=$(looks "$ROOT")
	install_it 0
	remove_it 0
	as_before
}

@test "a replaced file is kept in the kernel's directory, and depmod does not list it" {
	local path=kernel/net/ipv4/udp_tunnel.ko
	cp "$STOCK/kernel/lib/crypto/libchacha.ko" "$MODULES/$path"
	install_it 0 --replace
	cmp "$MODULES/.wgkmod/kept/$path.kept" "$STOCK/kernel/lib/crypto/libchacha.ko"
	depmod -b "$ROOT" "$RELEASE"
	run_cmd 1 grep -F .wgkmod "$MODULES/modules.dep"
}

@test "an error while a kept file is looked at is no damage: status 1; a kept file that is gone is: status 4" {
	plain_only
	local path=kernel/net/ipv4/udp_tunnel.ko
	local kept=.wgkmod/kept/$path.kept
	cp "$STOCK/kernel/lib/crypto/libchacha.ko" "$MODULES/$path"
	install_it 0 --replace
	run_cmd 1 strace -o /dev/null -P "$kept" -e inject=newfstatat:error=EIO \
		"$WGKMOD" remove --root "$ROOT" --kernel "$RELEASE"
	assert_line "^wgkmod: cannot remove '$RELEASE': $MODULES/.wgkmod/installed: it names '$kept': Input/output error$"
	rm "$MODULES/$kept"
	remove_it 4
	assert_line "it names '$kept': No such file or directory$"
}

@test "status names a kernel's directory that it cannot look into" {
	plain_only
	run_cmd 1 strace -o /dev/null -P "$RELEASE/.wgkmod" -e inject=faccessat2,newfstatat:error=EIO \
		"$WGKMOD" status --root "$ROOT"
	assert_line "its lib/modules/$RELEASE: Input/output error$"
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

@test "remove deletes an index that was not there before" {
	rm "$MODULES/modules.symbols" "$MODULES/modules.devname"
	before=$(looks "$ROOT")
	install_it 0
	assert -s "$MODULES/modules.symbols"
	remove_it 0
	as_before
}

@test "--dir moves the modules to another directory, and on to a third" {
	install_it 0 --dir extra
	assert -z "$(find "$MODULES/kernel" -name wireguard.ko)"
	cmp "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" \
		"$MODULES/extra/drivers/net/wireguard/wireguard.ko"
	grep -q '^extra/drivers/net/wireguard/wireguard.ko:' "$MODULES/modules.dep"
	install_it 0 --dir updates/wg
	assert_absent "$MODULES/extra"
	assert -e "$MODULES/updates/wg/drivers/net/wireguard/wireguard.ko"
	install_it 0
	assert -e "$MODULES/kernel/drivers/net/wireguard/wireguard.ko"
	remove_it 0
	as_before
}

@test "recovery from a damaged state by hand, as the manual page says" {
	local path state=$MODULES/.wgkmod
	cp "$MODULES/kernel/crypto/adiantum.ko" "$MODULES/kernel/net/ipv4/udp_tunnel.ko"
	depmod -b "$ROOT" "$RELEASE"
	before=$("$TOOLS/look" "$ROOT")
	install_it 0 --replace
	echo x >>"$state/installed"
	remove_it 4
	while read -r path; do rm "$MODULES/$path"; done < <(sed -n 's,^[0-9a-f]*  modules/,,p' "$PAYLOAD/SHA256SUMS")
	(cd "$state/kept" && find . -name '*.kept' | while read -r path; do mv "$path" "$MODULES/${path%.kept}"; done)
	rm -r "$state"
	find "$MODULES" -type d -empty -delete
	depmod -b "$ROOT" "$RELEASE"
	install_it 0 --replace
	remove_it 0
	diff <(printf '%s\n' "$before") <("$TOOLS/look" "$ROOT")
}

@test "--dir accepts only a directory below the kernel's" {
	local dir
	for dir in / /etc .. ../x a/../b .hidden 'a b' a//b a/ 'a~b' updates/a=b ''; do
		install_it 2 --dir "$dir"
	done
	as_before
}

@test "--dry-run prints what would be done, and writes nothing" {
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

@test "links in the kernel's directory are kept, and modules behind them are indexed" {
	mkdir -p "$ROOT/lib/modules/5.10.0-1-other/extra" "$MODULES/weak-updates"
	cp "$STOCK/kernel/crypto/adiantum.ko" "$ROOT/lib/modules/5.10.0-1-other/extra/weak.ko"
	ln -s ../../5.10.0-1-other/extra/weak.ko "$MODULES/weak-updates/weak.ko"
	depmod -b "$ROOT" "$RELEASE"
	grep -q '^weak-updates/weak.ko:' "$MODULES/modules.dep"
	before=$(looks "$ROOT")
	install_it 0
	grep -q '^weak-updates/weak.ko:' "$MODULES/modules.dep"
	remove_it 0
	as_before
}

@test "--dir and --replace: a changed file of ours elsewhere is moved away, and comes back" {
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

# old_state: of the state there is makes one as earlier versions had it, in var/lib/wgkmod.
old_state() {
	local old=$ROOT/var/lib/wgkmod/$RELEASE state=$MODULES/.wgkmod path
	mkdir -p "$old"
	sed -n 's/^file \([0-9a-f]*\) /\1  /p' "$state/installed" >"$old/installed"
	sed -n 's/^dir //p' "$state/installed" >"$old/folders"
	sed -n 's/^index //p' "$state/installed" >"$old/indexes"
	sed -n 's/^kept //p' "$state/installed" | while read -r path; do
		mkdir -p "$(dirname "$old/replaced/$path")"
		mv "$state/kept/$path.kept" "$old/replaced/$path"
	done
	rm -r "$state"
}

# old_install: an install with a replaced file and a replaced link, as an earlier version left it.
old_install() {
	local file=$MODULES/kernel/net/ipv4/udp_tunnel.ko
	mkdir -p "$MODULES/kernel/lib/crypto" "$ROOT/var/lib"
	cp -p "$MODULES/kernel/crypto/adiantum.ko" "$file"
	ln -s /etc/passwd "$MODULES/kernel/lib/crypto/libchacha.ko"
	depmod -b "$ROOT" "$RELEASE"
	before=$(looks "$ROOT")
	install_it 0 --replace
	cp -a "$MODULES" "$BATS_TEST_TMPDIR/new"
	old_state
}

@test "the state of an earlier version is read, and moved into the kernel's directory by the next install" {
	local old
	old_install
	old=$(looks "$ROOT")
	status_it 0
	assert_line "^$RELEASE: 12 modules$"
	assert_line "^  kernel/net/ipv4/udp_tunnel.ko: replaced; "
	install_it 0 --dry-run
	assert_line 'are installed already'
	remove_it 0 --dry-run
	assert_line "^wgkmod: would put back 'kernel/net/ipv4/udp_tunnel.ko'$"
	diff <(printf '%s\n' "$old") <(looks "$ROOT")
	install_it 0
	assert_line 'are installed already'
	diff <("$TOOLS/look" "$BATS_TEST_TMPDIR/new") <("$TOOLS/look" "$MODULES")
	assert_absent "$ROOT/var/lib/wgkmod"
	remove_it 0
	as_before
}

@test "remove works with the state of an earlier version alone" {
	old_install
	remove_it 0
	assert_line "^wgkmod: 2 files that had been replaced put back$"
	as_before
	assert_absent "$ROOT/var/lib/wgkmod"
}

@test "a replaced file on another file system is taken over as a copy" {
	needs_root 'to mount'
	old_install
	run_cmd 0 unshare --mount sh -euc 'cp -a "$1/var/lib/wgkmod" "$5"
		mount -t tmpfs none "$1/var/lib"
		cp -a "$5" "$1/var/lib/"
		"$2" install --allow-unsigned --root "$1" --kernel "$3" "$4"
		[ ! -e "$1/var/lib/wgkmod" ]' - "$ROOT" "$WGKMOD" "$RELEASE" "$PAYLOAD" "$BATS_TEST_TMPDIR/wgkmod"
	rm -r "$ROOT/var/lib/wgkmod"
	diff <("$TOOLS/look" "$BATS_TEST_TMPDIR/new") <("$TOOLS/look" "$MODULES")
	remove_it 0
	as_before
}

@test "the state in the kernel's directory takes precedence over one of an earlier version" {
	local old=$ROOT/var/lib/wgkmod
	install_it 0
	cp -a "$MODULES/.wgkmod" "$BATS_TEST_TMPDIR/state"
	old_state
	cp -a "$BATS_TEST_TMPDIR/state" "$MODULES/.wgkmod"
	sed -i '/wireguard.ko$/d' "$old/$RELEASE/installed"
	mkdir "$old/.$RELEASE.next" "$old/.$RELEASE.base"
	status_it 0
	assert_line "^$RELEASE: 12 modules$"
	remove_it 0
	as_before
	assert_absent "$old"
}

@test "a damaged or unfinished state of an earlier version is not trusted" {
	local old=$ROOT/var/lib/wgkmod/$RELEASE
	install_it 0
	old_state
	before=$(looks "$ROOT")
	cp "$old/installed" "$BATS_TEST_TMPDIR/"
	echo nonsense >>"$old/installed"
	remove_it 4
	assert_line "^wgkmod: cannot remove '$RELEASE': $old/installed: line 13: "
	status_it 4
	install_it 4
	cp "$BATS_TEST_TMPDIR/installed" "$old/installed"
	echo 'inode 1 born 2.000000003' >"${old%/*}/.$RELEASE.journal"
	remove_it 4
	assert_line "^wgkmod: cannot remove '$RELEASE': $old: a run of an earlier version was interrupted: let 'remove' of" \
		"that version finish it$"
	rm "${old%/*}/.$RELEASE.journal"
	: >"$old/indexes"
	remove_it 4
	assert_line "/indexes: it does not name modules.dep$"
	printf 'modules.dep\n' >"$old/indexes"
	mkdir -p "$old/replaced/kernel"
	install_it 0
	status_it 0
}

@test "a run killed while it takes over an earlier version's state leaves one of the two" {
	local n total step=27 copy=$BATS_TEST_TMPDIR/copy
	local run=("$WGKMOD" remove --root "$ROOT" --kernel "$RELEASE")
	[[ -z ${FULL:-} ]] || step=9
	old_install
	cp -a "$ROOT" "$copy"
	total=$("$TOOLS/sweep" count "${run[@]}" | sed -n 's/^all //p')
	# Of the calls, those between the lock and the clone are many more than those that move the state.
	for ((n = total / 6; n < total / 2; n += step)); do
		rm -rf "$ROOT"
		cp -a "$copy" "$ROOT"
		run_cmd 137 "$TOOLS/sweep" kill "$n" "${run[@]}"
		remove_it 0
		as_before
	done
}
