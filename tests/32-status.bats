#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod status, and what install finds of the running kernel beforehand and with --load. Only the
# running system has a running kernel: wgkmod gets one of its own, where / is our root and /sys,
# /proc/sys, modprobe and the kernel's answers are ours. Nothing of the machine is in there.

load helpers
load modules
load sweep/tools
load install

porcelain() { # STATUS: with blanks for tabs
	status_it "$1" --porcelain
	output=$(tr '\t' ' ' <<<"$output")
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

@test "porcelain: nothing installed is no line" {
	status_it 0 --porcelain
	assert_equal "$output" ""
}

@test "porcelain: a line for the kernel, each module, and the taint" {
	local path=kernel/net/ipv4/udp_tunnel.ko
	install_it 0
	porcelain 0
	assert_line "^kernel $RELEASE 12 finished$"
	assert_line "^module $RELEASE $path intact - $path$"
	assert_equal "$(grep -c ^module <<<"$output")" 12
	assert_line "^taint $RELEASE -$"
	assert_equal "$(wc -l <<<"$output")" 14
}

@test "what was changed, is missing, or was replaced" {
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
	assert_line "^  $path: replaced; 'wgkmod remove' gives it back$"
}

@test "a module that another of its name shadows, and one that is in no index" {
	install_it 0
	mkdir "$MODULES/updates"
	cp "$STOCK/kernel/net/ipv4/udp_tunnel.ko" "$MODULES/updates/"
	depmod -b "$ROOT" "$RELEASE"
	porcelain 1
	assert_line "^module $RELEASE kernel/net/ipv4/udp_tunnel.ko intact - updates/udp_tunnel.ko$"
	status_it 1
	assert_line "udp_tunnel.ko: intact, and modprobe takes updates/udp_tunnel.ko instead$"
	sed -i /wireguard.ko:/d "$MODULES/modules.dep"
	porcelain 1
	assert_line "/wireguard.ko intact - -$"
	status_it 1
	assert_line "/wireguard.ko: intact, and in no index: run depmod$"
}

@test "the taint to expect" {
	modinfo_sed "$PAYLOAD/modules/kernel/lib/crypto/libchacha.ko" 's/^intree=Y/x=y/'
	payload_sums "$PAYLOAD"
	install_it 0
	porcelain 0
	assert_line "^taint $RELEASE OE$"
	status_it 0
	assert_line "^  expected taint: O \(out of tree\), E \(not signed\)$"
}

@test "a kernel that is gone, and a run that was killed" {
	install_it 0
	mv "$ROOT/var/lib/wgkmod/$RELEASE" "$ROOT/var/lib/wgkmod/.$RELEASE.next"
	printf 'inode %s born %.9f\n' "$(stat -c %i "$MODULES")" "$(stat -c %.9W "$MODULES")" >"$ROOT/var/lib/wgkmod/.$RELEASE.journal"
	porcelain 0
	assert_line "^kernel $RELEASE 12 unfinished$"
	install_it 0
	assert_line "are installed already"
	porcelain 0
	assert_line "^kernel $RELEASE 12 finished$"
	rm -r "$MODULES"
	porcelain 1
	assert_line "^kernel $RELEASE 12 gone$"
}

@test "a damaged journal is not trusted" {
	install_it 0
	echo nonsense >"$ROOT/var/lib/wgkmod/.$RELEASE.journal"
	status_it 4
	install_it 4
	assert_line "^wgkmod: cannot install '$RELEASE': .$RELEASE.journal: it does not name a folder$"
	rm "$ROOT/var/lib/wgkmod/.$RELEASE.journal"
	install_it 0
}

# From here on, the running system. Its modprobe does what $ROOT/bin/modprobe says.
inside_make() {
	local program lib programs=("$WGKMOD" /bin/sh)
	plain_only
	mapfile -t -O 2 programs < <(type -P env mkdir cat rm cp depmod)
	mkdir -p "$ROOT"/{proc,bin,dev,etc,tmp,sys/module,fake}
	for program in "${programs[@]}"; do
		cp -L "$program" "$ROOT/bin/"
		ldd "$program" | grep -o '/[^ ]*' | sort -u | while read -r lib; do
			[[ -e $ROOT$lib ]] || install -D "$lib" "$ROOT$lib"
		done
	done
	cp "$TOOLS/preload" "$ROOT/bin/"
	cp -r "$PAYLOAD" "$ROOT/out"
	: >"$ROOT/dev/null"
	printf '6,1,1,-;an old word\n' >"$ROOT/dev/kmsg"
	modprobe_says 'cp -r /fake/* /sys/module/'
	fake_module wireguard "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko"
	fake_module udp_tunnel "$PAYLOAD/modules/kernel/net/ipv4/udp_tunnel.ko"
}

modprobe_says() { # COMMANDS
	printf '#!/bin/sh\n%s\n' "$1" >"$ROOT/bin/modprobe"
	chmod +x "$ROOT/bin/modprobe"
}

# What /sys has of a module once modprobe has loaded it.
fake_module() { # NAME FILE
	mkdir -p "$ROOT/fake/$1/notes"
	echo live >"$ROOT/fake/$1/initstate"
	objcopy -O binary --only-section=.note.gnu.build-id --set-section-flags .note.gnu.build-id=alloc \
		"$2" "$ROOT/fake/$1/notes/.note.gnu.build-id"
}

inside() { # STATUS ARGUMENT...
	# shellcheck disable=SC2016 # for the inner shell
	run_cmd "$1" unshare --map-root-user --mount sh -euc '
		mount --rbind /proc "$1/proc"
		root=$1 release=$2
		shift 2
		exec chroot "$root" env -i PATH=/bin LD_PRELOAD=/bin/preload FAKE_RELEASE="$release" \
			FAKE_LINK="${FAKE_LINK:-0}" /bin/wgkmod "$@"' - "$ROOT" "$RELEASE" "${@:2}"
}

modules_look() {
	"$TOOLS/look" "$MODULES"
	find "$ROOT/var/lib" "$ROOT/lib/modules" -maxdepth 2 | LC_ALL=C sort
}

# Refused inside with STATUS and a line that matches, and nothing written.
refused() { # STATUS REGEX [OPTION...]
	local before
	before=$(modules_look)
	inside "$1" install --allow-unsigned "${@:3}" /out
	assert_line "$2"
	diff <(printf '%s\n' "$before") <(modules_look)
}

@test "--load: what modprobe brings is ours by its build-id, and an interface can be made" {
	inside_make
	inside 0 install --allow-unsigned --load /out
	assert_line "^wgkmod: 12 modules for $RELEASE installed"
	inside 0 status
	assert_line "/wireguard.ko: intact, loaded$"
	assert_line "/libchacha.ko: intact, not loaded$"
	# Installed already, it is looked at all the same.
	FAKE_LINK=95 inside 1 install --allow-unsigned --load /out
}

@test "--load: modprobe fails: all is taken out again, with what the kernel said" {
	local before
	inside_make
	before=$(modules_look)
	modprobe_says 'cp -r /fake/udp_tunnel /sys/module/
		printf "4,2,2,-;wireguard: disagrees about version of symbol x\\n X=y\\n" >>/dev/kmsg; exit 1'
	inside 5 install --allow-unsigned --load /out
	assert_line "^wgkmod: cannot install 'wireguard': modprobe failed with status 1$"
	assert_line "^wgkmod: the kernel says: wireguard: disagrees about version of symbol x$"
	refute_line "an old word"
	diff <(printf '%s\n' "$before") <(modules_look)
	assert_absent "$ROOT/sys/module/udp_tunnel"
}

@test "--load: what somebody put there meanwhile is not lost with what is taken out" {
	inside_make
	modprobe_says "cp /out/modules/kernel/lib/crypto/libchacha.ko /lib/modules/$RELEASE/kernel/came.ko; exit 1"
	inside 1 install --allow-unsigned --load /out
	assert_line "^wgkmod: .*: somebody else is changing it: kernel; the modules stay installed: 'wgkmod remove' takes them out$"
	[[ -n $(find "$ROOT/lib/modules" -name came.ko) ]]
	inside 0 remove
	[[ -n $(find "$ROOT/lib/modules" -name came.ko) ]]
}

@test "--load of what is installed already: it stays, and the status says that it could not be loaded" {
	inside_make
	inside 0 install --allow-unsigned /out
	modprobe_says 'exit 1'
	inside 1 install --allow-unsigned --load /out
	assert_line "^wgkmod: they stay installed, as they were before$"
}

@test "--load: no interface can be made, and a module that cannot be unloaded" {
	local before
	inside_make
	before=$(modules_look)
	touch "$ROOT/fake/udp_tunnel/permanent"
	FAKE_LINK=95 inside 5 install --allow-unsigned --load /out
	assert_line "^wgkmod: cannot install 'wireguard': no interface of its kind can be made: Operation not supported$"
	assert_line "^wgkmod: module 'udp_tunnel' cannot be unloaded, and stays until the next boot$"
	diff <(printf '%s\n' "$before") <(modules_look)
	assert_absent "$ROOT/sys/module/wireguard"
}

@test "--load: another module of that name is loaded already: it stays, ours goes" {
	inside_make
	cp -r "$ROOT/fake/wireguard" "$ROOT/sys/module/"
	poke "$ROOT/sys/module/wireguard/notes/.note.gnu.build-id" 20 'XXXX'
	modprobe_says :
	inside 5 install --allow-unsigned --load /out
	assert_line "wireguard.ko': another module of its name is loaded; unload that, or boot again$"
	[ -e "$ROOT/sys/module/wireguard/initstate" ]
	assert_absent "$ROOT/var/lib/wgkmod"
}

@test "--load: an upgrade that does not load gives back the set before it" {
	local before
	inside_make
	inside 0 install --allow-unsigned /out
	before=$(modules_look)
	modinfo_sed "$ROOT/out/modules/kernel/drivers/net/wireguard/wireguard.ko" 's/^description=.*/description=x/'
	payload_sums "$ROOT/out"
	modprobe_says 'exit 1'
	inside 5 install --allow-unsigned --load /out
	diff <(printf '%s\n' "$before") <(modules_look)
}

@test "--load is only for the running kernel" {
	install_it 2 --load
	assert_line "^wgkmod: --load is only for the running kernel"
	assert_absent "$ROOT/var/lib/wgkmod"
}

@test "a kernel that takes only signed modules, for one reason or another" {
	local module unsigned
	unsigned="^wgkmod: cannot install 'modules/.*\.ko': the kernel takes only signed modules \(module.sig_enforce or lockdown\), and it is not signed; build it with 'make artifacts MODULE_KEY= MODULE_CERT='$"
	inside_make
	for module in "$ROOT"/out/modules/kernel/lib/crypto/*.ko; do
		objcopy --strip-debug "$module"
	done
	payload_sums "$ROOT/out"
	mkdir -p "$ROOT/sys/module/module/parameters" "$ROOT/sys/kernel/security"
	echo Y >"$ROOT/sys/module/module/parameters/sig_enforce"
	refused 4 "$unsigned"
	echo N >"$ROOT/sys/module/module/parameters/sig_enforce"
	echo 'none [integrity] confidentiality' >"$ROOT/sys/kernel/security/lockdown"
	refused 4 "$unsigned"
	echo '[none] integrity confidentiality' >"$ROOT/sys/kernel/security/lockdown"
	inside 0 install --allow-unsigned /out
}

@test "a kernel that takes no modules any more" {
	inside_make
	echo 1 >"$ROOT/fake/modules_disabled"
	refused 1 "^wgkmod: cannot install '$RELEASE': the kernel takes no modules until it is booted again" --load
	inside 0 install --allow-unsigned /out
	assert_line "^wgkmod: the kernel takes no modules until it is booted again"
}
