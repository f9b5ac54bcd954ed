#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: build.sh [DIR]
#
# Build the modules in the empty directory DIR (/build, a tmpfs).  Runs inside the builder image, without
# network and with a read-only root.  Write a tar of the output to standard output and everything else to
# standard error.

set -euo pipefail
# shellcheck source=builder/kernel-devel.sh
. /wgkmod/kernel-devel.sh

build=${1:-/build}

# Set the whole environment here: nothing of the host may reach the bits.
while read -r name; do
	case $name in
	PATH | HOME | PWD | SHLVL | _) ;;
	*) unset "$name" 2>/dev/null || die "cannot clear $name" ;;
	esac
done < <(compgen -e)
umask 022
export HOME=$build PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=0
export KBUILD_BUILD_USER=wgkmod KBUILD_BUILD_HOST=wgkmod KBUILD_BUILD_TIMESTAMP='1970-01-01 00:00:00 UTC'

out=$build/out
devel=$(readlink -f /kernel/devel)
source_dir=$(cat /wgkmod/source-dir)
src=${source_dir:-$build/src} # the source that is compiled
obj=$src                      # the objects
release=$(kernel_release "$devel")
mapfile -t modules </kernel/modules
mapfile -t config </kernel/config

# modinfo_field FILE FIELD: Print the values of FIELD in a module's .modinfo, one a line.
modinfo_field() {
	objcopy -O binary --only-section=.modinfo "$1" "$build/modinfo"
	tr '\0' '\n' <"$build/modinfo" | sed -n "s/^$2=//p"
}

# use_source_dir: Give the compiler the paths of the distribution's own build.  UBSAN's strings hold
# paths that no prefix map changes.  The directory gets links to the files of kernel-devel; the slice
# then replaces some of them.
use_source_dir() {
	local common
	common=$(kernel_makefile "$devel")
	obj=$build/obj
	mkdir -p "$obj"
	cp -Rs "${common%/Makefile}/." "$src"
	kbuild=(make -C "$devel" -f "$src/Makefile" O="$devel" MO="$obj")
}

# compile: Build all modules of the closure in one call of kbuild.
compile() {
	local dir map flags log=$build/log kbuild=(make -C "$devel")
	local asm=/wgkmod/crypto/file-symbol.h
	mkdir -p "$src"
	[[ -z $source_dir ]] || use_source_dir
	cp -R --remove-destination /kernel/slice/. "$src"
	cp /wgkmod/crypto/Kbuild "$src/Kbuild"
	while read -r dir; do
		[[ ! -e $src/$dir/Kbuild ]] ||
			die "the directory '$dir' of the kernel's source has its own Kbuild file, where the filter would go"
		cp /wgkmod/crypto/Kbuild.filter "$src/$dir/Kbuild"
	done < <(printf '%s\n' "${modules[@]%/*}" | sort -u)

	# Paths are relative, as in the kernel's own tree.  CONFIG_X=m on make's command line does not reach
	# C, so the flags define it.  BTF is off: most build trees lack the vmlinux that it needs.
	map="-ffile-prefix-map=$src/="
	flags=$(printf '%s\n' "${config[@]}" | sed 's/=m$/_MODULE=1/; s/=y$/=1/; s/^/-D/' | paste -sd ' ')
	"${kbuild[@]}" M="$src" CC="$cc" WGKMOD_SRC="$src" WGKMOD_MODULES="${modules[*]}" \
		KCFLAGS="$map $flags" KAFLAGS="$map -include $asm -Wa,--debug-prefix-map=$src/= $flags" "${config[@]}" \
		CONFIG_DEBUG_INFO_BTF_MODULES= -j"$(($(nproc) + 1))" modules 2>&1 | tee "$log" >&2 || die "kbuild failed"
	judge_warnings "$log"
}

# judge_warnings LOG: Stop the build on a warning that a module does not fit the kernel or differs from
# its source.  These are modpost's warnings about undefined symbols, symbols without a version or of
# another namespace, a missing Module.symvers, and references between sections.  Show all other warnings.
judge_warnings() {
	local line matter='undefined!|has no CRC|no symbol version|version generation failed|symbol will not be versioned'
	matter+='|missing MODULE_LICENSE|from namespace|Symbol version dump|Module\.symvers is missing|[Ss]ection mismatch'
	while IFS= read -r line; do
		! grep -Eq "$matter" <<<"$line" || die "kbuild warned: $line"
		printf 'wgkmod: kbuild warned, but the modules still fit: %s\n' "$line" >&2
	done < <(grep -E '^WARNING|warning: ' "$1" || [[ $? -eq 1 ]])
}

# find_needed: Set needed to wireguard and all modules that it depends on, by modpost's depends field.
# Kconfig also selects modules of which no symbol is used; those are not delivered.
find_needed() {
	local -A seen=()
	local -a queue=(wireguard)
	local name module
	needed=()
	while [[ ${#queue[@]} -gt 0 ]]; do
		name=${queue[0]} queue=("${queue[@]:1}")
		for module in "${modules[@]}"; do
			[[ ${module##*/} == "$name" || ${module##*/} == "${name//_/-}" ]] || continue
			[[ -f $obj/$module.ko ]] || die "kbuild made no '$module.ko'"
			[[ -z ${seen[$module]:-} ]] || continue
			seen[$module]=1
			needed+=("$module")
			mapfile -t -O "${#queue[@]}" queue < <(modinfo_field "$obj/$module.ko" depends |
				tr ',' '\n' | sed '/^$/d')
		done
	done
}

# collect: Put the stripped modules into out/modules, in the kernel's layout, and their debug data into
# out/debug.
collect() {
	local module ko
	for module in "${needed[@]}"; do
		ko=$out/modules/kernel/$module.ko
		mkdir -p "${ko%/*}" "$out/debug/kernel/${module%/*}"
		objcopy --only-keep-debug "$obj/$module.ko" "$out/debug/kernel/$module.ko.debug"
		objcopy --strip-debug "$obj/$module.ko" "$ko"
	done
	cp /kernel/explain.txt "$out/explain.txt"
	for module in "${modules[@]}"; do
		[[ -f $out/modules/kernel/$module.ko ]] ||
			sed -i "s|built: $module.ko\([,;]\)|not delivered, as WireGuard uses no symbol of it: $module.ko\1|" \
				"$out/explain.txt"
	done
	cp /wgkmod/wgkmod "$out/wgkmod"
	bash /wgkmod/list-sources.sh "$devel" "$src" "$obj" "${needed[@]}" >"$out/sources"
}

# prove: Check that all modules fit the kernel.
prove() {
	local -a kos
	mapfile -t kos < <(find "$out/modules" -name '*.ko' | sort)
	"$out/wgkmod" check --kernel "$release" --symvers "$devel/Module.symvers" \
		--vermagic "$(cat /kernel/vermagic)" "${kos[@]}" >&2
}

bash /wgkmod/check-offline.sh
require_compiler "$devel" "$(cat /kernel/stands-in)"
[[ -z $stands_in ]] ||
	printf "wgkmod: compiled by '%s', which stands in for '%s'\n" "$stands_in" "$(compiler_text "$devel")" >&2
require_symvers "$devel"
cd "$build"
compile
find_needed
collect
prove
tar -C "$out" --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 \
	--mode=u=rwX,go=rX -c .
