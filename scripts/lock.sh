#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: lock.sh TARGET
#
# Resolves what the target's file asks for to files and digests, with the distribution's own
# package manager and signatures, and writes targets/TARGET.lock.  Needs the network.  What
# changed against the lock that was there is printed; a lock that stays the same is not touched.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 1 ]] || die "usage: lock.sh TARGET"
read_target "$1"
phase_begin lock
make_tmp "$OUT"

lock=$TARGET_DIR/$TARGET.lock
printf '# The inputs of %s by digest; written by make lock.\n# STAGE SHA256 LOCATION\n' "$TARGET" >"$TMP/lock"
family_network
family_lock >>"$TMP/lock"

# The same file with another digest is a thing to look at, never to take.
read_known() { awk '!/^#/ && $2 != "-" { print $3, $2 }' "$1" | sort -u; }
if [[ -f $lock ]]; then
	read_known "$lock" >"$TMP/known"
	read_known "$TMP/lock" | join "$TMP/known" - | awk '$2 != $3' >"$TMP/changed"
	[[ ! -s $TMP/changed ]] || die "$(head -n1 "$TMP/changed" | awk -v f="$lock" '{
		print $1 " has the digest " $3 " now, and " $2 " in the lock; if that is meant to be, take its line out of " f }')"
fi

if cmp --silent "$TMP/lock" "$lock"; then
	phase_end "$lock is up to date"
	exit 0
fi
[[ ! -f $lock ]] || diff -U0 "$lock" "$TMP/lock" | grep '^[-+][^-+]' || [[ $? -eq 1 ]]
mv "$TMP/lock" "$lock"
phase_end "$(grep -vc '^#' "$lock") inputs pinned in $lock"
