# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# kernel-devel.sh - what closure.sh and build.sh both ask of a kernel's build tree.  Sourced.

die() {
	printf 'wgkmod: %s\n' "$*" >&2
	exit 1
}

# kernel_release DEVEL: the release that the build tree is of.
kernel_release() { sed -n 's/^#define UTS_RELEASE "\(.*\)"$/\1/p' "$1/include/generated/utsrelease.h"; }

# kernel_makefile DEVEL: the Makefile of the kernel's source that the build tree stands for: its own,
# or the one that it includes (Debian has one folder of sources for all its flavours).
kernel_makefile() {
	local included
	included=$(sed -n 's/^include \(\/.*\/Makefile\)$/\1/p' "$1/Makefile")
	printf '%s\n' "${included:-$1/Makefile}"
}

# require_symvers DEVEL: without it modpost makes modules that carry no symbol versions.
require_symvers() {
	[[ -s $1/Module.symvers ]] ||
		die "there is no '$1/Module.symvers': without it modules carry no symbol versions"
}

# compiler_text DEVEL: what the kernel says of the compiler that made it.
compiler_text() { sed -n 's/^CONFIG_CC_VERSION_TEXT="\(.*\)"$/\1/p' "$1/.config"; }

# compiler_base TEXT: a compiler's text without the vendor's bracket: name, version and snapshot, as
# upstream has them.  "gcc (GCC) 10.2.1 20200825 (Alibaba 10.2.1-3 2.32)" has it at the end, "gcc-10
# (Debian 10.2.1-6) 10.2.1 20210110" after the name.
compiler_base() {
	if [[ $1 == *')' ]]; then
		printf '%s\n' "${1% (*}"
	else
		printf '%s%s\n' "${1%% (*}" "${1#*)}"
	fi
}

# compiler_part TEXT PART: of such a text the version, the snapshot, the "package revision" or the libc.
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

# compiler_refusal TEXT HERE: why HERE may not stand in for TEXT: which part of it differs, and what to
# add to the target.
compiler_refusal() {
	local part differ=()
	for part in version snapshot 'package revision' libc; do
		[[ $(compiler_part "$1" "$part") == "$(compiler_part "$2" "$part")" ]] ||
			differ+=("$part ($(compiler_part "$1" "$part") there, $(compiler_part "$2" "$part") here)")
	done
	printf "the kernel was made by '%s', but the compiler here is '%s': they differ in the %s; " "$1" "$2" \
		"$(IFS=, && printf '%s' "${differ[*]:-name}" | sed 's/,\([^ ]\)/, \1/g')"
	if [[ $(compiler_base "$1") == "$(compiler_base "$2")" ]]; then
		printf 'name the package of the former in TOOLCHAIN, or, to let the latter stand in, add this line to the target: COMPILER = %s\n' "$2"
	else
		printf 'a compiler of another version or snapshot may not stand in: name the package of the former, with its version, in TOOLCHAIN\n'
	fi
}

# require_compiler DEVEL [COMPILER]: sets cc to the compiler that made the kernel; it must be here, word
# for word, or else the one that the target names as COMPILER, if only the vendor's bracket differs.
# Sets stands_in to the text of the latter where it is taken.
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
