# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# lib.sh - what the scripts share: messages, phases, target files, locks, the cache.
# Sourced, never run.  After it: TOP, OUT, CACHE and TARGET_DIR are absolute paths.

set -euo pipefail
umask 022
unset CDPATH GREP_OPTIONS TAR_OPTIONS POSIXLY_CORRECT
export LC_ALL=C TZ=UTC
PATH=$PATH:/usr/sbin:/sbin # for depmod and mke2fs: who is not root lacks them on Debian

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
OUT=$(realpath -m "${OUT:-$TOP/out}")
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

# ---- messages -------------------------------------------------------------------------

# die MESSAGE...: one sentence on standard error, exit status 1.
die() {
	printf 'wgkmod: %s\n' "$*" >&2
	exit 1
}

# say PHASE MESSAGE...: one line of a phase's result.
say() {
	local phase=$1
	shift
	printf '%-9s %s\n' "$phase" "$*"
}

now_ms() { date +%s%3N; }

# seconds_since MS: the time since now_ms() gave MS, as "1.2 s".
seconds_since() {
	local ms=$(($(now_ms) - $1))
	printf '%d.%d s\n' $((ms / 1000)) $((ms % 1000 / 100))
}

# ---- phases ---------------------------------------------------------------------------

# phase_begin NAME: opens the phase's log, out/log/TARGET-NAME.log.  A script that ends with an
# error before phase_end shows the end of that log and its name.
phase_begin() {
	PHASE=$1
	LOG=$OUT/log/$TARGET-$PHASE.log
	PHASE_START=$(now_ms)
	mkdir -p "$OUT/log" || die "cannot create '$OUT/log'"
	: >"$LOG" || die "cannot write the log '$LOG'"
	trap on_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# phase_end MESSAGE...: the phase is done; one line says what it did and how long it took.
phase_end() {
	say "$PHASE" "$* ($(seconds_since "$PHASE_START"))"
	PHASE=
}

# full_disk DIR: says so where the file system of DIR has no room left.
full_disk() {
	if [[ -d $1 && $(df --output=avail -k "$1" | tail -n1) -lt 1024 ]]; then
		printf "wgkmod: the file system of '%s' is full\n" "$1" >&2
	fi
}

on_exit() {
	local status=$?
	if [[ $status -ne 0 && -n ${PHASE:-} ]]; then
		[[ $(type -t phase_failed) != function ]] || phase_failed || printf 'wgkmod: no report could be written\n' >&2
		full_disk "${TMP:-$OUT}"
		if [[ -s $LOG ]]; then
			[[ -n $V ]] || tail -n 15 "$LOG" | sed 's/^/  | /' >&2
			printf 'wgkmod: the log of the phase %s is %s\n' "$PHASE" "$LOG" >&2
		fi
		printf 'wgkmod: %s failed\n' "$PHASE" >&2
	fi
	[[ -z ${TMP:-} ]] || rm -rf "$TMP"
	[[ $status -le 1 || $status -eq $EXIT_GONE || $status -ge 128 || -n $NOT_EQUAL ]] || exit 1
}

# not_equal: ends a script that compares: what it compared was read, and is not equal.  Exit status 3,
# which no script ends with otherwise.
not_equal() {
	PHASE='' NOT_EQUAL=1
	exit 3
}

# progress: the last line of what passes by, on the terminal; compile steps are counted.
progress() {
	awk '
		/^ *(CC|AS|LD|AR|PERLASM|MODPOST|HOSTCC) / { n++; $0 = "[" n "] " $0 }
		{ gsub(/\r/, " "); printf "\r\033[K%s", substr($0, 1, 78) > "/dev/stderr"; fflush("/dev/stderr") }
		END { printf "\r\033[K" > "/dev/stderr" }'
}

# logged: copies standard input into the phase's log; shows it with V=1, its last line on a terminal.
logged() {
	if [[ -n $V ]]; then
		tee -a "$LOG" >&2
	elif [[ -t 2 ]]; then
		tee -a "$LOG" | progress
	else
		cat >>"$LOG"
	fi
}

# run COMMAND...: what a phase does: the command is logged, and shown with V=1.  It inherits the
# standard streams and no other (mmdebstrap's shell has trouble with high descriptors).
run() {
	printf '+ %s\n' "${*@Q}" | logged
	"$@" 2>&1 </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- | logged
}

# ---- temporary folders ----------------------------------------------------------------

# make_tmp PARENT: sets TMP to a new folder in PARENT that goes when the script ends.  It is
# locked while in use (descriptor 8); those that a killed run left behind are removed first.
make_tmp() {
	local parent=$1 old
	mkdir -p "$parent" || die "cannot create '$parent'"
	exec 7>"$parent/.lock" || die "cannot write into '$parent'"
	flock 7 || die "cannot lock '$parent'"
	for old in "$parent"/.wgkmod-tmp.*; do
		[[ -d $old && -O $old ]] || continue
		# shellcheck disable=SC2094 # the folder is only locked
		(flock -n 9 && rm -rf "$old") 9<"$old" || continue
	done
	TMP=$(mktemp -d "$parent/.wgkmod-tmp.XXXXXXXX") || die "cannot create a folder in '$parent'"
	chmod 755 "$TMP"
	exec 8<"$TMP"
	flock -n 8 || die "cannot lock '$TMP'"
	exec 7>&-
	trap on_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# ---- targets --------------------------------------------------------------------------

# What families/FAMILY.sh sets: its keys, the programs it needs, also for make lock, and those of
# its mirrors that are only tried in the end.
# shellcheck disable=SC2034 # for those who source this file
family_keys='' family_programs='' family_lock_programs='' family_fallbacks=''

# Every key of a target file.  "!" required, "?" may be left out; a family adds its own.
target_keys='!FAMILY !ARCH !RELEASE !TOOLCHAIN !KERNEL_DEVEL !SOURCE !BTF ?HIDE ?SOURCE_DIR ?COMPILER ?KERNEL_IMAGE ?VM'

# near_targets NAME: the known targets whose names are the nearest by edit distance, one a line.
near_targets() {
	list_targets | awk -v want="$1" '
		function min(a, b) { return a < b ? a : b }
		{
			n = length(want); m = length($0)
			for (j = 0; j <= m; j++) d[0, j] = j
			for (i = 1; i <= n; i++) {
				d[i, 0] = i
				for (j = 1; j <= m; j++) {
					differ = substr(want, i, 1) != substr($0, j, 1)
					d[i, j] = min(min(d[i-1, j], d[i, j-1]) + 1, d[i-1, j-1] + differ)
				}
			}
			print d[n, m], $0
		}' | sort -n | awk 'NR <= 3 { print $2 }'
}

# list_targets: the names in TARGET_DIR, one a line.
list_targets() {
	local file
	for file in "$TARGET_DIR"/*.lock; do
		[[ -f ${file%.lock} ]] && basename "$file" .lock
	done | sort -V
}

# refuse_shipped NAME: exits when targets/ships-wireguard says that this kernel needs no build.
refuse_shipped() {
	local name=$1 distribution first reason version
	[[ -f $TARGET_DIR/ships-wireguard ]] || return 0
	while read -r distribution first reason; do
		[[ $distribution == '' || $distribution == '#'* ]] && continue
		[[ $name == "$distribution"-* ]] || continue
		version=${name#"$distribution"-} version=${version%.x86_64} version=${version%.al8}
		if [[ $(printf '%s\n%s\n' "$first" "$version" | sort -V | head -n1) == "$first" ]]; then
			die "'$name' is refused: $reason"
		fi
	done <"$TARGET_DIR/ships-wireguard"
}

# unset_keys KEYS: no key comes from the environment.
unset_keys() {
	local word words
	read -ra words <<<"$1"
	for word in "${words[@]}"; do unset "${word:1}"; done
}

# read_target NAME: reads TARGET_DIR/NAME; sets TARGET and one variable for each key (empty
# where an optional key is absent), and loads families/FAMILY.sh.  Bad input ends the script
# with file, line and key.
read_target() {
	local name=$1 file=$TARGET_DIR/$1 n=0 line key='' value keys word words seen=' '

	[[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._+-]*$ ]] || die "'$name' is not a target's name"
	refuse_shipped "$name"
	if [[ ! -f $file || $name == *.lock || $name == ships-wireguard ]]; then
		die "unknown target '$name'; the nearest are: $(near_targets "$name" | paste -sd ' ')" \
			"(make targets lists all)"
	fi
	keys=" $target_keys "
	unset_keys "$keys"
	while IFS= read -r line || [[ -n $line ]]; do
		((++n))
		[[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
		if [[ $line =~ ^[[:space:]] ]]; then
			[[ -n $key ]] || die "$file:$n: a continuation line, but no key before it"
			read -r value <<<"$line"
			printf -v "$key" '%s %s' "${!key}" "$value"
			continue
		fi
		[[ $line =~ ^([A-Z_]+)[[:space:]]*=[[:space:]]*(.*)$ ]] ||
			die "$file:$n: '$line' is not of the form KEY = value"
		key=${BASH_REMATCH[1]}
		read -r value <<<"${BASH_REMATCH[2]}" || [[ -n $value ]] || value=''
		[[ $seen != *" $key "* ]] || die "$file:$n: $key is given twice"
		seen+="$key "
		if [[ $key == FAMILY ]]; then
			[[ $value =~ ^[a-z]+$ && -f $TOP/families/$value.sh ]] ||
				die "$file:$n: unknown FAMILY '$value'; there are:" \
					"$(cd "$TOP/families" && printf '%s ' *.sh | sed 's/\.sh//g')"
			# shellcheck source=/dev/null
			. "$TOP/families/$value.sh"
			keys=" $target_keys $family_keys "
			unset_keys "$family_keys"
		elif [[ $seen != *' FAMILY '* ]]; then
			die "$file:$n: FAMILY must be the first key, but $key is"
		fi
		[[ $keys == *" !$key "* || $keys == *" ?$key "* ]] ||
			die "$file:$n: unknown key '$key'"
		printf -v "$key" '%s' "$value"
	done <"$file"
	read -ra words <<<"$keys"
	for word in "${words[@]}"; do
		key=${word:1}
		[[ $word == '?'* || -n ${!key:-} ]] || die "$file:$n: the key $key is missing"
		[[ -n ${!key:-} ]] || printf -v "$key" ''
	done
	[[ $RELEASE =~ ^[A-Za-z0-9][A-Za-z0-9._+-]*$ ]] || die "$file: RELEASE '$RELEASE' is not a kernel release"
	[[ $ARCH == x86_64 ]] || die "$file: ARCH '$ARCH' is not supported; x86_64 is"
	[[ $BTF == off ]] || die "$file: BTF '$BTF' is not supported; off is"
	[[ -z $SOURCE_DIR || ($SOURCE_DIR =~ ^/build/[A-Za-z0-9._+/-]+[A-Za-z0-9]$ && $SOURCE_DIR != *..*) ]] ||
		die "$file: SOURCE_DIR '$SOURCE_DIR' is not a folder below /build/, where alone the build can write"
	# shellcheck disable=SC2034 # for those who source this file
	TARGET=$name
}

# ---- what the bits come from ----------------------------------------------------------

# image_files: the project's files that go into the builder image of the target that was read, by
# their paths below TOP, a line each.
image_files() {
	printf '%s\n' Containerfile build.sh closure.sh kernel.sh offline.sh sources.sh "families/$FAMILY.sh"
	(cd "$TOP" && find crypto src -type f \( -name '*.[ch]' -o -name Makefile -o -name 'Kbuild*' \) | sort)
}

# host_files: those that make the rest on the host, from the lock to the bundle.
host_files() {
	printf 'scripts/%s\n' artifacts.sh bundle.sh fetch.sh image.sh lib.sh podman.sh provenance.sh sbom.jq sbom.sh stage.sh
}

# target_inputs: "KEY = VALUE" of the target that was read, less what only a VM needs.
target_inputs() {
	local word words
	read -ra words <<<"$target_keys $family_keys"
	for word in "${words[@]:1}"; do
		word=${word:1}
		[[ $word == KERNEL_IMAGE || $word == VM || -z ${!word} ]] || printf '%s = %s\n' "$word" "${!word}"
	done | { printf 'FAMILY = %s\n' "$FAMILY" && sort; }
}

# lock_inputs: the lines of the lock of the target that was read that the build needs.
lock_inputs() {
	local i
	for i in "${!LOCK_SHA256[@]}"; do
		[[ ${LOCK_STAGE[i]} == vm ]] || printf '%s %s %s\n' "${LOCK_STAGE[i]}" "${LOCK_SHA256[i]}" "${LOCK_WHERE[i]}"
	done
}

# ---- locks ----------------------------------------------------------------------------

# A lock has a line for each input: STAGE SHA256 LOCATION.  The stage says what needs it (base,
# toolchain, source, vm); the digest is "-" where it is not known yet; the location is a path
# below a mirror, an https address, or docker://IMAGE for a base image.

# is_kernel_image LOCATION: whether the file is a package that the target's KERNEL_IMAGE names, as
# NAME=VERSION (deb: NAME_VERSION_ARCH.deb) or as NAME (rpm: NAME.rpm).
is_kernel_image() {
	local file=${1##*/} word words
	file=${file//%2b/+} file=${file//%7e/\~}
	read -ra words <<<"$KERNEL_IMAGE"
	for word in "${words[@]}"; do
		[[ $file != "${word/=/_}"_* && $file != "$word.rpm" ]] || return 0
	done
	return 1
}

# read_lock NAME [STAGE...]: sets LOCK_STAGE, LOCK_SHA256, LOCK_WHERE (arrays of equal length);
# only the stages named, where any are; "kernel" is what of the stage vm KERNEL_IMAGE names.  Exits
# on a malformed or missing lock.
read_lock() {
	local file=$TARGET_DIR/$1.lock n=0 stage sha where rest stages
	shift
	stages=" $* "
	LOCK_STAGE=() LOCK_SHA256=() LOCK_WHERE=()
	[[ -f $file ]] || die "there is no lock '$file'; run: make lock TARGET=$TARGET"
	while read -r stage sha where rest || [[ -n $stage ]]; do
		((++n))
		[[ $stage == '' || $stage == '#'* ]] && continue
		[[ $stage =~ ^(base|toolchain|source|vm)$ && $sha =~ ^(-|[0-9a-f]{64})$ &&
			$where =~ ^[A-Za-z0-9][A-Za-z0-9._+~:/@%-]*$ && $where != *..* && -z $rest ]] ||
			die "$file:$n: not of the form STAGE SHA256 LOCATION"
		[[ $# -eq 0 || $stages == *" $stage "* ||
			($stages == *' kernel '* && $stage == vm) ]] || continue
		[[ $# -eq 0 || $stages == *" $stage "* ]] || is_kernel_image "$where" || continue
		LOCK_STAGE+=("$stage") LOCK_SHA256+=("$sha") LOCK_WHERE+=("$where")
	done <"$file"
}

# require_complete_lock NAME: refuses a lock (as read by read_lock) with an unknown digest.
require_complete_lock() {
	local i missing=() where
	for i in "${!LOCK_SHA256[@]}"; do
		[[ ${LOCK_SHA256[i]} != - ]] || missing+=("${LOCK_WHERE[i]##*/}")
	done
	[[ ${#missing[@]} -gt 0 || ${#LOCK_SHA256[@]} -eq 0 ]] || return 0
	where=${missing[*]:-all of them}
	die "the lock of '$1' is not complete: no digest is known for $where;" \
		"run 'make lock TARGET=$1' where the distribution's mirrors can be reached"
}

# ---- the cache ------------------------------------------------------------------------

cached() { printf '%s/sha256/%s\n' "$CACHE" "$1"; }

# image_blobs MANIFEST: the digests of what an image's manifest names (OCI image-spec, manifest.md;
# Docker's schema 2 has the same fields).
image_blobs() {
	jq --raw-output '.config, .layers[] | .digest | sub("^sha256:"; "")' "$1"
}

# check_cached: verifies that each file of the lock that is in the cache has its digest, an image's
# blobs included; sets MISSING to the indexes of those that are not (whole) there.  A damaged file
# ends the script.
check_cached() {
	local i file blob blobs whole
	MISSING=()
	for i in "${!LOCK_SHA256[@]}"; do
		file=$(cached "${LOCK_SHA256[i]}") whole=1
		if [[ ! -f $file ]]; then
			MISSING+=("$i")
			continue
		fi
		printf '%s  %s\n' "${LOCK_SHA256[i]}" "$file"
		[[ ${LOCK_WHERE[i]} == docker://* ]] || continue
		blobs=$(image_blobs "$file") || die "the image manifest '$file' in the cache cannot be read"
		for blob in $blobs; do
			[[ -f $(cached "$blob") ]] || whole=
			[[ -z $whole ]] || printf '%s  %s\n' "$blob" "$(cached "$blob")"
		done
		[[ -n $whole ]] || MISSING+=("$i")
	done >"$TMP/in-cache"
	[[ -s $TMP/in-cache ]] || return 0
	if ! sha256sum --check --quiet "$TMP/in-cache" >"$TMP/damaged" 2>/dev/null; then
		die_damaged "$(sed -n '1s/: FAILED.*//p' "$TMP/damaged")"
	fi
}

die_damaged() {
	local i name=
	for i in "${!LOCK_SHA256[@]}"; do
		[[ $1 != */"${LOCK_SHA256[i]}" ]] || name=${LOCK_WHERE[i]##*/}
	done
	die "the cache is damaged: '$1' ($name) does not have the digest it is named by;" \
		"remove that file and run the command again"
}

# ---- modules --------------------------------------------------------------------------

# plain_module FILE: the module in FILE, not compressed, on standard output.
plain_module() {
	case $1 in
	*.ko) cat "$1" ;;
	*.gz) gzip -dc "$1" ;;
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -dcq "$1" ;;
	*) die "'$1' is compressed in a way that is not known here" ;;
	esac
}
