#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# The signature that the kernel asks of modules: that it is made as the kernel reads it, and what wgkmod
# says of it.  Only the kernel verifies it: 420-al8-host.bats.

load lib/helpers
load lib/modules

setup_file() {
	modules_setup
	"$ROOT_DIR/scripts/install-deps.sh" openssl >&2
	module_key "$BATS_FILE_TMPDIR/key"
}

# A build of one module, not signed, and a root that has the rest.
setup() {
	local name
	export OUT=$BATS_TEST_TMPDIR/out
	ROOT=$BATS_TEST_TMPDIR/root SIGNED=$OUT/signed/$RELEASE KEY=$BATS_FILE_TMPDIR/key
	mkdir -p "$ROOT/lib/modules" "$ROOT/var/lib"
	cp -r "$STOCK" "$ROOT/lib/modules/"
	name=kernel/lib/crypto/libcurve25519-generic.ko
	rm "$ROOT/lib/modules/$RELEASE/$name"
	MODULE=modules/$name
	mkdir -p "$OUT/$RELEASE/modules/kernel/lib/crypto"
	objcopy --strip-debug "$STOCK/$name" "$OUT/$RELEASE/$MODULE" # drops the distribution's signature
	payload_sums "$OUT/$RELEASE"
}

# module_key FILE: FILE.pem, the key, and FILE.crt, its certificate.
module_key() {
	run_cmd 0 openssl req -new -nodes -sha256 -days 2 -batch -x509 -newkey rsa:2048 -subj "/CN=${1##*/}" \
		-addext keyUsage=digitalSignature -keyout "$1.pem" -out "$1.crt"
}

sign() { MODULE_KEY=$1.pem MODULE_CERT=$1.crt run_cmd 0 "$ROOT_DIR/scripts/sign-modules.sh" "$TARGET_NAME"; }
verify() { run_cmd "$1" "$WGKMOD" verify --allow-unsigned --root "$ROOT" --kernel "$RELEASE" \
	--symvers "$BATS_TEST_TMPDIR/symvers" "$2"; }

# Where the signature starts: the length of the module without it.
body() { stat -c %s "$OUT/$RELEASE/$MODULE"; }

@test "verify names the signer of the modules, and the signed modules are those of the build" {
	grep -v curve25519_ "$SYMVERS" >"$BATS_TEST_TMPDIR/symvers"
	verify 0 "$OUT/$RELEASE"
	refute_line 'signed for the kernel'
	sign "$KEY"
	cmp "$OUT/$RELEASE/SHA256SUMS" "$SIGNED/SHA256SUMS.unsigned"
	verify 0 "$SIGNED"
	assert_line "^wgkmod: its modules are signed for the kernel by 'CN=key', key [0-9a-f]{40}, which the kernel verifies$"
	head -c "$(body)" "$SIGNED/$MODULE" | cmp - "$OUT/$RELEASE/$MODULE"
}

@test "the module signature equals that of the kernel's own sign-file" {
	local tail
	sign "$KEY"
	assert_equal "$(tail -c 28 "$SIGNED/$MODULE")" '~Module signature appended~'
	tail=$(tail -c 40 "$SIGNED/$MODULE" | head -c 12 | od -An -v -tu1 | tr -s ' ')
	assert_equal "${tail% * * * *}" ' 0 0 2 0 0 0 0 0'
	assert_equal "$(modinfo -F sig_id "$SIGNED/$MODULE")" PKCS#7
	assert_equal "$(modinfo -F signer "$SIGNED/$MODULE")" key
	assert_equal "$(modinfo -F sig_hashalgo "$SIGNED/$MODULE")" sha256
}

@test "a module without a signature beside a certificate is refused" {
	sign "$KEY"
	cp "$OUT/$RELEASE/$MODULE" "$SIGNED/$MODULE"
	payload_sums "$SIGNED"
	verify 4 "$SIGNED"
	assert_line "^wgkmod: cannot verify '$MODULE': it is not signed, but signing_key.x509 is there$"
}

@test "an invalid certificate is refused; without a certificate no signer is named" {
	grep -v curve25519_ "$SYMVERS" >"$BATS_TEST_TMPDIR/symvers"
	sign "$KEY"
	printf 'x' >>"$SIGNED/signing_key.x509"
	payload_sums "$SIGNED"
	verify 4 "$SIGNED"
	assert_line "^wgkmod: cannot verify 'signing_key.x509': it is no certificate in DER$"
	rm "$SIGNED/signing_key.x509"
	payload_sums "$SIGNED"
	verify 0 "$SIGNED"
	assert_line "^wgkmod: its modules are signed for the kernel; there is no signing_key.x509 that says by whom$"
}
