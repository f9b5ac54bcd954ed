#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: prove.sh TARGET
#
# Run the proofs that a bundle needs before it is published, and write their results beside it, to
# out/RELEASE/wireguard-RELEASE.tar.proofs.json: an in-toto statement whose subject is the bundle by digest.  The
# proofs are the boot with a tunnel, and parity where the vendor ships WireGuard (HIDE in the target).  With REPRO=1
# build it twice more, once under all variations of make repro but those in WITHOUT (root).  If the statement is there
# already, do nothing.  The statement has no figure that differs from run to run.
#
# With MODULE_KEY, the bundle is that of out/signed/: the proofs are run on the modules without signatures, and each
# signed module has to be one of these and a signature, as scripts/sign-modules.sh makes them.

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 1 ]] || die "usage: prove.sh TARGET"
read_target "$1"
unset SIGN_KEY # no proof needs it

bundle=$(bundle_file "$RELEASE")
statement=$bundle.proofs.json
[[ -f $bundle ]] || die "there is no '$bundle'; run: make bundle TARGET=$TARGET"
require_output
if [[ -n ${MODULE_KEY:-} ]]; then
	while read -r _ file; do
		[[ $file != *.ko ]] || cmp -s -n "$(stat -c %s "$OUT/$RELEASE/$file")" "$OUT/$RELEASE/$file" "${bundle%/*}/$file" ||
			die "'${bundle%/*}/$file' is not '$OUT/$RELEASE/$file' with a signature; run: make bundle TARGET=$TARGET"
	done <"$OUT/$RELEASE/SHA256SUMS"
fi
sha=$(digest_of "$bundle")
if statement_covers "$statement" "$sha" &&
	{ [[ -z ${REPRO:-} ]] || statement_has_repro "$statement"; }; then
	say proofs "$statement is there"
	exit 0
fi

parity='not applicable' repro='not run'
if [[ -n ${REPRO:-} ]]; then
	env -u VARY "$TOP/tests/run/repro.sh" "$TARGET" ||
		die "'$TARGET' is not shown to be reproducible; without REPRO=1 it is published without that"
	cmp -s "$OUT/$RELEASE/SHA256SUMS" "$OUT/repro/first/made/SHA256SUMS" ||
		die "'$OUT/$RELEASE' is not what make repro built; remove it and run the command again"
	repro=passed
fi
"$TOP/tests/run/proofs.sh" boot "$TARGET" ||
	die "'$TARGET' cannot be published: it did not boot with a tunnel; UNPROVEN=1 publishes it without that"
if [[ -n $HIDE ]]; then
	"$TOP/tests/run/proofs.sh" parity "$TARGET" ||
		die "'$TARGET' cannot be published: its modules are not shown to be the vendor's code;" \
			"UNPROVEN=1 publishes it without that"
	parity=passed
fi
# The proofs read out/RELEASE, and the boot makes the bundle again: it must be the same one.
[[ $(digest_of "$bundle") == "$sha" ]] || die "'$bundle' changed while it was proved; run the command again"

make_tmp "$OUT"
jq --null-input --sort-keys --arg name "${bundle##*/}" --arg sha "$sha" --arg parity "$parity" --arg repro "$repro" '{
	_type: "https://in-toto.io/Statement/v1",
	subject: [{name: $name, digest: {sha256: $sha}}],
	predicateType: "urn:wgkmod:proofs:v1",
	predicate: {boot: "passed", parity: $parity, repro: $repro}
}' >"$TMP/statement"
mv -T "$TMP/statement" "$statement"
say proofs "boot passed, parity $parity, repro $repro: $statement"
