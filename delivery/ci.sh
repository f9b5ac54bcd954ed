#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: ci.sh plan|build|boot|publish|maintain|verify|all
#
# A step of the CI in ci/github/ and ci/gitlab/, or all of them here, one after the other.
#
#   plan      print the matrix of the targets whose inputs are not those of the published index
#   build     build the targets TARGETS
#   boot      prove them: each kernel in a VM with a tunnel, and parity where the vendor ships WireGuard
#   publish   sign the bundles of TARGETS in out/, add them to a copy of the published web root, and leave that in DEST
#   maintain  withdraw published kernels (WITHDRAW=, WHY=), or sign all again with a new key (OLD_KEY=)
#   verify    copy what is published, verify all of it, and see an altered copy refused
#
#   REPLACE=X        as for make publish, but "changed" if empty: replace a bundle whose inputs changed
#   SITE=URL         the address of the published web root; empty before the first time
#   PUBLIC_KEY=FILE  the public key that verifies it; SIGN_KEY=FILE the secret key, for publish and maintain
#   DEST=DIR         the web root that publish and maintain make
#   TARGETS="A B"    the targets of this job; SHARDS=N as for make matrix

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 1 ]] || die "usage: ci.sh plan|build|boot|publish|maintain|verify|all"
SITE=${SITE:-} PUBLIC_KEY=${PUBLIC_KEY:-} DEST=${DEST:-} TARGETS=${TARGETS:-} SIGN_KEY=${SIGN_KEY:-}

# require NAME...: Exit unless each of the variables has a value.
require() {
	local name
	for name; do
		[[ -n ${!name:-} ]] || die "the step needs $name="
	done
}

# run_make ARGUMENT...: Run make without directory messages.
run_make() { make --no-print-directory -C "$TOP" "$@"; }

plan() {
	"$TOP/scripts/install-deps.sh" @publish >&2
	if [[ -n $SITE ]]; then
		require PUBLIC_KEY
		"$DELIVERY/pull.sh" "$SITE" --index "$PUBLIC_KEY" >"$TMP/index.json"
	fi
	run_make --silent matrix PUBLISHED="$TMP/index.json"
}

build() {
	local name names
	require TARGETS
	run_make artifacts TARGETS="$TARGETS"
	read -ra names <<<"$TARGETS"
	for name in "${names[@]}"; do "$TOP/scripts/bundle.sh" "$name"; done # a bundle for each kernel
}

boot() {
	require TARGETS
	run_make prove TARGETS="$TARGETS"
}

publish() {
	local name names
	require TARGETS DEST SIGN_KEY
	"$TOP/scripts/install-deps.sh" @publish
	if [[ -n $SITE ]]; then
		require PUBLIC_KEY
		"$DELIVERY/pull.sh" "$SITE" "$DEST" "$PUBLIC_KEY"
	fi
	# not make publish: where the key is, nothing is built
	read -ra names <<<"$TARGETS"
	for name in "${names[@]}"; do
		SIGN_KEY=$SIGN_KEY "$TOP/scripts/bundle.sh" "$name"
	done
	SIGN_KEY=$SIGN_KEY REPLACE=${REPLACE:-changed} "$DELIVERY/publish.sh" "$DEST" "${names[@]}"
}

maintain() {
	require SITE DEST SIGN_KEY PUBLIC_KEY
	[[ -n ${WITHDRAW:-}${OLD_KEY:-} ]] || die "the step needs WITHDRAW= and WHY=, or OLD_KEY="
	"$TOP/scripts/install-deps.sh" @publish
	"$DELIVERY/pull.sh" "$SITE" "$DEST" "${OLD_KEY:-$PUBLIC_KEY}"
	SIGN_KEY=$SIGN_KEY "$DELIVERY/publish.sh" "$DEST"
}

verify() {
	local file
	require SITE PUBLIC_KEY
	"$TOP/scripts/install-deps.sh" @publish
	"$DELIVERY/pull.sh" "$SITE" "$TMP/pulled" "$PUBLIC_KEY"
	# a bundle, if there is one
	file=$(find -L "$TMP/pulled" -name '*.tar' -printf '%P\n' | sort | sed -n 1p)
	cp --recursive --dereference "$TMP/pulled" "$TMP/altered"
	printf '\1' | dd of="$TMP/altered/${file:-index.html}" bs=1 seek=1000 conv=notrunc status=none
	if "$DELIVERY/pull.sh" "file://$TMP/altered" "$TMP/refused" "$PUBLIC_KEY" 2>"$TMP/said"; then
		die "a copy of '$SITE' with an altered byte was accepted"
	fi
	grep -q 'does not have the digest' "$TMP/said" || die "a copy with an altered byte was refused for another reason:" \
		"$(tail -n 1 "$TMP/said")"
	say verify "a copy with an altered byte is refused"
}

all() {
	local matrix key=$SIGN_KEY
	require DEST SIGN_KEY PUBLIC_KEY
	[[ -f $SIGN_KEY ]] || die "there is no key '$SIGN_KEY'"
	SIGN_KEY=
	[[ ! -L $DEST ]] || SITE=file://$(realpath "$DEST")
	matrix=$(plan)
	TARGETS=$(jq --raw-output '[.include[].targets] | join(" ")' <<<"$matrix")
	if [[ -z $TARGETS ]]; then
		say ci "nothing changed"
		return
	fi
	build
	boot
	SIGN_KEY=$key
	publish
	SIGN_KEY=
	SITE=file://$(realpath "$DEST")
	verify
}

case $1 in
plan | build | boot | verify)
	[[ -z $SIGN_KEY ]] || die "the step '$1' sees SIGN_KEY, which only 'publish' and 'maintain' may see:" \
		"give it to those jobs alone, on GitLab by the environment scope 'release'"
	;;
publish | maintain | all) ;;
*) die "'$1' is not a step: plan, build, boot, publish, maintain, verify, all" ;;
esac
make_tmp "$OUT"
"$1"
