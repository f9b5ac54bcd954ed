#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: sign-modules.sh TARGET
#
# Copy out/RELEASE/, the output of make artifacts, to out/signed/RELEASE/ and append a module signature to each
# module there, as scripts/sign-file of the kernel does.  out/RELEASE/ does not change, so its digests can still
# be compared.  The copy gets two more files:
#
#	signing_key.x509     MODULE_CERT, in DER
#	SHA256SUMS.unsigned  the build's SHA256SUMS, with the digests of the modules without signatures
#
#   MODULE_KEY=FILE    the private key, PEM; its password, if it has one, is KBUILD_SIGN_PIN
#   MODULE_CERT=FILE   its certificate, PEM or DER, which the kernel has among its trusted keys

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 1 ]] || die "usage: sign-modules.sh TARGET"
MODULE_KEY=${MODULE_KEY:-} MODULE_CERT=${MODULE_CERT:-}
[[ -n $MODULE_KEY && -n $MODULE_CERT ]] ||
	die "MODULE_KEY= and MODULE_CERT= go together: a key signs, its certificate says whose it is"
[[ -f $MODULE_KEY ]] || die "there is no key '$MODULE_KEY' (MODULE_KEY=)"
[[ -f $MODULE_CERT ]] || die "there is no certificate '$MODULE_CERT' (MODULE_CERT=)"
read_target "$1"
from=$OUT/$RELEASE to=$OUT/signed/$RELEASE

pin=()
[[ -z ${KBUILD_SIGN_PIN:-} ]] || pin=(-passin env:KBUILD_SIGN_PIN)

# is_signed FILE: Return 0 if the file ends with the marker of a module signature.
is_signed() { [[ $(tail -c 28 "$1" | tr -d '\0') == "$signature_marker" ]]; }

# sign FILE: Append the signature: PKCS#7, struct module_signature and the marker
# (include/linux/module_signature.h and scripts/sign-file.c of the kernel).
sign() {
	local size
	is_signed "$1" && die "'$1' is signed already"
	openssl cms -sign -binary -noattr -nocerts -nosmimecap -md sha256 -signer "$TMP/cert.pem" \
		-inkey "$MODULE_KEY" "${pin[@]}" -in "$1" -outform DER -out "$TMP/p7s" </dev/null >>"$LOG" 2>&1 ||
		die "openssl did not sign '${1##*/}' with '$MODULE_KEY' and '$MODULE_CERT'"
	size=$(stat -c %s "$TMP/p7s")
	{
		cat "$TMP/p7s"
		signature_trailer "$size"
	} >>"$1"
}

# check FILE ORIGINAL: Exit unless FILE is ORIGINAL and a valid signature by the key of MODULE_CERT.
check() {
	local body
	body=$(stat -c %s "$2")
	cmp --silent --bytes="$body" "$1" "$2" || die "signing changed '${1##*/}' itself"
	tail -c "+$((body + 1))" "$1" | head -c "-40" >"$TMP/p7s"
	openssl cms -verify -binary -inform DER -in "$TMP/p7s" -content "$2" -certfile "$TMP/cert.pem" \
		-nointern -noverify -out /dev/null </dev/null >>"$LOG" 2>&1 ||
		die "the signature of '${1##*/}' is not valid"
}

phase_begin sign
make_tmp "$OUT"
require_output
openssl x509 -in "$MODULE_CERT" -out "$TMP/cert.pem" 2>>"$LOG" ||
	openssl x509 -inform DER -in "$MODULE_CERT" -out "$TMP/cert.pem" 2>>"$LOG" ||
	die "'$MODULE_CERT' is no certificate"
openssl x509 -in "$TMP/cert.pem" -outform DER -out "$TMP/cert.der"
# Signed again, the bundle would lose its signature and its proofs.
if cmp -s "$from/SHA256SUMS" "$to/SHA256SUMS.unsigned" && cmp -s "$TMP/cert.der" "$to/signing_key.x509" &&
	check_sums "$to"; then
	phase_end "$to is up to date"
	exit 0
fi
mkdir "$TMP/signed"
while read -r _ file; do
	install -D -m "$([[ -x $from/$file ]] && printf 755 || printf 644)" "$from/$file" "$TMP/signed/$file"
done <"$from/SHA256SUMS"
cp "$from/SHA256SUMS" "$TMP/signed/SHA256SUMS.unsigned"
cp "$TMP/cert.der" "$TMP/signed/signing_key.x509"
mapfile -t modules < <(cd "$TMP/signed" && find modules -name '*.ko' | sort)
[[ ${#modules[@]} -gt 0 ]] || die "there is no module in '$from'"
for file in "${modules[@]}"; do
	sign "$TMP/signed/$file"
	check "$TMP/signed/$file" "$from/$file"
done
write_sums "$TMP/signed"
mkdir -p "$OUT/signed"
rm -rf "$to"
mv -T "$TMP/signed" "$to"
signer=$(openssl x509 -in "$TMP/cert.pem" -noout -subject -nameopt RFC2253 | sed 's/^subject=//')
phase_end "${#modules[@]} modules signed by '$signer' in $to"
