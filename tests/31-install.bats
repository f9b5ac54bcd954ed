#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod install and status, into fake roots, with the real depmod.

load helpers
load modules
load sweep/tools

setup_file() {
	modules_setup
	tools_setup
}

setup() {
	host_make
	MODULES=$ROOT/lib/modules/$RELEASE
	STATE=$ROOT/var/lib/wgkmod/$RELEASE/installed
	before=$(tree_print "$ROOT")
}

unchanged() {
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT")
}

# Refused with STATUS, a line that matches, and nothing written.
refused() { # STATUS REGEX
	install_it "$1"
	assert_line "$2"
	unchanged
}

installed() {
	local module
	for module in "${SET[@]}"; do
		cmp "$PAYLOAD/modules/kernel/$module.ko" "$MODULES/kernel/$module.ko"
		grep -q "^kernel/$module.ko:" "$MODULES/modules.dep"
	done
	(cd "$MODULES" && sha256sum --check --quiet "$STATE")
	[ "$(wc -l <"$STATE")" -eq "${#SET[@]}" ]
	[ -z "$(find "$ROOT" -name '.*')" ]
}

# A program of this name and these lines comes first in PATH.
fake_program() { # NAME LINES
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\n%s\n' "$2" >"$BATS_TEST_TMPDIR/bin/$1"
	chmod +x "$BATS_TEST_TMPDIR/bin/$1"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# The payload of an upgrade: one module changed, one gone.
payload_next() {
	modinfo_sed "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" \
		's/^description=.*/description=another/'
	rm "$PAYLOAD/modules/kernel/lib/crypto/libcurve25519.ko"
	payload_sums "$PAYLOAD"
}

@test "a set is installed: the files, the indexes, the state" {
	local after lost
	install_it 0
	assert_line "^wgkmod: 12 modules for $RELEASE installed: [0-9]+ symbol versions equal$"
	installed
	# Of what was there, only the indexes changed.
	after=$(tree_print "$ROOT" | LC_ALL=C sort)
	lost=$(LC_ALL=C comm -23 <(LC_ALL=C sort <<<"$before") <(printf '%s\n' "$after"))
	[ -z "$(sed '/ modules\.\|\/modules\./d' <<<"$lost")" ]
	run_cmd 0 modprobe -d "$ROOT" -S "$RELEASE" --show-depends wireguard
	assert_line "/libchacha20poly1305.ko"
}

@test "without a symbol table on the host, it says what is left to the kernel" {
	local all own modules
	install_it 0
	mapfile -t modules < <(find "$PAYLOAD" -name '*.ko')
	all=$(versions_count "${modules[@]}")
	own=$(sed -n 's/.* installed: \([0-9]*\) symbol versions equal$/\1/p' <<<"$output")
	assert_line "^wgkmod: $((all - own)) symbol versions could not be checked: .* the kernel checks them"
}

@test "the same set again: it says so and writes nothing" {
	local first
	install_it 0
	first=$(tree_print "$ROOT" times)
	install_it 0
	assert_line "^wgkmod: 12 modules for $RELEASE are installed already"
	diff <(printf '%s\n' "$first") <(tree_print "$ROOT" times)
}

@test "modes do not depend on the umask" {
	umask 077
	install_it 0
	[ "$(stat -c %a "$MODULES/kernel/drivers/net/wireguard/wireguard.ko")" = 644 ]
	[ "$(stat -c %a "$MODULES/kernel/drivers/net/wireguard")" = 755 ]
	[ "$(stat -c %a "$STATE" "${STATE%/*}")" = $'644\n755' ]
}

@test "a root without var gets one" {
	rm -r "${ROOT:?}/var"
	install_it 0
	installed
}

@test "the host's symbol table is found at each of its places, and counts" {
	local place
	for place in "lib/modules/$RELEASE/symvers" "boot/symvers-$RELEASE" \
		"usr/src/headers/Module.symvers"; do
		rm -rf "$ROOT"
		root_make "$ROOT"
		mkdir -p "$ROOT/boot" "$ROOT/usr/src/headers"
		# As packaged: absolute, which is below the root all the same.
		ln -s /usr/src/headers "$MODULES/build"
		sed 's/^0x........\tskb_push\t/0x12345678\tskb_push\t/' "$BARE" >"$ROOT/$place"
		before=$(tree_print "$ROOT")
		refused 3 "^wgkmod: cannot install '.*/wireguard.ko': version of 'skb_push' is 0x[0-9a-f]{8}, but 0x12345678 in 'vmlinux'$"
		cp "$BARE" "$ROOT/$place"
		install_it 0
		refute_line "could not be checked"
	done
}

@test "a packed symbol table of the host is read as well" {
	local place pack
	for place in "lib/modules/$RELEASE/symvers.gz" "lib/modules/$RELEASE/symvers.xz" \
		"boot/symvers-$RELEASE.gz" "boot/symvers-$RELEASE.xz"; do
		rm -rf "$ROOT"
		root_make "$ROOT"
		mkdir -p "$ROOT/boot"
		pack=(gzip -c)
		[[ $place != *.xz ]] || pack=(xz -c --check=crc32)
		sed 's/^0x........\tskb_push\t/0x12345678\tskb_push\t/' "$BARE" | "${pack[@]}" >"$ROOT/$place"
		before=$(tree_print "$ROOT")
		refused 3 "version of 'skb_push' is 0x[0-9a-f]{8}, but 0x12345678 in 'vmlinux'$"
		"${pack[@]}" "$BARE" | head -c 2000 >"$ROOT/$place"
		before=$(tree_print "$ROOT")
		refused 3 "^wgkmod: cannot install '$ROOT/$place': (it cannot be unpacked: |line 1)"
		"${pack[@]}" "$BARE" >"$ROOT/$place"
		install_it 0
		refute_line "could not be checked"
	done
}

@test "a malformed symbol table of the host is a refusal" {
	echo nonsense >"$MODULES/symvers"
	before=$(tree_print "$ROOT")
	refused 3 "^wgkmod: cannot install '$MODULES/symvers': line 1: not 4 or 5 columns$"
}

@test "--symvers goes before the host's own table" {
	echo nonsense >"$MODULES/symvers"
	run_cmd 0 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" --symvers "$BARE" "$PAYLOAD"
	refute_line "could not be checked"
	installed
}

@test "what does not fit is refused" {
	modinfo_sed "$PAYLOAD/modules/kernel/lib/crypto/libchacha.ko" '/^vermagic=/s/ SMP / SMP preempt /'
	payload_sums "$PAYLOAD"
	refused 3 "^wgkmod: cannot install 'modules/kernel/lib/crypto/libchacha.ko': its vermagic '.*' is not the kernel's"
}

@test "a set whose own versions differ is refused, without any symbol table" {
	crc_change "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" udp_sock_create4
	payload_sums "$PAYLOAD"
	refused 3 "wireguard.ko': version of 'udp_sock_create4' is 0xffffffff, but"
}

@test "another kernel's folder, or none, is refused" {
	run_cmd 1 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel 5.10.0-33-amd64 "$PAYLOAD"
	assert_line "^wgkmod: cannot install '5.10.0-33-amd64': .*/lib/modules/5.10.0-33-amd64: No such file"
	mv "$MODULES" "$ROOT/lib/modules/5.10.0-33-amd64"
	before=$(tree_print "$ROOT")
	run_cmd 3 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel 5.10.0-33-amd64 "$PAYLOAD"
	assert_line "its vermagic '.*' is not of 5.10.0-33-amd64$"
	unchanged
}

@test "a changed module is not trusted" {
	poke "$PAYLOAD/modules/kernel/lib/crypto/libchacha.ko" 5000 X
	refused 4 "^wgkmod: cannot install 'modules/kernel/lib/crypto/libchacha.ko': its digest is not the one in SHA256SUMS$"
}

@test "a module that SHA256SUMS names and that is not there is refused" {
	rm "$PAYLOAD/modules/kernel/lib/crypto/libchacha.ko"
	refused 4 "^wgkmod: cannot install 'modules/kernel/lib/crypto/libchacha.ko': No such file or directory$"
}

@test "a module that is no module is damaged" {
	echo text >"$PAYLOAD/modules/kernel/lib/crypto/libchacha.ko"
	payload_sums "$PAYLOAD"
	refused 4 "libchacha.ko': not an ELF file"
}

@test "a module, or a folder, that is a link is refused, whatever it points to" {
	local file=$PAYLOAD/modules/kernel/lib/crypto/libchacha.ko
	mv "$file" "$BATS_TEST_TMPDIR/moved.ko"
	ln -s "$BATS_TEST_TMPDIR/moved.ko" "$file"
	refused 4 "libchacha.ko': it is, or lies behind, a link$"
	rm "$file"
	mv "$BATS_TEST_TMPDIR/moved.ko" "$file"
	mv "$PAYLOAD/modules/kernel/lib" "$BATS_TEST_TMPDIR/lib"
	ln -s "$BATS_TEST_TMPDIR/lib" "$PAYLOAD/modules/kernel/lib"
	refused 4 "libchacha.ko': it is, or lies behind, a link$"
}

@test "no SHA256SUMS, an empty one, a link, a pipe: refused" {
	local sums=$PAYLOAD/SHA256SUMS
	mv "$sums" "$sums.old"
	refused 4 "^wgkmod: cannot install '$sums': No such file or directory$"
	: >"$sums"
	refused 4 "^wgkmod: cannot install '$PAYLOAD': SHA256SUMS names no module$"
	rm "$sums"
	ln -s SHA256SUMS.old "$sums"
	refused 4 "^wgkmod: cannot install '$sums': it is, or lies behind, a link$"
	rm "$sums"
	mkfifo "$sums"
	refused 4 "^wgkmod: cannot install '$sums': not a regular file$"
}

@test "hostile names below modules/ are refused, each named" {
	local name digest
	digest=$(sha256sum <"$PAYLOAD/explain.txt" | cut -d' ' -f1)
	cp "$PAYLOAD/SHA256SUMS" "$BATS_TEST_TMPDIR/sums"
	while IFS= read -r name; do
		cp "$BATS_TEST_TMPDIR/sums" "$PAYLOAD/SHA256SUMS"
		printf '%s  %s\n' "$digest" "$name" >>"$PAYLOAD/SHA256SUMS"
		refused 4 "^wgkmod: cannot install '$PAYLOAD': SHA256SUMS names 'modules/"
	done <<-NAMES
		modules/../escape.ko
		modules/kernel/../../escape.ko
		modules/kernel/lib/./dot.ko
		modules//kernel/empty.ko
		modules/kernel//empty.ko
		modules/kernel/.hidden.ko
		modules/kernel/.hidden/x.ko
		modules//etc/absolute.ko
		modules/extra/elsewhere.ko
		modules/modules.dep
		modules/kernel/compressed.ko.xz
		modules/kernel/no-suffix
		modules/kernel/.ko
		modules/kernel/folder.ko/
		modules/kernel/with space.ko
		modules/kernel/with\\backslash.ko
		modules/kernel/\$(touch x).ko
		modules/kernel/$(printf '%0201d' 0).ko
		modules/kernel/$(printf 'a/%.0s' {1..600})long.ko
	NAMES
}

@test "a malformed SHA256SUMS is refused, naming the line" {
	local line digest
	digest=$(sha256sum <"$PAYLOAD/explain.txt" | cut -d' ' -f1)
	cp "$PAYLOAD/SHA256SUMS" "$BATS_TEST_TMPDIR/sums"
	while IFS= read -r line; do
		sed '2s|.*|'"$line"'|' "$BATS_TEST_TMPDIR/sums" >"$PAYLOAD/SHA256SUMS"
		refused 4 "^wgkmod: cannot install '$PAYLOAD/SHA256SUMS': line 2: "
	done <<-LINES

		${digest%?}  explain.txt
		${digest}0  explain.txt
		${digest^^}  explain.txt
		$digest explain.txt
		$digest  
		$digest  bell$(printf '\a')
		$digest  high$(printf '\303\251')
		\\\\$digest  explain.txt
		SHA256 (explain.txt) = $digest
	LINES
	head -c -1 "$BATS_TEST_TMPDIR/sums" >"$PAYLOAD/SHA256SUMS"
	refused 4 "no newline, the file was cut short$"
}

@test "a module that SHA256SUMS lists twice is refused" {
	grep wireguard.ko$ "$PAYLOAD/SHA256SUMS" >>"$PAYLOAD/SHA256SUMS.more"
	cat "$PAYLOAD/SHA256SUMS.more" >>"$PAYLOAD/SHA256SUMS"
	refused 4 "^wgkmod: cannot install '$PAYLOAD/SHA256SUMS': it lists '.*wireguard.ko' twice$"
}

@test "a file in the way that is not ours is never overwritten" {
	echo foreign >"$MODULES/kernel/net/ipv4/udp_tunnel.ko"
	before=$(tree_print "$ROOT")
	refused 1 "^wgkmod: cannot install 'kernel/net/ipv4/udp_tunnel.ko': it is there, and not from wgkmod"
	ln -sf /etc/passwd "$MODULES/kernel/net/ipv4/udp_tunnel.ko"
	before=$(tree_print "$ROOT")
	refused 1 "^wgkmod: cannot install 'kernel/net/ipv4/udp_tunnel.ko': it is there, and not from wgkmod"
}

@test "a file of ours that somebody changed is not overwritten" {
	install_it 0
	echo more >>"$MODULES/kernel/net/ipv4/udp_tunnel.ko"
	before=$(tree_print "$ROOT")
	refused 1 "^wgkmod: cannot install 'kernel/net/ipv4/udp_tunnel.ko': it was changed since"
	# Nor when an upgrade would take it away.
	rm "$PAYLOAD/modules/kernel/net/ipv4/udp_tunnel.ko"
	payload_sums "$PAYLOAD"
	refused 1 "udp_tunnel.ko': it was changed since"
}

@test "a module of the same name that the kernel has elsewhere is in the way" {
	mkdir "$MODULES/updates"
	xz --check=crc32 <"$STOCK/kernel/net/ipv4/udp_tunnel.ko" >"$MODULES/updates/udp_tunnel.ko.xz"
	depmod -b "$ROOT" "$RELEASE"
	before=$(tree_print "$ROOT")
	refused 1 "^wgkmod: cannot install 'updates/udp_tunnel.ko.xz': the kernel has this module"
	# One that is only listed is not.
	rm "$MODULES/updates/udp_tunnel.ko.xz"
	install_it 0
	installed
}

@test "an upgrade replaces what changed and removes what is gone" {
	install_it 0
	payload_next
	install_it 0
	assert_line "^wgkmod: 11 modules for $RELEASE installed"
	cmp "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" \
		"$MODULES/kernel/drivers/net/wireguard/wireguard.ko"
	[ "$(wc -l <"$STATE")" -eq 11 ]
	(cd "$MODULES" && sha256sum --check --quiet "$STATE")
	[ -z "$(find "$ROOT" -name 'libcurve25519.ko' -o -name '.*')" ]
	run_cmd 1 grep libcurve25519.ko: "$MODULES/modules.dep"
}

@test "an upgrade forgets what is gone from the set and from the disk" {
	install_it 0
	rm "$PAYLOAD/modules/kernel/lib/crypto/libcurve25519.ko"
	rm "$MODULES/kernel/lib/crypto/libcurve25519.ko"
	payload_sums "$PAYLOAD"
	install_it 0
	[ "$(wc -l <"$STATE")" -eq 11 ]
	status_it 0
}

@test "a file of ours that is missing comes back" {
	install_it 0
	rm "$MODULES/kernel/net/ipv4/udp_tunnel.ko"
	install_it 0
	assert_line "modules for $RELEASE installed: "
	installed
}

@test "indexes that lost our modules are made again" {
	install_it 0
	sed -i '/wireguard.ko:/d' "$MODULES/modules.dep"
	install_it 0
	installed
}

@test "when depmod fails, everything is taken back" {
	fake_program depmod 'exit 1'
	refused 1 "^wgkmod: cannot install '$MODULES': depmod failed with status 1$"
}

@test "when depmod fails during an upgrade, the old set is there again" {
	install_it 0
	payload_next
	before=$(tree_print "$ROOT")
	fake_program depmod 'exit 1'
	refused 1 "^wgkmod: cannot install '$MODULES': depmod failed with status 1$"
}

@test "when depmod spoils the indexes and fails, those of the kernel are as before" {
	# It writes into what is there, as busybox's does.
	# shellcheck disable=SC2016 # that shell expands
	fake_program depmod 'for index in "$2/lib/modules/$3"/modules.*; do : >"$index"; done; exit 1'
	refused 1 "depmod failed with status 1$"
}

@test "when depmod is killed, everything is taken back" {
	fake_program depmod 'kill -9 $$'
	refused 1 "depmod was killed by signal 9$"
}

@test "when depmod exits with 0 having written nothing, everything is taken back" {
	fake_program depmod 'exit 0'
	refused 1 "^wgkmod: cannot install '$MODULES': depmod wrote nothing$"
}

@test "when depmod reports an error and exits with 0, everything is taken back" {
	fake_program depmod "$(command -v depmod) \"\$@\" && echo 'depmod: ERROR: failed to load symbols from x.ko: Input/output error' >&2"
	refused 1 "^wgkmod: cannot install '$MODULES': depmod says: ERROR: failed to load symbols from x.ko: Input/output error$"
}

@test "what depmod says of a file that is no module is passed on, and is no error" {
	fake_program depmod "$(command -v depmod) \"\$@\" && echo 'depmod: ERROR: failed to load symbols from x.ko: Exec format error' >&2"
	install_it 0
	assert_line '^depmod: ERROR: failed to load symbols from x.ko: Exec format error$'
}

@test "when depmod does not list our modules, everything is taken back" {
	fake_program depmod "$(command -v depmod) \"\$@\" && cp '$MODULES/modules.dep' \"\$2/lib/modules/\$3/\""
	refused 1 "^wgkmod: cannot install '$MODULES': depmod did not list all modules$"
}

@test "when the state cannot be written, everything is taken back, the indexes too" {
	touch "$ROOT/var/lib/wgkmod"
	before=$(tree_print "$ROOT")
	install_it 1
	assert_line "^wgkmod: cannot install '$RELEASE': "
	unchanged
}

@test "when nobody reads the messages, everything is taken back all the same" {
	fake_program depmod 'sleep 0.3; exit 1'
	run_cmd 0 bash -c '"$@" 2>&1 | true' - \
		"$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
	unchanged
}

@test "a signal waits until the install is done" {
	fake_program depmod "kill -TERM \$PPID; sleep 0.3; exec $(command -v depmod) \"\$@\""
	install_it 143
	installed
}

@test "an index that an older depmod leaves empty is no damage, and the one that was there stays" {
	cp "$MODULES/modules.builtin.bin" "$BATS_TEST_TMPDIR/alias.bin" # any whole index
	cp "$BATS_TEST_TMPDIR/alias.bin" "$MODULES/modules.builtin.alias.bin"
	fake_program depmod "$(command -v depmod) \"\$@\" && : >\"\$2/lib/modules/\$3/modules.builtin.alias.bin\""
	run_cmd 0 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
	cmp "$BATS_TEST_TMPDIR/alias.bin" "$MODULES/modules.builtin.alias.bin"
}

@test "when depmod leaves an index empty that modprobe needs, everything is taken back" {
	fake_program depmod "$(command -v depmod) \"\$@\" && : >\"\$2/lib/modules/\$3/modules.dep.bin\""
	refused 1 "^wgkmod: cannot install '$MODULES': depmod wrote a damaged modules.dep.bin$"
}

@test "a file that comes while depmod runs is not lost, and is indexed" {
	fake_program depmod "[ -e '$BATS_TEST_TMPDIR/once' ] || {
		touch '$BATS_TEST_TMPDIR/once'
		cp '$STOCK/kernel/lib/crypto/libchacha.ko' '$MODULES/kernel/crypto/came.ko'; }
		exec $(command -v depmod) \"\$@\""
	install_it 0
	assert_line "^wgkmod: $MODULES: somebody else is changing it: kernel/crypto"
	installed
	grep -q ^kernel/crypto/came.ko: "$MODULES/modules.dep"
}

@test "when it does not stop changing, it is left alone" {
	fake_program depmod "touch '$MODULES/kernel/crypto/came'; rm '$MODULES/kernel/crypto/came'
		exec $(command -v depmod) \"\$@\""
	refused 1 "^wgkmod: somebody else does not stop changing it; try again later$"
}

@test "a file that comes, changes, is renamed, or goes meanwhile: none is overlooked" {
	local file=$MODULES/kernel/crypto/adiantum.ko change real path=$PATH
	real=$(command -v depmod)
	for change in "chmod 600 $file" "mv $file $file.new" "rm $file" "touch $file" \
		"mv $file $file.x; cp -p $file.x $file; rm $file.x" "mkdir $MODULES/new" \
		"ln -s x $MODULES/link" "mv $MODULES $MODULES-; cp -a $MODULES- $MODULES"; do
		PATH=$path
		rm -rf "$ROOT" "$BATS_TEST_TMPDIR/once"
		root_make "$ROOT"
		fake_program depmod "[ -e '$BATS_TEST_TMPDIR/once' ] || {
			touch '$BATS_TEST_TMPDIR/once'; $change; }
			exec $real \"\$@\""
		install_it 0
		assert_line "^wgkmod: $MODULES: somebody else "
	done
}

@test "what would be in vain is refused before anything is written: builtin, blacklisted" {
	echo kernel/drivers/net/wireguard/wireguard.ko >>"$MODULES/modules.builtin"
	before=$(tree_print "$ROOT")
	refused 1 "^wgkmod: cannot install 'wireguard': $RELEASE has it built in"
	sed -i '$d' "$MODULES/modules.builtin"
	mkdir -p "$ROOT/etc/modprobe.d"
	echo 'blacklist wireguard' >"$ROOT/etc/modprobe.d/x.conf"
	before=$(tree_print "$ROOT")
	refused 1 "^wgkmod: cannot install 'wireguard': modprobe is told not to load it, by 'blacklist wireguard'"
	echo 'install udp-tunnel /bin/false' >"$ROOT/etc/modprobe.d/x.conf"
	before=$(tree_print "$ROOT")
	refused 1 "^wgkmod: cannot install 'udp_tunnel': modprobe is told not to load it, by 'install udp.tunnel'"
	echo 'blacklist other' >"$ROOT/etc/modprobe.d/x.conf"
	install_it 0
}

@test "a folder of modules that is itself a link, or mounted over, is refused" {
	mv "$MODULES" "$ROOT/lib/modules/real"
	ln -s real "$MODULES"
	before=$(tree_print "$ROOT")
	refused 1 "^wgkmod: cannot install '$RELEASE': $MODULES: it is a symbolic link, which cannot be exchanged"
	rm "$MODULES"
	mv "$ROOT/lib/modules/real" "$MODULES"
	before=$(tree_print "$ROOT")
	# shellcheck disable=SC2016 # the inner shell expands
	for place in "$MODULES" "$MODULES/kernel/crypto"; do
		run_cmd 1 unshare --map-root-user --mount sh -euc 'mount --bind "$1" "$1"
			exec "$2" install --allow-unsigned --root "$3" --kernel "$4" "$5"' - \
			"$place" "$WGKMOD" "$ROOT" "$RELEASE" "$PAYLOAD"
		assert_line "^wgkmod: cannot install '$MODULES': something is mounted on '$place'; unmount it first$"
		unchanged
	done
}

@test "a file system that is read-only, full, or cannot exchange is refused" {
	local how
	mkdir "$BATS_TEST_TMPDIR/fs"
	# shellcheck disable=SC2016 # the inner shell expands
	for how in ro:read-only size=4m:'full: [0-9]+ KiB are free' nr_inodes=130:'full|no inodes left'; do
		run_cmd 1 unshare --map-root-user --mount sh -euc '
			mount -t tmpfs none "$6"
			cp -a "$3/." "$6"
			mount -o "remount,$1" "$6"
			exec "$2" install --allow-unsigned --root "$6" --kernel "$4" "$5"' - \
			"${how%%:*}" "$WGKMOD" "$ROOT" "$RELEASE" "$PAYLOAD" "$BATS_TEST_TMPDIR/fs"
		assert_line "^wgkmod: cannot install '.*': its file system (is|has) (${how#*:})"
	done
}

@test "a file system that cannot exchange two folders is refused" {
	plain_only
	FAKE_NO_EXCHANGE=1 FAKE_RELEASE=x LD_PRELOAD=$TOOLS/preload refused 1 \
		"^wgkmod: cannot install '$RELEASE': its file system cannot exchange two folders: Invalid argument$"
}

@test "a depmod that hangs can be ended, and everything is taken back" {
	local status=0
	fake_program depmod 'exec sleep 100'
	# To the whole group, as ^C does.
	setsid "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD" 3>&- &
	until pgrep -g $! -x sleep >/dev/null; do sleep 0.05; done
	kill -TERM -- -$!
	wait $! || status=$?
	assert_equal "$status" 143
	unchanged
}

@test "depmod is found without sbin in PATH" {
	run_cmd 0 env PATH=/nonexistent "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
	installed
}

@test "a link that leads out of the root is refused" {
	mv "$ROOT/lib" "$BATS_TEST_TMPDIR/lib"
	ln -s "$BATS_TEST_TMPDIR/lib" "$ROOT/lib"
	before=$(tree_print "$ROOT")
	install_it 1
	assert_line "^wgkmod: cannot install '$RELEASE': "
	unchanged
	ln -sfn ../lib "$ROOT/lib"
	install_it 1
	assert_line "^wgkmod: cannot install '$RELEASE': "
	# Also where it would lead to a kernel's folder within the root as well.
	ln -sfn "$BATS_TEST_TMPDIR/lib" "$ROOT/lib"
	mkdir -p "$ROOT/$BATS_TEST_TMPDIR"
	cp -r "$BATS_TEST_TMPDIR/lib" "$ROOT/$BATS_TEST_TMPDIR/"
	install_it 1
	assert_line "^wgkmod: cannot install '$RELEASE': .*: a link leads out of $ROOT$"
	[ -z "$(find "$BATS_TEST_TMPDIR/lib" -name 'wireguard*')" ]
}

@test "a lib that is a link within the root is followed" {
	mkdir "$ROOT/usr"
	mv "$ROOT/lib" "$ROOT/usr/lib"
	ln -s usr/lib "$ROOT/lib"
	install_it 0
	installed
}

@test "a folder of modules that is a link is not followed" {
	mkdir "$BATS_TEST_TMPDIR/elsewhere"
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$MODULES/kernel/drivers"
	before=$(tree_print "$ROOT")
	refused 1 "wireguard.ko': "
	[ -z "$(ls -A "$BATS_TEST_TMPDIR/elsewhere")" ]
}

@test "one install waits for another" {
	run_cmd 124 flock "$ROOT/lib/modules" timeout 1 \
		"$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
	unchanged
	"$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD" &
	install_it 0
	wait $!
	installed
}

@test "a damaged state is not trusted" {
	install_it 0
	echo "$(sha256sum <"$STATE" | cut -d' ' -f1)  ../../../etc/passwd" >>"$STATE"
	before=$(tree_print "$ROOT")
	refused 4 "^wgkmod: cannot install '$RELEASE': $STATE: it names '../../../etc/passwd'"
	status_it 4
	assert_line "^wgkmod: cannot show '$RELEASE': $STATE: it names"
	echo nonsense >"$STATE"
	before=$(tree_print "$ROOT")
	refused 4 "^wgkmod: cannot install '$RELEASE': $STATE: line 1: "
}

@test "status: nothing installed is a sentence" {
	status_it 0
	[ "$output" = "wgkmod: nothing is installed" ]
	run_cmd 0 "$WGKMOD" status --root "$ROOT" --kernel "$RELEASE"
	[ "$output" = "wgkmod: nothing is installed for $RELEASE" ]
}

@test "status: what is installed and intact, for each kernel or for one" {
	install_it 0
	mkdir -p "$ROOT/lib/modules/5.10.0-33-amd64"
	status_it 0
	assert_line "^$RELEASE: 12 modules$"
	[ "$(grep -c '^  kernel/.*: intact$' <<<"$output")" -eq 12 ]
	run_cmd 0 "$WGKMOD" status --root "$ROOT" --kernel 5.10.0-33-amd64
	[ "$output" = "wgkmod: nothing is installed for 5.10.0-33-amd64" ]
}

@test "status: what was changed or is missing" {
	install_it 0
	echo >>"$MODULES/kernel/drivers/net/wireguard/wireguard.ko"
	rm "$MODULES/kernel/net/ipv4/udp_tunnel.ko"
	status_it 1
	assert_line "^  kernel/drivers/net/wireguard/wireguard.ko: changed$"
	assert_line "^  kernel/net/ipv4/udp_tunnel.ko: missing$"
	[ "$(grep -c ': intact$' <<<"$output")" -eq 10 ]
}

@test "status: a kernel that is gone" {
	install_it 0
	rm -r "$MODULES"
	status_it 1
	assert_line "'$RELEASE': $MODULES: No such file or directory$"
}

# What is in the running kernel is only known of the running system: wgkmod gets one of
# its own, where / is our root and /sys is ours. Nothing of the machine is in there.
status_inside() { # STATUS SRCVERSION-OF-LOADED-WIREGUARD|none
	local sys=$ROOT/sys/module/wireguard lib

	rm -rf "$ROOT/sys"
	mkdir -p "$ROOT/proc" "$ROOT/bin"
	if [ "$2" != none ]; then
		mkdir -p "$sys"
		echo live >"$sys/initstate"
		echo "$2" >"$sys/srcversion"
	fi
	cp "$WGKMOD" "$ROOT/bin/wgkmod"
	ldd "$WGKMOD" | grep -o '/[^ ]*' | sort -u | while read -r lib; do
		install -D "$lib" "$ROOT$lib"
	done
	run_cmd "$1" unshare --map-root-user --mount sh -c \
		'mount --rbind /proc "$1/proc" && exec chroot "$1" /bin/wgkmod status' - "$ROOT"
}

@test "status: whether our code, another, or none is loaded" {
	plain_only
	local source running
	running=$(uname -r)
	install_it 0
	mv "$MODULES" "$ROOT/lib/modules/$running"
	mv "${STATE%/*}" "$ROOT/var/lib/wgkmod/$running"
	source=$(modinfo -F srcversion "$STOCK/kernel/drivers/net/wireguard/wireguard.ko")

	status_inside 0 "$source"
	assert_line "/wireguard.ko: intact, loaded$"
	assert_line "/libchacha.ko: intact, not loaded$"
	status_inside 0 0123456789ABCDEF0123456
	assert_line "/wireguard.ko: intact, another one is loaded$"
	status_inside 0 none
	assert_line "/wireguard.ko: intact, not loaded$"
}
