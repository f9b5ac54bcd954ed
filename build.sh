#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: build.sh [DIR]
#
# The build, inside the builder image: no network, a root that cannot be written; it works in the
# empty folder DIR (/build, a tmpfs).
# Writes a tar of what was made to standard output and everything else to standard error.

set -euo pipefail
# shellcheck source=builder/kernel-devel.sh
. /wgkmod/kernel-devel.sh

build=${1:-/build}

# The environment, in one place: nothing of the host may reach the bits.
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
src=${source_dir:-$build/src} # what is compiled
obj=$src                      # what comes of it
release=$(kernel_release "$devel")
mapfile -t modules </kernel/modules
mapfile -t config </kernel/config

# modinfo_field FILE FIELD: the values of FIELD in a module's .modinfo, a line each.
modinfo_field() {
	objcopy -O binary --only-section=.modinfo "$1" "$build/modinfo"
	tr '\0' '\n' <"$build/modinfo" | sed -n "s/^$2=//p"
}

# use_source_dir: lets the compiler see every file where the distribution's build had it.  Some
# strings hold the paths as they are, whatever prefixes are mapped: those of UBSAN.  The folder gets
# links to the files of kernel-devel, which the slice replaces by its own.
use_source_dir() {
	local common
	common=$(kernel_makefile "$devel")
	obj=$build/obj
	mkdir -p "$obj"
	cp -Rs "${common%/Makefile}/." "$src"
	kbuild=(make -C "$devel" -f "$src/Makefile" O="$devel" MO="$obj")
}

compile() {
	local folder map flags log=$build/log kbuild=(make -C "$devel")
	mkdir -p "$src"
	[[ -z $source_dir ]] || use_source_dir
	cp -R --remove-destination /kernel/slice/. "$src"
	cp /wgkmod/crypto/Kbuild "$src/Kbuild"
	while read -r folder; do
		[[ ! -e $src/$folder/Kbuild ]] || die "the kernel's '$folder' has a Kbuild file: the filter cannot stand there"
		cp /wgkmod/crypto/Kbuild.filter "$src/$folder/Kbuild"
	done < <(printf '%s\n' "${modules[@]%/*}" | sort -u)

	# Paths read as in the kernel's own tree; CONFIG_X=m on a command line reaches make, not C.
	# The target says BTF = off: some build trees have a vmlinux to make it from, most have none.
	map="-ffile-prefix-map=$src/="
	flags=$(printf '%s\n' "${config[@]}" | sed 's/=m$/_MODULE=1/; s/=y$/=1/; s/^/-D/' | paste -sd ' ')
	"${kbuild[@]}" M="$src" CC="$cc" WGKMOD_SRC="$src" WGKMOD_MODULES="${modules[*]}" \
		KCFLAGS="$map $flags" KAFLAGS="$map -include /wgkmod/crypto/file-symbol.h -Wa,--debug-prefix-map=$src/= $flags" "${config[@]}" \
		CONFIG_DEBUG_INFO_BTF_MODULES= -j"$(($(nproc) + 1))" modules 2>&1 | tee "$log" >&2 || die "kbuild failed"
	judge_warnings "$log"
}

# judge_warnings LOG: ends the build on a warning that says that a module does not fit the kernel or
# would not do what its source says: modpost's of undefined symbols, of symbols without a version or
# of another namespace, of a missing Module.symvers, and of references between sections (modpost reads
# our modules alone), and of no licence.  The others are shown.
judge_warnings() {
	local line matter='undefined!|has no CRC|no symbol version|version generation failed|symbol will not be versioned'
	matter+='|missing MODULE_LICENSE|from namespace|Symbol version dump|Module\.symvers is missing|[Ss]ection mismatch'
	while IFS= read -r line; do
		! grep -Eq "$matter" <<<"$line" || die "kbuild warned: $line"
		printf 'wgkmod: kbuild warned, of nothing that keeps the modules from fitting: %s\n' "$line" >&2
	done < <(grep -E '^WARNING|warning: ' "$1" || [[ $? -eq 1 ]])
}

# find_needed: sets needed to the modules that WireGuard uses a symbol of, directly or not (by
# modpost's depends).  Kconfig also selects what no symbol of is used; that is not delivered.
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

# collect: the modules in the kernel's own layout, stripped, their debug data beside them.
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
			sed -i "s|built: $module.ko\([,;]\)|not delivered, as WireGuard uses no symbol of it: $module.ko\1|" "$out/explain.txt"
	done
	cp /wgkmod/wgkmod "$out/wgkmod"
	bash /wgkmod/list-sources.sh "$devel" "$src" "$obj" "${needed[@]}" >"$out/sources"
}

# prove: all of them fit the kernel.
prove() {
	local -a kos
	mapfile -t kos < <(find "$out/modules" -name '*.ko' | sort)
	"$out/wgkmod" check --kernel "$release" --symvers "$devel/Module.symvers" \
		--vermagic "$(cat /kernel/vermagic)" "${kos[@]}" >&2
}

bash /wgkmod/check-offline.sh
require_compiler "$devel" "$(cat /kernel/stands-in)"
[[ -z $stands_in ]] || printf "wgkmod: compiled by '%s', which stands in for '%s'\n" "$stands_in" "$(compiler_text "$devel")" >&2
require_symvers "$devel"
cd "$build"
compile
find_needed
collect
prove
tar -C "$out" --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 \
	--mode=u=rwX,go=rX -c .
