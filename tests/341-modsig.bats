#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# The signature that the kernel asks of modules: as openssl makes it, altered byte by byte.

load lib/helpers
load lib/modules
load lib/bundle

setup_file() {
	modules_setup
	"$ROOT_DIR/scripts/install-deps.sh" openssl >&2
	module_key "$BATS_FILE_TMPDIR/key"
	module_key "$BATS_FILE_TMPDIR/other"
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
verify() { run_cmd "$1" "$WGKMOD" verify --allow-unsigned --root "$ROOT" --kernel "$RELEASE" --symvers "$SYMVERS.no25519" "$2"; }

# Where the signature starts: the length of the module without it.
body() { stat -c %s "$OUT/$RELEASE/$MODULE"; }

@test "verify says who signed, and that what was signed is the build" {
	grep -v curve25519_ "$SYMVERS" >"$SYMVERS.no25519"
	verify 0 "$OUT/$RELEASE"
	refute_line 'signed for the kernel'
	sign "$KEY"
	cmp "$OUT/$RELEASE/SHA256SUMS" "$SIGNED/SHA256SUMS.unsigned"
	verify 0 "$SIGNED"
	assert_line "^wgkmod: its modules are signed for the kernel by 'CN=key', key [0-9a-f]{40}$"
	head -c "$(body)" "$SIGNED/$MODULE" | cmp - "$OUT/$RELEASE/$MODULE"
}

@test "the signature is the one that the kernel's own sign-file appends" {
	local tail
	sign "$KEY"
	assert_equal "$(tail -c 28 "$SIGNED/$MODULE")" '~Module signature appended~'
	tail=$(tail -c 40 "$SIGNED/$MODULE" | head -c 12 | od -An -v -tu1 | tr -s ' ')
	assert_equal "${tail% * * * *}" ' 0 0 2 0 0 0 0 0'
	assert_equal "$(modinfo -F sig_id "$SIGNED/$MODULE")" PKCS#7
	assert_equal "$(modinfo -F signer "$SIGNED/$MODULE")" key
	assert_equal "$(modinfo -F sig_hashalgo "$SIGNED/$MODULE")" sha256
}

@test "no byte of module or signature can change: each is refused with 4" {
	local size at n=0
	grep -v curve25519_ "$SYMVERS" >"$SYMVERS.no25519"
	sign "$KEY"
	size=$(stat -c %s "$SIGNED/$MODULE")
	for at in $(sample 223 40 $((size - $(body)))); do
		# the NULL after the key's algorithm says nothing, to the kernel neither
		[[ $(od -An -tx1 -j $(($(body) + at)) -N 2 "$SIGNED/$MODULE") != ' 05 00' ]] || continue
		flip "$SIGNED/$MODULE" $(($(body) + at))
		payload_sums "$SIGNED"
		verify 4 "$SIGNED"
		assert_line "^wgkmod: cannot verify '$MODULE': "
		flip "$SIGNED/$MODULE" $(($(body) + at))
		n=$((n + 1))
	done
	[[ $n -ge 30 ]]
	# the name of the digest in the set of all
	flip "$SIGNED/$MODULE" $(($(body) + 33))
	payload_sums "$SIGNED"
	verify 4 "$SIGNED"
	assert_line "^wgkmod: cannot verify '$MODULE': its module signature is no PKCS#7 that the kernel takes$"
	flip "$SIGNED/$MODULE" $(($(body) + 33))
	flip "$SIGNED/$MODULE" $(($(body) - 1000))
	payload_sums "$SIGNED"
	verify 4 "$SIGNED"
}

@test "a module signed by another key than the certificate's, or not at all, is refused" {
	sign "$BATS_FILE_TMPDIR/other"
	openssl x509 -in "$KEY.crt" -outform DER -out "$SIGNED/signing_key.x509"
	payload_sums "$SIGNED"
	verify 4 "$SIGNED"
	assert_line "^wgkmod: cannot verify '$MODULE': it is signed by the certificate [0-9a-f]+ of 'CN=other', not by the bundle's certificate$"
	cp "$OUT/$RELEASE/$MODULE" "$SIGNED/$MODULE"
	payload_sums "$SIGNED"
	verify 4 "$SIGNED"
	assert_line "^wgkmod: cannot verify '$MODULE': it is not signed, but signing_key.x509 is there$"
}

@test "another module than the build's, signed well, is refused by SHA256SUMS.unsigned" {
	sign "$KEY"
	cp "$SIGNED/SHA256SUMS.unsigned" "$BATS_TEST_TMPDIR/first"
	printf x >>"$OUT/$RELEASE/$MODULE"
	payload_sums "$OUT/$RELEASE"
	sign "$KEY"
	cp "$BATS_TEST_TMPDIR/first" "$SIGNED/SHA256SUMS.unsigned"
	payload_sums "$SIGNED"
	verify 4 "$SIGNED"
	assert_line "^wgkmod: cannot verify '$MODULE': its digest is not the one in SHA256SUMS.unsigned, without its signature$"
}

@test "a certificate that is none is refused, and one that is gone leaves the signature unverified" {
	grep -v curve25519_ "$SYMVERS" >"$SYMVERS.no25519"
	sign "$KEY"
	printf 'x' >>"$SIGNED/signing_key.x509"
	payload_sums "$SIGNED"
	verify 4 "$SIGNED"
	assert_line "^wgkmod: cannot verify 'signing_key.x509': it is no certificate in DER$"
	sign "$KEY"
	mv "$SIGNED/SHA256SUMS.unsigned" "$BATS_TEST_TMPDIR/"
	payload_sums "$SIGNED"
	verify 4 "$SIGNED"
	assert_line "^wgkmod: cannot verify 'SHA256SUMS.unsigned': it is missing, but signing_key.x509 is there$"
	: >"$SIGNED/SHA256SUMS.unsigned"
	payload_sums "$SIGNED"
	verify 4 "$SIGNED"
	cp "$BATS_TEST_TMPDIR/SHA256SUMS.unsigned" "$SIGNED/"
	rm "$SIGNED/signing_key.x509"
	payload_sums "$SIGNED"
	verify 0 "$SIGNED"
	assert_line "^wgkmod: its modules carry signatures for the kernel by the certificate [0-9a-f]+ of 'CN=key', which were not verified: there is no signing_key.x509$"
}

# resign OPTION...: the module of the signed build, with what openssl cms makes with these options.
resign() {
	local file=$SIGNED/$MODULE size
	head -c "$(body)" "$file" >"$BATS_TEST_TMPDIR/body"
	run_cmd 0 openssl cms -sign -binary -nocerts -nosmimecap -md sha256 -signer "$KEY.crt" -inkey "$KEY.pem" \
		-in "$BATS_TEST_TMPDIR/body" -outform DER -out "$BATS_TEST_TMPDIR/p7s" "$@"
	size=$(printf '%08x' "$(stat -c %s "$BATS_TEST_TMPDIR/p7s")")
	{
		cat "$BATS_TEST_TMPDIR/body" "$BATS_TEST_TMPDIR/p7s"
		printf '\0\0\2\0\0\0\0\0%b' "\\x${size:0:2}\\x${size:2:2}\\x${size:4:2}\\x${size:6:2}"
		printf '~Module signature appended~\n'
	} >"$file"
	payload_sums "$SIGNED"
}

@test "a signature of attributes, or one that holds the module itself, is none that a kernel takes" {
	grep -v curve25519_ "$SYMVERS" >"$SYMVERS.no25519"
	sign "$KEY"
	resign -noattr
	verify 0 "$SIGNED"
	resign
	verify 4 "$SIGNED"
	assert_line "its module signature is no PKCS#7 that the kernel takes$"
	resign -noattr -nodetach
	verify 4 "$SIGNED"
	assert_line "its module signature is no PKCS#7 that the kernel takes$"
}
