# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# kernel-devel.sh - functions on a kernel's build tree, for closure.sh, build.sh and list-sources.sh.  Sourced.

# die MESSAGE...: Print the message on standard error and exit with 1.
die() {
	printf 'wgkmod: %s\n' "$*" >&2
	exit 1
}

# kernel_release DEVEL: Print the release of the build tree's kernel.
kernel_release() { sed -n 's/^#define UTS_RELEASE "\(.*\)"$/\1/p' "$1/include/generated/utsrelease.h"; }

# kernel_makefile DEVEL: Print the path of the kernel's top Makefile: the build tree's own, or the one
# that it includes (Debian has one directory of sources for all its flavours).
kernel_makefile() {
	local included
	included=$(sed -n 's/^include \(\/.*\/Makefile\)$/\1/p' "$1/Makefile")
	printf '%s\n' "${included:-$1/Makefile}"
}

# require_symvers DEVEL: Refuse a build tree without Module.symvers: modpost would make modules without
# symbol versions.
require_symvers() {
	[[ -s $1/Module.symvers ]] ||
		die "there is no '$1/Module.symvers': without it modules carry no symbol versions"
}

# compiler_text DEVEL: Print the version text of the compiler that made the kernel.
compiler_text() { sed -n 's/^CONFIG_CC_VERSION_TEXT="\(.*\)"$/\1/p' "$1/.config"; }

# compiler_base TEXT: Print a compiler's version text without the vendor's bracket: name, version and
# snapshot, as upstream has them.  The bracket is at the end, as in "gcc (GCC) 10.2.1 20200825 (Alibaba
# 10.2.1-3 2.32)", or after the name, as in "gcc-10 (Debian 10.2.1-6) 10.2.1 20210110".
compiler_base() {
	if [[ $1 == *')' ]]; then
		printf '%s\n' "${1% (*}"
	else
		printf '%s%s\n' "${1%% (*}" "${1#*)}"
	fi
}

# compiler_part TEXT PART: Print one part of a compiler's version text: version, snapshot,
# "package revision" or libc.
compiler_part() {
	local bracket=${1##* (} base
	bracket=${bracket%%)*}
	base=$(compiler_base "$1" | sed 's/ ([^)]*)//')
	case $2 in
	version) awk '{ print $2 }' <<<"$base" ;;
	snapshot) awk '{ print $3 }' <<<"$base" ;;
	'package revision') awk '{ print $2 }' <<<"$bracket" ;;
	libc) awk '{ print $3 }' <<<"$bracket" ;;
	esac
}

# compiler_refusal TEXT HERE: Print why the compiler HERE may not stand in for TEXT: which parts differ,
# and what to change in the target.
compiler_refusal() {
	local part differ=() name='name the package of the former'
	for part in version snapshot 'package revision' libc; do
		[[ $(compiler_part "$1" "$part") == "$(compiler_part "$2" "$part")" ]] ||
			differ+=("$part ($(compiler_part "$1" "$part") there, $(compiler_part "$2" "$part") here)")
	done
	printf "the kernel was made by '%s', but the compiler here is '%s': they differ in the %s; " "$1" "$2" \
		"$(IFS=, && printf '%s' "${differ[*]:-name}" | sed 's/,\([^ ]\)/, \1/g')"
	if [[ $(compiler_base "$1") == "$(compiler_base "$2")" ]]; then
		printf '%s in TOOLCHAIN, or, to let the latter stand in, add this line to the target: COMPILER = %s\n' "$name" "$2"
	else
		printf 'a compiler of another version or snapshot may not stand in: %s, with its version, in TOOLCHAIN\n' "$name"
	fi
}

# require_compiler DEVEL [COMPILER]: Set cc to the compiler that made the kernel.  The version text of the
# installed one must be equal, or be the text COMPILER that the target names, which may differ only in the
# vendor's bracket.  In the second case set stands_in to COMPILER, else to nothing.
require_compiler() {
	local text here
	[[ -f $1/.config ]] || die "there is no '$1/.config': this is not a kernel's build tree"
	text=$(compiler_text "$1")
	cc=${text%% *} stands_in=
	[[ -n $cc ]] || die "the kernel's configuration does not say which compiler made it (CONFIG_CC_VERSION_TEXT)"
	here=$("$cc" --version 2>&1 | sed -n 1p) || die "the kernel was made by '$text', but there is no '$cc' here"
	[[ $here != "$text" ]] || return 0
	[[ $here == "${2:-}" && $(compiler_base "$here") == "$(compiler_base "$text")" ]] ||
		die "$(compiler_refusal "$text" "$here")"
	# shellcheck disable=SC2034 # for those who source this file
	stands_in=$here
}
