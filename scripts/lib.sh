# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# lib.sh - the environment of all scripts, and the functions in lib/, except podman.sh.
# Sourced, never run.  Sets TOP, OUT, CACHE and TARGET_DIR to absolute paths.

set -euo pipefail
umask 022
unset CDPATH GREP_OPTIONS TAR_OPTIONS POSIXLY_CORRECT GZIP XZ_OPT XZ_DEFAULTS
export LC_ALL=C TZ=UTC
PATH=$PATH:/usr/sbin:/sbin # for depmod and mke2fs: Debian's PATH for non-root users lacks these directories

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
OUT=$(realpath -m "${OUT:-$TOP/out}")
[[ $OUT != *:* ]] || {
	printf "wgkmod: OUT '%s': podman cannot mount a path with a colon\n" "$OUT" >&2
	exit 1
}
CACHE=$(realpath -m "${CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/wgkmod}")
TARGET_DIR=$(realpath -m "${TARGET_DIR:-$TOP/targets}")
V=${V:-} V=${V#0}
# Seconds without data after which a download tries the next server.
PATIENCE=${PATIENCE:-60}
# make_tmp sets TMP, own_storage RUN_ROOT, and the end of the script removes both: never take them from the environment.
unset TMP RUN_ROOT PHASE NOT_EQUAL
TMP='' PHASE='' NOT_EQUAL=''

# The exit status of fetch.sh and its callers if the mirrors no longer have an input.
EXIT_GONE=69

# Run curl and jq without the user's configuration files.  Proxies still come from the environment.
curl() { command curl -q "$@"; }
jq() { HOME=/nonexistent command jq "$@"; }

# curl_is VERSION: Return 0 if curl has this version or a later one.
curl_is() {
	local here
	here=$(curl --version | sed -n '1s/^curl \([0-9.]*\).*/\1/p')
	[[ $(printf '%s\n' "$1" "$here" | sort -V | sed -n 1p) == "$1" ]]
}

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
