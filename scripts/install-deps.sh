#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: install-deps.sh PROGRAM|@GROUP...
#
# Install the programs that are missing.  As root, run the system's package manager and print one line.  As
# another user, print the command to run and exit with 1.  scripts/packages has the programs, their groups
# and their packages.

set -euo pipefail
packages=$(dirname "$0")/packages

# in_group GROUP: Print the programs of the group, one a line.
in_group() { awk -v g="$1" '!/^#/ && index("," $2 ",", "," g ",") { print $1 }' "$packages"; }

# have PROGRAM: Return 0 if the program is installed.
have() { command -v "$1" >/dev/null || [[ -x /usr/sbin/$1 || -x /sbin/$1 ]]; }

# is_there WORD: Return 0 if the program, file or library is installed.  Some programs need a file of another
# package: clang the library for -fsanitize=fuzzer, podman newuidmap (for non-root users), gpg its agent.
is_there() {
	case $1 in
	/*) [[ -e $1 ]] ;;
	lib* | zlib) pkg-config --exists "$1" 2>/dev/null ;;
	clang) have clang && compgen -G "$(clang -print-resource-dir)/lib/*/libclang_rt.fuzzer*.a" >/dev/null ;;
	gpg) have gpg && have gpg-agent ;;
	podman) have podman && have newuidmap ;;
	*) have "$1" ;;
	esac
}

words=()
for word; do
	if [[ $word == @* ]]; then
		mapfile -t -O "${#words[@]}" words < <(in_group "${word#@}")
		[[ -n $(in_group "${word#@}") ]] || { printf 'wgkmod: %s has no group %s\n' "$packages" "$word" >&2 && exit 1; }
	else
		words+=("$word")
	fi
done
missing=()
for word in "${words[@]}"; do
	is_there "$word" || missing+=("$word")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if command -v apt-get >/dev/null; then
	column=3 update='apt-get update && ' manager=(apt-get install --yes --no-install-recommends)
elif command -v dnf >/dev/null; then
	column=4 update='' manager=(dnf --assumeyes install)
else
	printf 'wgkmod: missing here: %s; install them (neither apt-get nor dnf is here to do it)\n' \
		"${missing[*]}" >&2
	exit 1
fi
install=()
for word in "${missing[@]}"; do
	package=$(awk -v w="$word" -v c="$column" '$1 == w { print $c }' "$packages")
	[[ -n $package ]] || {
		printf 'wgkmod: missing here: %s; scripts/packages does not name its package\n' "$word" >&2
		exit 1
	}
	install+=("${package//,/ }")
done
mapfile -t install < <(tr ' ' '\n' <<<"${install[*]}" | sort -u)

if [[ $(id -u) -ne 0 ]]; then
	printf 'wgkmod: missing here: %s; run as root:\n\n    %s%s %s\n\n' \
		"${missing[*]}" "$update" "${manager[*]}" "${install[*]}" >&2
	exit 1
fi
printf '%-9s %s\n' install "${install[*]} (for ${missing[*]})"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
if ! {
	[[ ${manager[0]} != apt-get ]] || apt-get update
	"${manager[@]}" "${install[@]}"
} >"$log" 2>&1 </dev/null; then
	tail -n 15 "$log" >&2
	printf 'wgkmod: the package manager could not install %s\n' "${install[*]}" >&2
	exit 1
fi
for word in "${missing[@]}"; do
	is_there "$word" || {
		printf 'wgkmod: %s was installed, but %s is still missing\n' "${install[*]}" "$word" >&2
		exit 1
	}
done
