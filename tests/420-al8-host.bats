#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The stand-in's kernels booted in the VM, installed by rpm: our modules from the signed bundle, signed
# modules under a kernel that enforces signatures, and the procedure by hand beside them.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/servers
load lib/al8

setup_file() {
	"$ROOT_DIR/scripts/install-deps.sh" qemu-system-x86_64 mke2fs cpio fakeroot depmod minisign openssl >&2
	al8_setup
	al8_lock standin-9 standin-8 standin-8-other
	al8 0 fetch standin-9
	al8 0 fetch standin-8
	al8 0 artifacts standin-9
	al8 0 artifacts standin-8
}
teardown_file() { servers_stop; }
setup() { export TARGET_DIR=$AL8_TARGETS; }

# vm STATUS STANDIN TEST
vm() { TIMEOUT=900 run_cmd "$1" "$ROOT_DIR/tests/vm/test.sh" "$2" "$3"; }

# containers_left: those in which family_root made a root, and whose process is gone: the image's tag.
containers_left() {
	local pid
	run_cmd 0 podman ps --all --format '{{.Image}}'
	while read -r pid; do
		kill -0 "$pid" 2>/dev/null || printf '%s\n' "$pid"
	done < <(sed -n 's,^localhost/wgkmod-vm:,,p' <<<"$output")
}

@test "a kernel installed by rpm takes the signed bundle by its symvers.gz; rpm finds nothing changed after remove" {
	vm 0 standin-9 al8-host
	assert_line '^verify wgkmod: 4 modules for 5.10.223-9.al8.x86_64 are intact and fit: [1-9][0-9]+ symbol versions '
	assert_line '^modules curve25519_x86_64 libchacha20poly1305 libcurve25519_generic wireguard$'
	assert_line '^taint 12288: O E$'
	assert_line '^tcp_mib_s '
	assert_line '^rpm clean$'
	# of the container that the root was made in nothing is left
	assert_equal "$(containers_left)" ''
}

@test "a kernel before 5.10.119 gets what the procedure by hand loads, and the accelerated modules" {
	vm 0 standin-8 al8-host
	# by hand: wireguard, libblake2s, libblake2s-generic, libchacha20poly1305, libcurve25519-generic
	assert_line '^modules blake2s_x86_64 curve25519_x86_64 libblake2s libblake2s_generic libchacha20poly1305' \
		'libcurve25519_generic wireguard$'
	assert_line '^rpm clean$'
}

# ---- signed modules -------------------------------------------------------------------

# sign KEY: the build of standin-9 signed, in out/al8/signed, and its bundle.
sign() { al8 0 bundle standin-9 MODULE_KEY="$1" MODULE_CERT="$1"; }

# bundle_of DIR FILE: a bundle of what is in DIR, whose SHA256SUMS is made anew.
bundle_of() {
	local release=5.10.223-9.al8.x86_64 out=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$out"
	cp -r "$1" "$out/$release"
	rm -f "$out/$release"/wireguard-*.tar
	(cd "$out/$release" && find . -type f ! -name SHA256SUMS -printf '%P\0' | sort -z | xargs -0 sha256sum) >"$out/sums"
	mv "$out/sums" "$out/$release/SHA256SUMS"
	OUT=$out run_cmd 0 "$ROOT_DIR/scripts/bundle.sh" standin-9
	mv "$out/$release/wireguard-$release.tar" "$2"
	rm -r "$out"
}

@test "under module.sig_enforce only modules signed by the kernel's own key are installed; others write nothing" {
	local release=5.10.223-9.al8.x86_64 extra=$BATS_TEST_TMPDIR/extra damaged=$BATS_TEST_TMPDIR/damaged ko subject
	subject=$(openssl x509 -in "$AL8_KERNELS/al8.pem" -noout -subject -nameopt RFC2253 | sed 's/^subject=//')
	mkdir "$extra"
	bundle_of "$OUT/$release" "$extra/unsigned.tar"

	run_cmd 0 openssl req -new -nodes -sha256 -days 2 -batch -x509 -newkey rsa:2048 -subj '/CN=somebody else' \
		-addext keyUsage=digitalSignature -keyout "$BATS_TEST_TMPDIR/key" -out "$BATS_TEST_TMPDIR/cert"
	cat "$BATS_TEST_TMPDIR/key" "$BATS_TEST_TMPDIR/cert" >"$BATS_TEST_TMPDIR/other.pem"
	sign "$BATS_TEST_TMPDIR/other.pem"
	cp "$OUT/signed/$release/wireguard-$release.tar" "$extra/other.tar"

	sign "$AL8_KERNELS/al8.pem"
	assert_line "^sign +4 modules signed by '$subject' in "
	cp -r "$OUT/signed/$release" "$damaged"
	ko=$damaged/modules/kernel/lib/crypto/libcurve25519-generic.ko
	flip "$ko" $(($(stat -c %s "$ko") - 60)) # within the signature itself, which ends 40 bytes before
	bundle_of "$damaged" "$extra/damaged.tar"
	cp -r "$OUT/signed/$release" "$BATS_TEST_TMPDIR/nameless"
	rm "$BATS_TEST_TMPDIR/nameless/signing_key.x509"
	bundle_of "$BATS_TEST_TMPDIR/nameless" "$extra/nameless.tar"

	ln -sfn ../vm "$OUT/signed/vm"
	OUT=$OUT/signed VM_EXTRA=$extra VM_OPTIONS=module.sig_enforce=1 vm 0 standin-9 al8-signed
	assert_line "^taint_before 0$"
	assert_line "^unsigned wgkmod: cannot install 'modules/.*\.ko': the kernel accepts only signed modules .* not signed"
	assert_line "^other wgkmod: cannot install '$release': .* of 'CN=somebody else', which signed these, is not in its" \
		"keyrings"
	assert_line "^verify wgkmod: its modules are signed for the kernel by '$subject', key [0-9a-f]+, which the kernel" \
		"verifies$"
	assert_line '^taint 4096: O$'
}

@test "signing keeps the build's digests, and a failure to sign is an error" {
	local release=5.10.223-9.al8.x86_64 before after key=$BATS_TEST_TMPDIR/key
	before=$(sha256sum <"$OUT/$release/SHA256SUMS")
	sign "$AL8_KERNELS/al8.pem"
	after=$(sha256sum <"$OUT/$release/SHA256SUMS")
	assert_equal "$after" "$before"
	cmp "$OUT/$release/SHA256SUMS" "$OUT/signed/$release/SHA256SUMS.unsigned"
	rm -r "$OUT/signed/$release"

	al8 2 artifacts standin-9 MODULE_KEY="$AL8_KERNELS/al8.pem"
	assert_line 'MODULE_KEY= and MODULE_CERT= go together'
	al8 2 artifacts standin-9 MODULE_KEY="$key" MODULE_CERT="$AL8_KERNELS/al8.pem"
	assert_line "there is no key '$key'"
	run_cmd 0 openssl genrsa -out "$key" 2048
	al8 2 artifacts standin-9 MODULE_KEY="$key" MODULE_CERT="$AL8_KERNELS/al8.pem"
	assert_line "openssl did not sign '.*\.ko' with '$key' and "
	al8 2 artifacts standin-9 MODULE_KEY="$key" MODULE_CERT="$key"
	assert_line "'$key' is no certificate$"
	assert_absent "$OUT/signed/$release"
}

# ---- by hand --------------------------------------------------------------------------

# by_hand N DIR: what people make by hand for the kernel N, into DIR/hand.
by_hand() {
	local release=5.10.223-$1.al8.x86_64 dir=$BATS_TEST_TMPDIR/hand-$1
	mkdir -p "$dir" "$2"
	cp "$AL8_MIRROR/www/source/linux-5.10.223.tar.xz" "$dir/linux.tar.xz"
	[[ $1 -ne 8 ]] || cp "$AL8_MIRROR/www/source/linux-5.10.223-before-5.10.119.tar.xz" "$dir/before.tar.xz"
	tar -xOf "$AL8_KERNELS/5.10.223-$1/core.tar" "./boot/config-$release" >"$dir/config"
	TIMEOUT=900 run_cmd 0 bash -c 'by_hand_run "$@"' by_hand "$dir" "$release"
	cp -r "$dir/modules" "$2/hand"
	rm -r "$dir"
}

by_hand_run() {
	local builder
	unset TARGET_DIR
	# shellcheck source=scripts/lib.sh
	. "$ROOT_DIR/scripts/lib.sh"
	# shellcheck source=scripts/lib/podman.sh
	. "$ROOT_DIR/scripts/lib/podman.sh"
	LOG=/dev/null
	"$ROOT_DIR/scripts/image.sh" "$TARGET_NAME"
	builder=$("$ROOT_DIR/scripts/image.sh" "$TARGET_NAME" --name)
	podman_probe "$builder"
	"${PODMAN[@]}" run --rm --network=none --pull=never "${PODMAN_LIMITS[@]}" --security-opt=label=disable \
		--volume "$1:/hand" --volume "$ROOT_DIR/tests/al8:/al8:ro" --tmpfs /build:rw,exec,size=4g \
		"$builder" bash /al8/hand.sh "$2"
}
export -f by_hand_run

@test "modules made by hand carry no symbol version, and a late 5.10 refuses them" {
	by_hand 9 "$BATS_TEST_TMPDIR/extra"
	VM_EXTRA=$BATS_TEST_TMPDIR/extra vm 0 standin-9 al8-hand
	assert_line '^hand_versions 0$'
	assert_line '^hand_modprobe .*Exec format error'
	assert_line '^hand_kernel .*: no symbol version for module_layout$'
	assert_line '^hand_loaded ?$'
	assert_line '^hand_doctor no-versions .*: no symbol version for module_layout; .* wgkmod install --kernel' \
		'5\.10\.223-9\.al8\.x86_64 --replace BUNDLE$'
}

@test "a kernel that only warns loads hand-made modules that do not fit, and no tunnel works; ours are refused" {
	full_only
	local extra=$BATS_TEST_TMPDIR/extra release=5.10.223-8.al8.x86_64
	by_hand 8 "$extra"
	OUT=$OUT/other al8 0 bundle standin-8-other
	cp "$OUT/other/$release/wireguard-$release.tar" "$extra/other.tar"
	VM_EXTRA=$extra vm 0 standin-8 al8-hand
	assert_line "^other wgkmod: cannot install 'modules/kernel/drivers/net/wireguard/wireguard.ko':" \
		".*setup_udp_tunnel_sock"
	assert_line '^hand_versions 0$'
	assert_line '^hand_modprobe loaded$'
	assert_line '^hand_kernel .*: no symbol version for module_layout$'
	assert_line '^hand_loaded libblake2s libblake2s_generic libchacha20poly1305 libcurve25519_generic wireguard$'
	assert_line '^hand_doctor no-versions .*: no symbol version for module_layout; '
	assert_line '^hand_ping no answer$'
	assert_line '^hand_handshake 0$'
}
