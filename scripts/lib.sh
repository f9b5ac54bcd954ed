# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# lib.sh - what the scripts share: their environment, and all of lib/ but podman.sh.
# Sourced, never run.  After it: TOP, OUT, CACHE and TARGET_DIR are absolute paths.

set -euo pipefail
umask 022
unset CDPATH GREP_OPTIONS TAR_OPTIONS POSIXLY_CORRECT GZIP XZ_OPT XZ_DEFAULTS
export LC_ALL=C TZ=UTC
PATH=$PATH:/usr/sbin:/sbin # for depmod and mke2fs: who is not root lacks them on Debian

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
OUT=$(realpath -m "${OUT:-$TOP/out}")
[[ $OUT != *:* ]] || {
	printf "wgkmod: OUT '%s': podman cannot mount a path with a colon\n" "$OUT" >&2
	exit 1
}
CACHE=$(realpath -m "${CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/wgkmod}")
TARGET_DIR=$(realpath -m "${TARGET_DIR:-$TOP/targets}")
V=${V:-} V=${V#0}
# Seconds that a server may keep a download waiting before the next one is asked.
PATIENCE=${PATIENCE:-60}
# The temporary folder of make_tmp, removed at the end: never one that the environment names.
unset TMP PHASE NOT_EQUAL
TMP='' PHASE='' NOT_EQUAL=''

# The exit status of fetch, and of those who call it, where the mirrors no longer have an input.
EXIT_GONE=69

# What the user has configured for curl and jq is not for the calls here; proxies are, by the environment.
curl() { command curl -q "$@"; }
jq() { HOME=/nonexistent command jq "$@"; }

# shellcheck source=scripts/lib/log.sh
. "$TOP/scripts/lib/log.sh"
# shellcheck source=scripts/lib/directory.sh
. "$TOP/scripts/lib/directory.sh"
# shellcheck source=scripts/lib/target.sh
. "$TOP/scripts/lib/target.sh"
# shellcheck source=scripts/lib/lock.sh
. "$TOP/scripts/lib/lock.sh"
# shellcheck source=scripts/lib/output.sh
. "$TOP/scripts/lib/output.sh"
