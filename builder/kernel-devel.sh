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

# require_compiler DEVEL: sets cc to the compiler that made the kernel; it must be here, word for word.
require_compiler() {
	local text here
	[[ -f $1/.config ]] || die "there is no '$1/.config': this is not a kernel's build tree"
	text=$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\(.*\)"$/\1/p' "$1/.config")
	cc=${text%% *}
	[[ -n $cc ]] || die "the kernel's configuration does not say which compiler made it (CONFIG_CC_VERSION_TEXT)"
	here=$("$cc" --version 2>&1 | sed -n 1p) || die "the kernel was made by '$text', but there is no '$cc' here"
	[[ $here == "$text" ]] || die "the kernel was made by '$text', but the compiler here is '$here': name the package of the former, with its version, in the target's TOOLCHAIN"
}
