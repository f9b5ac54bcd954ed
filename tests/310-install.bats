#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod install, into fake roots, with the real depmod.

# shellcheck disable=SC2034,SC2153 # before and MODULES are install.bash's

load lib/helpers
load lib/modules
load sweep/tools
load lib/install

@test "install writes the modules, the indexes and the state" {
	local after lost
	install_it 0
	assert_line "^wgkmod: 12 modules for $RELEASE installed: [0-9]+ symbol versions equal$"
	installed
	# Of what was there, only the indexes changed.
	after=$(tree_print "$ROOT" | LC_ALL=C sort)
	lost=$(LC_ALL=C comm -23 <(LC_ALL=C sort <<<"$before") <(printf '%s\n' "$after"))
	assert -z "$(sed '/ modules\.\|\/modules\./d' <<<"$lost")"
	run_cmd 0 modprobe -d "$ROOT" -S "$RELEASE" --show-depends wireguard
	assert_line "/libchacha20poly1305.ko"
}

@test "without a symbol table on the host, install says what it leaves to the kernel" {
	local all own modules
	install_it 0
	mapfile -t modules < <(find "$PAYLOAD" -name '*.ko')
	all=$(versions_count "${modules[@]}")
	own=$(sed -n 's/.* installed: \([0-9]*\) symbol versions equal$/\1/p' <<<"$output")
	assert_line "^wgkmod: $((all - own)) symbol versions could not be checked: .* the kernel checks them"
}

@test "a second install of the same bundle says so and writes nothing" {
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
	assert_equal "$(stat -c %a "$MODULES/kernel/drivers/net/wireguard/wireguard.ko")" 644
	assert_equal "$(stat -c %a "$MODULES/kernel/drivers/net/wireguard")" 755
	assert_equal "$(stat -c %a "$STATE" "${STATE%/*}")" $'644\n755'
}

@test "install needs no /var in the root, and makes none" {
	rm -r "${ROOT:?}/var"
	install_it 0
	installed
	assert_absent "$ROOT/var"
}

@test "the host's symbol table is found at each of its known paths, and used" {
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
		refused 3 "^wgkmod: cannot install '.*/wireguard.ko': version of 'skb_push' is 0x[0-9a-f]{8}, but 0x12345678 in" \
			"'vmlinux'$"
		cp "$BARE" "$ROOT/$place"
		install_it 0
		refute_line "could not be checked"
	done
}

@test "a compressed symbol table of the host is read" {
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

@test "install works for a kernel that ships no module, with --vermagic" {
	local file
	find "$MODULES/kernel" -name '*.ko' -delete
	depmod -b "$ROOT" "$RELEASE"
	before=$(tree_print "$ROOT")
	refused 1 "lists no module of the kernel's own: run 'depmod $RELEASE' first, or name its vermagic by --vermagic$"
	install_it 3 --vermagic "$RELEASE SMP preempt mod_unload modversions "
	run_cmd 0 "$WGKMOD" verify --allow-unsigned --root "$ROOT" --kernel "$RELEASE" --symvers "$BARE" \
		--vermagic "$VERMAGIC" "$PAYLOAD"
	install_it 0 --vermagic "$VERMAGIC"
	for file in "${SET[@]}"; do
		cmp "$PAYLOAD/modules/kernel/$file.ko" "$MODULES/kernel/$file.ko"
	done
}

@test "missing or empty indexes are status 1, and the message names depmod" {
	local what
	for what in "rm -f" "truncate -s 0"; do
		root_make "$ROOT"
		$what "$MODULES"/modules.*
		before=$(tree_print "$ROOT")
		refused 1 ": run 'depmod $RELEASE' first"
	done
}

@test "--symvers takes precedence over the host's own table" {
	echo nonsense >"$MODULES/symvers"
	run_cmd 0 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" --symvers "$BARE" "$PAYLOAD"
	refute_line "could not be checked"
	installed
}

@test "modules that do not fit are refused" {
	modinfo_sed "$PAYLOAD/modules/kernel/lib/crypto/libchacha.ko" '/^vermagic=/s/ SMP / SMP preempt /'
	payload_sums "$PAYLOAD"
	refused 3 "^wgkmod: cannot install 'modules/kernel/lib/crypto/libchacha.ko': its vermagic '.*' is not the kernel's"
}

@test "modules whose versions of each other differ are refused, without any symbol table" {
	crc_change "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" udp_sock_create4
	payload_sums "$PAYLOAD"
	refused 3 "wireguard.ko': version of 'udp_sock_create4' is 0xffffffff, but"
}

@test "a directory of another kernel, or a missing one, is refused" {
	run_cmd 1 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel 5.10.0-33-amd64 "$PAYLOAD"
	assert_line "^wgkmod: cannot install '5.10.0-33-amd64': .*/lib/modules/5.10.0-33-amd64: No such file"
	mv "$MODULES" "$ROOT/lib/modules/5.10.0-33-amd64"
	before=$(tree_print "$ROOT")
	run_cmd 3 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel 5.10.0-33-amd64 "$PAYLOAD"
	assert_line "its vermagic '.*' is not of 5.10.0-33-amd64$"
	unchanged
}

@test "a module that differs from its digest is refused" {
	poke "$PAYLOAD/modules/kernel/lib/crypto/libchacha.ko" 5000 X
	refused 4 "^wgkmod: cannot install 'modules/kernel/lib/crypto/libchacha.ko': its digest is not the one in SHA256SUMS$"
}

@test "a missing module that SHA256SUMS names is refused" {
	rm "$PAYLOAD/modules/kernel/lib/crypto/libchacha.ko"
	refused 4 "^wgkmod: cannot install 'modules/kernel/lib/crypto/libchacha.ko': No such file or directory$"
}

@test "a file that is not an ELF module is damaged" {
	echo text >"$PAYLOAD/modules/kernel/lib/crypto/libchacha.ko"
	payload_sums "$PAYLOAD"
	refused 4 "libchacha.ko': not an ELF file"
}

@test "a module, or a directory, that is a link is refused, whatever it points to" {
	local file=$PAYLOAD/modules/kernel/lib/crypto/libchacha.ko
	mv "$file" "$BATS_TEST_TMPDIR/moved.ko"
	ln -s "$BATS_TEST_TMPDIR/moved.ko" "$file"
	refused 4 "libchacha.ko': Too many levels of symbolic links$"
	rm "$file"
	mv "$BATS_TEST_TMPDIR/moved.ko" "$file"
	mv "$PAYLOAD/modules/kernel/lib" "$BATS_TEST_TMPDIR/lib"
	ln -s "$BATS_TEST_TMPDIR/lib" "$PAYLOAD/modules/kernel/lib"
	refused 4 "libchacha.ko': Too many levels of symbolic links$"
}

@test "SHA256SUMS that is missing, empty, a link or a pipe is refused" {
	local sums=$PAYLOAD/SHA256SUMS
	mv "$sums" "$sums.old"
	refused 4 "^wgkmod: cannot install '$sums': No such file or directory$"
	: >"$sums"
	refused 4 "^wgkmod: cannot install '$PAYLOAD': SHA256SUMS names no module$"
	rm "$sums"
	ln -s SHA256SUMS.old "$sums"
	refused 4 "^wgkmod: cannot install '$sums': it is a link: name the file itself$"
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
		modules/kernel/directory.ko/
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

@test "a module of the same name elsewhere in the tree is refused" {
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
	state_holds 11
	assert_equal "$(find "$ROOT" -name 'libcurve25519.ko' -o -name '.*')" "$MODULES/.wgkmod"
	run_cmd 1 grep libcurve25519.ko: "$MODULES/modules.dep"
}

@test "an upgrade drops a file that is neither in the bundle nor on the disk any more" {
	install_it 0
	rm "$PAYLOAD/modules/kernel/lib/crypto/libcurve25519.ko"
	rm "$MODULES/kernel/lib/crypto/libcurve25519.ko"
	payload_sums "$PAYLOAD"
	install_it 0
	state_holds 11
	status_it 0
}

@test "an install restores a missing file of ours" {
	install_it 0
	rm "$MODULES/kernel/net/ipv4/udp_tunnel.ko"
	install_it 0
	assert_line "modules for $RELEASE installed: "
	installed
}

@test "an install makes indexes again that lost our modules or were damaged" {
	local how
	cp "$MODULES/modules.dep.bin" "$BATS_TEST_TMPDIR/stale"
	install_it 0
	for how in "sed -i /wireguard.ko:/d modules.dep" "cp $BATS_TEST_TMPDIR/stale modules.dep.bin" \
		"truncate -s 0 modules.dep.bin" "truncate -s 0 modules.alias.bin" "rm modules.alias.bin"; do
		(cd "$MODULES" && $how)
		install_it 0
		assert_line " installed: "
		installed
		modprobe -d "$ROOT" -S "$RELEASE" --show-depends wireguard >/dev/null
	done
}

@test "an install that could have no effect is refused before the first write: builtin, blacklisted" {
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
	refused 1 "^wgkmod: cannot install 'udp_tunnel': modprobe is told to run a command instead, by 'install udp.tunnel'"
	echo 'alias wireguard off' >"$ROOT/etc/modprobe.d/x.conf"
	before=$(tree_print "$ROOT")
	refused 1 "^wgkmod: cannot install 'wireguard': modprobe is told to load another instead, by 'alias wireguard off'"
	echo 'blacklist other' >"$ROOT/etc/modprobe.d/x.conf"
	install_it 0
}

@test "a directory of modules that is itself a link, or mounted over, is refused" {
	mv "$MODULES" "$ROOT/lib/modules/real"
	ln -s real "$MODULES"
	before=$(tree_print "$ROOT")
	refused 1 "^wgkmod: cannot install '$RELEASE': $MODULES: it is a symbolic link, which cannot be exchanged"
	rm "$MODULES"
	mv "$ROOT/lib/modules/real" "$MODULES"
	before=$(tree_print "$ROOT")
	for place in "$MODULES/kernel" "$MODULES/kernel/crypto"; do
		run_cmd 1 unshare --map-root-user --mount sh -euc 'mount --bind "$1" "$1"
			exec "$2" install --allow-unsigned --root "$3" --kernel "$4" "$5"' - \
			"$place" "$WGKMOD" "$ROOT" "$RELEASE" "$PAYLOAD"
		assert_line "^wgkmod: cannot install '$MODULES': something is mounted on '$place'; unmount it first$"
		unchanged
	done
}

# on_tmpfs STATUS OPTION: installs on a tmpfs with the root, which is remounted with the option.
on_tmpfs() {
	mkdir -p "$BATS_TEST_TMPDIR/fs"
	run_cmd "$1" unshare --map-root-user --mount sh -euc '
		mount -t tmpfs none "$6"
		cp -a "$3/." "$6"
		find "$6" | sort >"$6.before"
		mount -o "remount,$1" none "$6" # without the source, only root can
		status=0
		"$2" install --allow-unsigned --root "$6" --kernel "$4" "$5" || status=$?
		find "$6" | sort >"$6.after"
		exit $status' - \
		"$2" "$WGKMOD" "$ROOT" "$RELEASE" "$PAYLOAD" "$BATS_TEST_TMPDIR/fs"
}

@test "a file system that is read-only or full is refused beforehand" {
	local how there clone
	there=$(find "$ROOT" | wc -l)
	clone=$(find "$MODULES" | wc -l)
	for how in ro:'is read-only' size=4m:'is full: [0-9]+ KiB are free, [0-9]+ needed' \
		nr_inodes=$((there + 10)):'has too few inodes left: [0-9]+ are free, [0-9]+ needed' \
		nr_inodes=$((there + 63 + clone)):"has too few inodes left: $((63 + clone)) are free, $((64 + clone)) needed"; do
		on_tmpfs 1 "${how%%:*}"
		assert_line "^wgkmod: cannot install '.*': its file system ${how#*:}$"
		diff "$BATS_TEST_TMPDIR/fs.before" "$BATS_TEST_TMPDIR/fs.after"
	done
	# What is asked for is enough.
	on_tmpfs 0 "nr_inodes=$((there + 64 + clone))"
}

@test "a file system that cannot exchange two directories is refused" {
	plain_only
	FAKE_NO_EXCHANGE=1 FAKE_RELEASE=x LD_PRELOAD=$TOOLS/preload refused 1 \
		"^wgkmod: cannot install '$RELEASE': its file system cannot exchange two directories: Invalid argument$"
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
	# Also where it would lead to a kernel's directory within the root as well.
	ln -sfn "$BATS_TEST_TMPDIR/lib" "$ROOT/lib"
	mkdir -p "$ROOT/$BATS_TEST_TMPDIR"
	cp -r "$BATS_TEST_TMPDIR/lib" "$ROOT/$BATS_TEST_TMPDIR/"
	install_it 1
	assert_line "^wgkmod: cannot install '$RELEASE': .*: a link leads out of $ROOT$"
	assert -z "$(find "$BATS_TEST_TMPDIR/lib" -name 'wireguard*')"
}

@test "a lib that is a link within the root is followed" {
	mkdir "$ROOT/usr"
	mv "$ROOT/lib" "$ROOT/usr/lib"
	ln -s usr/lib "$ROOT/lib"
	install_it 0
	installed
}

@test "a directory of modules that is a link is not followed" {
	mkdir "$BATS_TEST_TMPDIR/elsewhere"
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$MODULES/kernel/drivers"
	before=$(tree_print "$ROOT")
	refused 1 "wireguard.ko': "
	assert -z "$(ls -A "$BATS_TEST_TMPDIR/elsewhere")"
}

@test "a new directory that somebody replaces by a link is not followed: no other file changes mode, owner or time" {
	local name looks file=$BATS_TEST_TMPDIR/secret
	plain_only
	mkdir -m 711 "$MODULES/kernel/theirs"
	before=$(tree_print "$ROOT")
	printf 'secret\n' >"$file"
	chmod 600 "$file"
	looks=$(stat -c '%a %u %Y' "$file")
	# The first is made for the payload, the second is copied.
	for name in wireguard theirs; do
		FAKE_MADE_NAME=$name FAKE_MADE="cd '$ROOT/lib/modules/.wgkmod-$RELEASE' &&
			d=\$(find . -type d -name $name) && rmdir \"\$d\" && ln -s '$file' \"\$d\" && touch '$file.done'" \
			FAKE_RELEASE=x LD_PRELOAD=$TOOLS/preload refused 1 \
				"^wgkmod: cannot install '.*': .*(Too many levels of symbolic links|Not a directory)"
		rm "$file.done"
		assert_equal "$(stat -c '%a %u %Y' "$file")" "$looks"
	done
}

@test "a directory that its owner replaces by a link while it is cloned is not followed: no other file is linked" {
	local secret=$BATS_TEST_TMPDIR/elsewhere/adiantum.ko
	plain_only
	mkdir "$BATS_TEST_TMPDIR/elsewhere"
	install -D -m 600 "$STOCK/kernel/crypto/adiantum.ko" "$MODULES/kernel/theirs/adiantum.ko"
	install -m 600 /dev/null "$secret"
	FAKE_MADE_NAME=theirs FAKE_MADE="mv '$MODULES/kernel/theirs' '$MODULES/kernel/moved' &&
		ln -s '${secret%/*}' '$MODULES/kernel/theirs'" FAKE_RELEASE=x LD_PRELOAD=$TOOLS/preload \
		run_cmd 1 "$WGKMOD" install --allow-unsigned --kernel "$RELEASE" --root "$ROOT" "$PAYLOAD"
	assert_line "kernel/theirs/adiantum.ko: cannot be linked: Too many levels of symbolic links$"
	assert_equal "$(stat -c %h "$secret")" 1
}

@test "root refuses a directory that another user owns or may write to" {
	needs_root 'only root can give a directory away'
	local file
	for file in "$PAYLOAD" "$PAYLOAD/SHA256SUMS"; do
		chown 65534 "$file"
		refused 4 "^wgkmod: cannot install '$file': it belongs to user 65534, neither root nor the caller$"
		chown 0 "$file"
		chmod o+w "$file"
		refused 4 "^wgkmod: cannot install '$file': others than its owner may write to it: chmod go-w$"
		chmod o-w "$file"
	done
	install_it 0
}

@test "one install waits for another, and says so" {
	local seconds=1
	[[ -z ${MEMORY_CHECKED:-} ]] || seconds=20
	# By SIGKILL: of what another signal ends, valgrind says that it lost what it held.
	run_cmd 137 flock "$ROOT/lib/modules" timeout --signal=KILL "$seconds" \
		"$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
	assert_line "^wgkmod: waiting for another process, which has '$ROOT/lib/modules' locked$"
	unchanged
	"$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD" &
	install_it 0
	wait $!
	installed
}

@test "what somebody removed with its directory is installed again, and remove gives back the tree" {
	install_it 0
	rm -r "$MODULES/kernel/drivers/net/wireguard"
	install_it 0
	installed
	remove_it 0
	unchanged
}

# The standard output of a verb on the test's host; its sentences go to standard error.
porcelain() { # VERB [OPTION...] [OPERAND]
	run_cmd 0 "$BASH" -c '"$@" 2>/dev/null' - "$WGKMOD" "$1" --porcelain --root "$ROOT" --kernel "$RELEASE" "${@:2}"
}

@test "--porcelain says only whether the directory changed, or would change" {
	porcelain install --allow-unsigned --dry-run "$PAYLOAD"
	assert_equal "$output" $'result\t'"$RELEASE"$'\twould-change'
	unchanged
	porcelain install --allow-unsigned "$PAYLOAD"
	assert_equal "$output" $'result\t'"$RELEASE"$'\tchanged'
	installed
	for option in '' --dry-run; do
		porcelain install --allow-unsigned $option "$PAYLOAD"
		assert_equal "$output" $'result\t'"$RELEASE"$'\tunchanged'
	done
	payload_next
	porcelain install --allow-unsigned "$PAYLOAD"
	assert_equal "$output" $'result\t'"$RELEASE"$'\tchanged'
	porcelain remove --dry-run
	assert_equal "$output" $'result\t'"$RELEASE"$'\twould-change'
	porcelain remove
	assert_equal "$output" $'result\t'"$RELEASE"$'\tchanged'
	porcelain remove
	assert_equal "$output" $'result\t'"$RELEASE"$'\tunchanged'
}

@test "--porcelain prints no result of an install that failed" {
	mkdir -p "$MODULES/kernel/drivers/net/wireguard"
	touch "$MODULES/kernel/drivers/net/wireguard/wireguard.ko"
	run_cmd 0 "$BASH" -c '"$@" 2>/dev/null || echo "status $?"' - "$WGKMOD" install --porcelain --allow-unsigned \
		--root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
	assert_equal "$output" 'status 1'
}
