#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: lock.sh TARGET
#
# Resolve what the target's file asks for to files and digests, by the distribution's own package manager and
# signatures.  Download all of it into the cache, and write targets/TARGET.lock.  Needs the network.  Print what
# changed against the former lock; do not touch a lock that stays the same.  On failure, write the versions and
# addresses that were tried to out/log/TARGET-lock-report.txt.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 1 ]] || die "usage: lock.sh TARGET"
read_target "$1"
phase_begin lock
make_tmp "$OUT"

lock=$TARGET_DIR/$TARGET.lock
report=$OUT/log/$TARGET-lock-report.txt
rm -f "$report"

# phase_failed: Write the family's report, if the family has one.
phase_failed() {
	declare -F family_report >/dev/null || return 0
	family_report 2>&1 | plain >"$report"
	printf 'wgkmod: what was found out is in %s: send it with a question\n' "$report" >&2
}

# fetch_lines FILE STAGE...: Download the files of these stages of the lock in FILE into the cache.
fetch_lines() {
	local file=$1
	shift
	mkdir -p "$TMP/targets"
	cp "$TARGET_DIR/$TARGET" "$TMP/targets/"
	cp "$file" "$TMP/targets/$TARGET.lock"
	TARGET_DIR=$TMP/targets "$TOP/scripts/fetch.sh" "$TARGET" "$@" >&2
}

printf '# The inputs of %s by digest; written by make lock.\n# STAGE SHA256 LOCATION\n' "$TARGET" >"$TMP/lock"
family_network
family_lock >>"$TMP/lock"
[[ ! -f $TMP/wants-report ]] || phase_failed

# Refuse a file that had another digest in the former lock: a person has to look at it.
read_known() { awk '!/^#/ && $2 != "-" { print $3, $2 }' "$1" | sort -u; }
if [[ -f $lock ]]; then
	read_known "$lock" >"$TMP/known"
	read_known "$TMP/lock" | join "$TMP/known" - | awk '$2 != $3' >"$TMP/changed"
	[[ ! -s $TMP/changed ]] || die "$(head -n1 "$TMP/changed" | awk -v f="$lock" '{
		print $1 " has the digest " $3 " now, and " $2 " in the lock; if that is meant to be, take its line out of " f }')"
fi

# Pin nothing that cannot be downloaded.  A lock without the files that only the VM boots is enough for a build.
fetch_lines "$TMP/lock" base toolchain source
status=0
! grep -q '^vm ' "$TMP/lock" || fetch_lines "$TMP/lock" vm || status=$?
if [[ $status -eq $EXIT_GONE ]]; then
	sed -i '/^vm /d' "$TMP/lock"
	say lock 'the lock is complete for the build, but without what only the VM boots: no mirror has it any more'
elif [[ $status -ne 0 ]]; then
	exit 1
fi

if cmp --silent "$TMP/lock" "$lock"; then
	phase_end "$lock is up to date"
	exit 0
fi
[[ ! -f $lock ]] || diff -U0 "$lock" "$TMP/lock" | grep '^[-+][^-+]' || [[ $? -eq 1 ]]
mv "$TMP/lock" "$lock"
phase_end "$(grep -vc '^#' "$lock") inputs pinned in $lock"
