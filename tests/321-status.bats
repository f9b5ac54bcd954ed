#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod status.

load lib/helpers
load lib/modules
load sweep/tools
load lib/install

porcelain() { # STATUS: with blanks for tabs
	status_it "$1" --porcelain
	output=$(tr '\t' ' ' <<<"$output")
}

@test "status prints a sentence if nothing is installed" {
	status_it 0
	assert_equal "$output" "wgkmod: nothing is installed"
	run_cmd 0 "$WGKMOD" status --root "$ROOT" --kernel "$RELEASE"
	assert_equal "$output" "wgkmod: nothing is installed for $RELEASE"
}

@test "status of an intact install, for each kernel or for one" {
	install_it 0
	mkdir -p "$ROOT/lib/modules/5.10.0-33-amd64"
	status_it 0
	assert_line "^$RELEASE: 12 modules$"
	assert_equal "$(grep -c '^  kernel/.*: intact$' <<<"$output")" 12
	run_cmd 0 "$WGKMOD" status --root "$ROOT" --kernel 5.10.0-33-amd64
	assert_equal "$output" "wgkmod: nothing is installed for 5.10.0-33-amd64"
}

@test "status names changed and missing files" {
	install_it 0
	echo >>"$MODULES/kernel/drivers/net/wireguard/wireguard.ko"
	rm "$MODULES/kernel/net/ipv4/udp_tunnel.ko"
	status_it 1
	assert_line "^  kernel/drivers/net/wireguard/wireguard.ko: changed$"
	assert_line "^  kernel/net/ipv4/udp_tunnel.ko: missing$"
	assert_equal "$(grep -c ': intact$' <<<"$output")" 10
}

@test "status: the state of a removed kernel is gone with its directory" {
	install_it 0
	rm -r "$MODULES"
	status_it 0
	assert_equal "$output" "wgkmod: nothing is installed"
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
	cp -L "$(type -P modprobe)" "$ROOT/bin/modprobe"
	{ ldd "$WGKMOD" && ldd "$ROOT/bin/modprobe"; } | grep -o '/[^ ]*' | sort -u | while read -r lib; do
		install -D "$lib" "$ROOT$lib"
	done
	run_cmd "$1" unshare --map-root-user --mount sh -c \
		'mount --rbind /proc "$1/proc" && PATH=/bin:$PATH exec chroot "$1" /bin/wgkmod status' - "$ROOT"
}

@test "status says whether our modules, others or none are loaded" {
	plain_only
	local source running
	running=$(uname -r)
	install_it 0
	mv "$MODULES" "$ROOT/lib/modules/$running"
	source=$(modinfo -F srcversion "$STOCK/kernel/drivers/net/wireguard/wireguard.ko")

	status_inside 0 "$source"
	assert_line "/wireguard.ko: intact, loaded$"
	assert_line "/libchacha.ko: intact, not loaded$"
	status_inside 0 0123456789ABCDEF0123456
	assert_line "/wireguard.ko: intact, another module of that name is loaded$"
	status_inside 0 none
	assert_line "/wireguard.ko: intact, not loaded$"
}

@test "porcelain: if nothing is installed, only whether each kernel has WireGuard" {
	status_it 0 --porcelain
	assert_equal "$output" "coverage"$'\t'"$RELEASE"$'\t'"uncovered"
}

@test "porcelain: each installed kernel is covered, stored, uncovered, damaged or has its own" {
	install_it 0
	mkdir -p "$ROOT"/lib/modules/{5.10.0-33-amd64,5.10.0-34-amd64,5.10.0-35-amd64,left}/kernel \
		"$ROOT/var/lib/wgkmod/bundles"
	rmdir "$ROOT/lib/modules/left/kernel"
	touch "$ROOT/var/lib/wgkmod/bundles/wireguard-5.10.0-33-amd64.tar"
	echo kernel/drivers/net/wireguard/wireguard.ko >"$ROOT/lib/modules/5.10.0-34-amd64/modules.builtin"
	porcelain 0
	diff - <(grep ^coverage <<<"$output") <<-LINES
		coverage $RELEASE covered
		coverage 5.10.0-33-amd64 stored
		coverage 5.10.0-34-amd64 own
		coverage 5.10.0-35-amd64 uncovered
	LINES
	rm "$MODULES/kernel/drivers/net/wireguard/wireguard.ko"
	status_it 1 --porcelain --kernel "$RELEASE"
	assert_line "^coverage"$'\t'"$RELEASE"$'\t'"damaged$"
	assert_equal "$(grep -c ^coverage <<<"$output")" 1
}

@test "porcelain: a line for the kernel, each module, and the taint" {
	local path=kernel/net/ipv4/udp_tunnel.ko
	install_it 0
	porcelain 0
	assert_line "^kernel $RELEASE 12 finished$"
	assert_line "^module $RELEASE $path intact - $path$"
	assert_equal "$(grep -c ^module <<<"$output")" 12
	assert_line "^taint $RELEASE -$"
	assert_line "^coverage $RELEASE covered$"
	assert_equal "$(wc -l <<<"$output")" 15
}

@test "porcelain: changed, missing and replaced files" {
	local path=kernel/net/ipv4/udp_tunnel.ko
	cp "$STOCK/kernel/lib/crypto/libchacha.ko" "$MODULES/$path"
	install_it 0 --replace
	echo >>"$MODULES/kernel/drivers/net/wireguard/wireguard.ko"
	rm "$MODULES/$path"
	porcelain 1
	assert_line "^module $RELEASE kernel/drivers/net/wireguard/wireguard.ko changed - "
	assert_line "^module $RELEASE $path missing - $path$"
	assert_line "^replaced $RELEASE $path$"
	status_it 1
	assert_line "^  $path: missing$"
	assert_line "^  $path: replaced; 'wgkmod remove' puts it back$"
}

@test "status names a module that another shadows, and a module in no index" {
	install_it 0
	mkdir "$MODULES/updates"
	cp "$STOCK/kernel/net/ipv4/udp_tunnel.ko" "$MODULES/updates/"
	depmod -b "$ROOT" "$RELEASE"
	porcelain 1
	assert_line "^module $RELEASE kernel/net/ipv4/udp_tunnel.ko intact - updates/udp_tunnel.ko$"
	status_it 1
	assert_line "udp_tunnel.ko: intact, but modprobe loads updates/udp_tunnel.ko instead$"
	mv "$MODULES/kernel/drivers/net/wireguard/wireguard.ko" "$BATS_TEST_TMPDIR/"
	depmod -b "$ROOT" "$RELEASE"
	mv "$BATS_TEST_TMPDIR/wireguard.ko" "$MODULES/kernel/drivers/net/wireguard/"
	porcelain 1
	assert_line "/wireguard.ko intact - -$"
	status_it 1
	assert_line "/wireguard.ko: intact, but in no index: run 'depmod $RELEASE'$"
}

@test "status reads the index that modprobe reads, not modules.dep" {
	cp "$MODULES/modules.dep.bin" "$BATS_TEST_TMPDIR/stale"
	install_it 0
	cp "$BATS_TEST_TMPDIR/stale" "$MODULES/modules.dep.bin"
	status_it 1
	assert_line "/wireguard.ko: intact, but in no index: run 'depmod $RELEASE'$"
	truncate -s 0 "$MODULES/modules.dep.bin"
	status_it 1
	assert_line "/wireguard.ko: intact, but in no index: run 'depmod $RELEASE'$"
	depmod -b "$ROOT" "$RELEASE"
	status_it 0
}

@test "status does not call a running install an interrupted one" {
	install_it 0
	mkdir "$ROOT/lib/modules/.wgkmod-$RELEASE"
	status_it 0
	assert_line '^  a run was interrupted; the next one cleans up after it$'
	run_cmd 0 flock "$ROOT/lib/modules" "$WGKMOD" status --root "$ROOT"
	assert_line '^  another run is at work$'
}

@test "status prints the expected taint" {
	modinfo_sed "$PAYLOAD/modules/kernel/lib/crypto/libchacha.ko" 's/^intree=Y/x=y/'
	payload_sums "$PAYLOAD"
	install_it 0
	porcelain 0
	assert_line "^taint $RELEASE OE$"
	status_it 0
	assert_line "^  expected taint: O \(out of tree\), E \(not signed\)$"
}

@test "porcelain: an interrupted run" {
	install_it 0
	mkdir "$ROOT/lib/modules/.wgkmod-$RELEASE"
	porcelain 0
	assert_line "^kernel $RELEASE 12 unfinished$"
	install_it 0
	assert_line "are installed already"
	porcelain 0
	assert_line "^kernel $RELEASE 12 finished$"
}

# damaged HOW WHY: a state that the shell commands HOW damage is refused by each verb, for the reason WHY.
damaged() {
	local before
	(cd "${STATE%/*}" && eval "$1")
	before=$(tree_print "$ROOT")
	status_it 4
	assert_line "^wgkmod: cannot show '$RELEASE': $STATE: $2$"
	remove_it 4
	install_it 4
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT")
	rm -rf "$ROOT"
	cp -a "$ROOT.good" "$ROOT"
}

@test "a damaged state is not trusted, and the message names the file and the fault" {
	local path=kernel/net/ipv4/udp_tunnel.ko
	cp "$STOCK/kernel/lib/crypto/libchacha.ko" "$MODULES/$path"
	install_it 0 --replace
	cp -a "$ROOT" "$ROOT.good"
	damaged 'echo nonsense >>installed' "line [0-9]+: 'nonsense' is no type of an entry"
	damaged 'head -c -1 installed >x; cat x >installed' 'line [0-9]+: no newline, the file was cut short'
	damaged "printf 'dir a\\0b\\n' >>installed" 'it holds a NUL byte'
	damaged 'tac installed >x; cat x >installed' "line [0-9]+: '.*' is not in order"
	damaged "sed -i '1s/^file ./file x/' installed" 'line 1: no digest of 64 digits and a path'
	damaged "sed -i '1s, kernel/.*, /etc/passwd,' installed" "it names '/etc/passwd', which is not a path of a module"
	damaged "sed -i '1s, kernel/, ../../,' installed" "it names '.*', which is not a path of a module"
	damaged 'echo "dir ../x" >>installed' "line [0-9]+: '../x' is not a path below a directory"
	damaged "echo 'kept $path' >>installed" "line [0-9]+: it lists '$path' twice"
	damaged 'echo "kept ../x" >>installed' "line [0-9]+: '../x' is not a path below a directory"
	damaged 'echo "kept kernel/x.ko" >>installed' "it names '.wgkmod/kept/kernel/x.ko.kept': No such file or directory"
	damaged 'sed -i "/^index modules.dep$/d" installed' 'it does not name modules.dep'
	damaged 'head -c 2000000 /dev/zero >installed' 'larger than 1048576 bytes'
	damaged 'mv installed x; ln -s x installed' 'it is a link: name the file itself'
	damaged 'mv ../.wgkmod ../x; ln -s x ../.wgkmod' 'Too many levels of symbolic links'
	damaged 'rm installed; mkfifo installed' 'not a regular file'
	if [[ $(id -u) -eq 0 ]]; then
		damaged 'chmod o+w installed' 'others than its owner may write to it: chmod go-w'
		damaged 'chmod g+w .' 'others than its owner may write to it: chmod go-w'
		damaged 'chown 1234 installed' 'it belongs to user 1234, neither root nor the caller'
	fi
	remove_it 0
}
