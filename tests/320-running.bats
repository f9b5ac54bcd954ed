#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# What install finds of the running kernel, beforehand and with --load. Only the running system has a
# running kernel: wgkmod gets one of its own, where / is our root and /sys, /proc/sys, modprobe and the
# kernel's answers are ours. Nothing of the machine is in there.

load lib/helpers
load lib/modules
load sweep/tools
load lib/install
load lib/inside

modules_look() {
	"$TOOLS/look" "$MODULES"
	find "$ROOT/lib/modules" -maxdepth 2 | LC_ALL=C sort
}

# Refused inside with STATUS and a line that matches, and nothing written.
refused() { # STATUS REGEX [OPTION...]
	local before
	before=$(modules_look)
	inside "$1" install --allow-unsigned "${@:3}" /out
	assert_line "$2"
	diff <(printf '%s\n' "$before") <(modules_look)
}

@test "--load: the modules that modprobe loads are ours by build-id, and live" {
	inside_make
	inside 0 install --allow-unsigned --load /out
	assert_line "^wgkmod: 12 modules for $RELEASE installed"
	inside 0 status
	assert_line "/wireguard.ko: intact, loaded$"
	assert_line "/libchacha.ko: intact, not loaded$"
	# Installed already, it is looked at all the same.
	echo coming >"$ROOT/fake/wireguard/initstate"
	inside 1 install --allow-unsigned --load /out
}

@test "--load: when modprobe fails, the install is undone, with the kernel's message" {
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

@test "--load: SIGINT ends a modprobe that hangs, and the install is undone" {
	local before
	inside_make
	before=$(modules_look)
	modprobe_says 'kill -INT $PPID; while :; do :; done'
	inside 130 install --allow-unsigned --load /out
	assert_line "^wgkmod: cannot install 'wireguard': it was interrupted$"
	diff <(printf '%s\n' "$before") <(modules_look)
}

@test "--load: a foreign file that appeared meanwhile is kept when the install is undone" {
	inside_make
	modprobe_says "cp /out/modules/kernel/lib/crypto/libchacha.ko /lib/modules/$RELEASE/kernel/came.ko; exit 1"
	inside 1 install --allow-unsigned --load /out
	assert_line "^wgkmod: .*: another process is changing it: kernel; the modules stay installed: 'wgkmod remove'" \
		"takes them out$"
	assert -n "$(find "$ROOT/lib/modules" -name came.ko)"
	inside 0 remove
	assert -n "$(find "$ROOT/lib/modules" -name came.ko)"
}

@test "--load: foreign changes in the old tree are kept aside, and the path is printed" {
	local aside
	inside_make
	modprobe_says "echo 1 >/lib/modules/.wgkmod-$RELEASE/kernel/came; cp -r /fake/* /sys/module/"
	inside 0 install --allow-unsigned --load /out
	aside=$(put_aside)
	assert_equal "$(<"$ROOT$aside/kernel/came")" 1
	inside 0 status
}

@test "--load of an installed bundle that does not load: it stays, and the exit status is 1" {
	inside_make
	inside 0 install --allow-unsigned /out
	modprobe_says 'exit 1'
	inside 1 install --allow-unsigned --load /out
	assert_line "^wgkmod: the modules stay installed, as they were before$"
}

@test "--load: a module whose init has not succeeded, and a module that cannot be unloaded" {
	local before
	inside_make
	before=$(modules_look)
	touch "$ROOT/fake/udp_tunnel/permanent"
	echo coming >"$ROOT/fake/wireguard/initstate"
	inside 5 install --allow-unsigned --load /out
	assert_line "^wgkmod: cannot install 'wireguard': it is loaded, but not live$"
	assert_line "^wgkmod: module 'udp_tunnel' cannot be unloaded, and stays until the next boot$"
	diff <(printf '%s\n' "$before") <(modules_look)
	assert_absent "$ROOT/sys/module/wireguard"
}

@test "--load: another module of that name is loaded already: it stays loaded, and the install is undone" {
	inside_make
	cp -r "$ROOT/fake/wireguard" "$ROOT/sys/module/"
	poke "$ROOT/sys/module/wireguard/notes/.note.gnu.build-id" 20 'XXXX'
	modprobe_says :
	inside 5 install --allow-unsigned --load /out
	assert_line "wireguard.ko': another module of that name is loaded; unload it, or reboot$"
	assert -e "$ROOT/sys/module/wireguard/initstate"
	assert_absent "$STATE"
}

@test "--load: an upgrade that does not load restores the modules before it" {
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
	assert_absent "$STATE"
}

@test "a kernel that accepts only signed modules: sig_enforce, lockdown and others" {
	local module unsigned
	unsigned="^wgkmod: cannot install 'modules/.*\.ko': the kernel accepts only signed modules \(module.sig_enforce"
	unsigned+=" or lockdown\), and it is not signed; build it with 'make artifacts MODULE_KEY= MODULE_CERT='$"
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

# key_line SERIAL TYPE DESCRIPTION: a line of /proc/keys.
key_line() { printf '%s I------     1 perm 1f0b0000     0     0 %s %s\n' "$1" "$2" "$3"; }

# keyring RING SERIAL...: the kernel has the keyring, with the keys of these serials.
keyring() {
	local ring=$1 serial
	key_line 0000000a keyring "$ring: 1" >>"$ROOT/fake/keys"
	for serial in "${@:2}"; do
		# an int of this machine's, as keyctl(2) has them
		printf '%b' "\\x${serial:6:2}\\x${serial:4:2}\\x${serial:2:2}\\x${serial:0:2}"
	done >"$ROOT/fake/ring-10"
}

@test "signed by a key that the kernel trusts, does not have, or has in .platform alone" {
	# the kernel leaves a zero in front out (x509_key_preparse() of crypto/asymmetric_keys)
	local key=$BATS_TEST_TMPDIR/key id=8edddd5cabd69109d60b35195b8d124c103874 before says
	export OUT=$BATS_TEST_TMPDIR/builds
	inside_make
	mkdir "$OUT"
	mv "$ROOT/out" "$OUT/$RELEASE"
	find "$OUT/$RELEASE" -name '*.ko' -exec objcopy --strip-debug {} \;
	payload_sums "$OUT/$RELEASE"
	run_cmd 0 openssl req -new -nodes -sha256 -days 2 -batch -x509 -newkey rsa:2048 -subj /CN=key \
		-addext keyUsage=digitalSignature -addext "subjectKeyIdentifier=00$id" \
		-keyout "$key.pem" -out "$key.crt"
	MODULE_KEY=$key.pem MODULE_CERT=$key.crt run_cmd 0 "$ROOT_DIR/scripts/sign-modules.sh" "$TARGET_NAME"
	cp -r "$OUT/signed/$RELEASE" "$ROOT/out"
	mkdir -p "$ROOT/sys/module/module/parameters"
	echo Y >"$ROOT/sys/module/module/parameters/sig_enforce"
	key_line 0000000b asymmetri "key: $id: X509.rsa 01234567 []" >"$ROOT/fake/keys.good"
	cp "$ROOT/fake/keys.good" "$ROOT/fake/keys"
	keyring .secondary_trusted_keys
	says="^wgkmod: cannot install '$RELEASE': the kernel accepts only .* the key $id of 'CN=key', which signed these, is"
	refused 4 "$says not in its keyrings"
	cp "$ROOT/fake/keys.good" "$ROOT/fake/keys"
	keyring .platform 0000000b
	says="^wgkmod: cannot install '$RELEASE': the kernel accepts only .* is in its keyring .platform alone, .*;"
	refused 4 "$says --load tries this kernel, and removes the modules again if it refuses them$"
	before=$(modules_look)
	modprobe_says 'printf "3,2,2,-;Loading of module with unavailable key is rejected\n" >>/dev/kmsg; exit 1'
	inside 5 install --allow-unsigned --load /out
	assert_line '^wgkmod: the kernel says: Loading of module with unavailable key is rejected$'
	diff <(printf '%s\n' "$before") <(modules_look)
	cp "$ROOT/fake/keys.good" "$ROOT/fake/keys"
	keyring .builtin_trusted_keys 0000000b
	inside 0 install --allow-unsigned /out
}

@test "a module that the kernel's command line blacklists is refused" {
	local says
	inside_make
	echo 'quiet module_blacklist=other,wireguard root=x' >"$ROOT/fake/cmdline"
	says="^wgkmod: cannot install 'wireguard': the kernel was booted with 'module_blacklist=wireguard', and refuses it;"
	refused 1 "$says boot without that first$"
	echo 'quiet xmodule_blacklist=wireguard module_blacklist=other' >"$ROOT/fake/cmdline"
	inside 0 install --allow-unsigned /out
}

@test "a kernel with modules_disabled is refused" {
	inside_make
	echo 1 >"$ROOT/fake/modules_disabled"
	refused 1 "^wgkmod: cannot install '$RELEASE': the kernel accepts no modules until the next boot" --load
	inside 0 install --allow-unsigned /out
	assert_line "^wgkmod: the kernel accepts no modules until the next boot"
}
