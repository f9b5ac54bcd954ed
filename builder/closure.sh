#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: closure.sh RELEASE SOURCEDIR [HIDDEN-MODULE...]
#
# Compute, by Kconfig, what CONFIG_WIREGUARD=m turns on that the kernel RELEASE lacks.  SOURCEDIR has what
# kernel-source.sh writes.  Runs in the container while the image is made.  Writes to /kernel:
#
#	cc          the kernel's compiler (the first word of CONFIG_CC_VERSION_TEXT)
#	stands-in   version text of the compiler that stands in for it, by $COMPILER; else empty
#	devel       link to the kernel's build tree
#	vermagic    the vermagic of this kernel's modules, by its own linux/vermagic.h
#	config      CONFIG_X=m for make, one a line
#	modules     the modules to build: DIRECTORY/NAME, one a line
#	slice/      the directories of the kernel source that have these modules
#	explain.txt the closure, each symbol with its reason
#
# A symbol that becomes m is built.  A symbol that would have to become y is set if only the built modules
# read it.  Otherwise it cannot be added to a running kernel: if its select is conditional, the select is
# dropped, as WireGuard exists without it elsewhere; if not, the kernel is refused.  The symbol table has the
# last word, in the build: modpost and wgkmod check find missing symbols, and a module of which WireGuard uses
# no symbol is not delivered.

set -euo pipefail
umask 022
export LC_ALL=C TZ=UTC
# shellcheck source=/dev/null
. /wgkmod/family.sh
# shellcheck source=builder/kernel-devel.sh
. /wgkmod/kernel-devel.sh

release=$1 source=$2
shift 2
hidden=("$@")
srcarch=x86
programs=/wgkmod
hostcc=$(family_compiler) # as in kernel-source.sh: Kconfig's program is not compiled again
devel=$(family_kernel_devel "$release")
work=$(mktemp -d)
tree=$work/linux
trap 'rm -rf "$work"' EXIT

# ---- Kconfig --------------------------------------------------------------------------

# kconfig FILE: Complete the configuration in FILE by the kernel's own Kconfig.  Its program (kconfig.c) goes on
# running, as the next call needs it too.
kconfig() {
	[[ -n ${KCONFIG_PID:-} ]] || coproc KCONFIG {
		exec make -s -C "$tree" ARCH=$srcarch CC="$cc" HOSTCC="$hostcc" olddefconfig 3<&0 4>&1 </dev/null >"$work/log" 2>&1
	}
	printf '%s\n' "$1" >&"${KCONFIG[1]}"
	read -r <&"${KCONFIG[0]}" || { cat "$work/log" >&2; die "Kconfig failed"; }
}

# kconfig_end: End Kconfig's program.  The next call of kconfig reads the Kconfig files again.
kconfig_end() {
	local names=${KCONFIG[1]}
	exec {names}>&-
	wait "$KCONFIG_PID"
}

# values FILE: Print "SYMBOL VALUE" for each symbol that is y or m, sorted.
values() { sed -n 's/^CONFIG_\([A-Za-z0-9_]*\)=\([ym]\)$/\1 \2/p' "$1" | sort; }

# value FILE SYMBOL: Print y, m or n.
value() {
	local v
	v=$(sed -n "s/^CONFIG_$2=\([ym]\)\$/\1/p" "$1")
	printf '%s\n' "${v:-n}"
}

# gained FROM TO: Print "SYMBOL VALUE" for each symbol of TO that FROM lacks or has with another value.
gained() { comm -13 <(values "$1") <(values "$2"); }

# selects: Print each select and imply in the Kconfig files (kconfig.awk).
selects() {
	find . -name 'Kconfig*' ! -path './arch/*' -o -path "./arch/$srcarch/*" -name 'Kconfig*' | sort |
		xargs awk -f "$programs/kconfig.awk"
}

# modules_of SYMBOL: Print "DIRECTORY/NAME" for each module that SYMBOL=m makes.
modules_of() { sed -n "s,^$1 obj \([^ ]*\) ,\1/,p" "$source/objects"; }

# symbols_of NAME: Print the symbols that make the module NAME.
symbols_of() { sed -n "s/^\([^ ]*\) obj [^ ]* $1\$/\1/p" "$source/objects" | sort -u; }

# set_selectors SYMBOL: Print the symbols that select SYMBOL in the configuration before.
set_selectors() {
	awk -v s="$1" 'NR == FNR { if ($2 == s) selects[$1]; next }
		sub(/^CONFIG_/, "") && sub(/=[ym]$/, "") && $0 in selects' "$work/selects" "$work/before" | sort -u | paste -sd ' '
}

# readers SYMBOL: Print "FILE TEXT" for each line of the kernel's C and assembler sources that reads SYMBOL.
readers() { grep -E "CONFIG_$1(_MODULE)?([^A-Za-z0-9_]|\$)" "$source/readers" || [[ $? -eq 1 ]]; }

# inside_modules SYMBOL: Return 0 if SYMBOL=y only changes modules that are built.  In the Makefiles it
# adds objects to them, or flags to their objects.  In C, their sources read it, or an expression in a
# header, which they compile inline; an #if in a header could change a type that the kernel shares with
# them.  Return 1 also for a symbol that no file reads.
inside_modules() {
	local symbol=$1
	[[ -f $work/readers-$symbol ]] || readers "$symbol" >"$work/readers-$symbol"
	awk -v s="$symbol" -f "$programs/inside.awk" \
		<(gained "$work/before" "$work/after") "$work/readers-$symbol" "$source/objects"
}

# ---- the kernel -----------------------------------------------------------------------

require_compiler "$devel" "${COMPILER:-}"
require_symvers "$devel"
[[ $(kernel_release "$devel") == "$release" ]] ||
	die "'$devel' is the build tree of $(kernel_release "$devel"), not of $release"

# ---- its source: Kconfig and scripts --------------------------------------------------

mkdir -p "$tree" /kernel/slice
tar -xf "$source/kconfig.tar" -C "$tree"
# The kernel's own Kconfig files, if kernel-devel has them, replace those of the source.
(cd "$devel" && find . -name 'Kconfig*' -type f -print0 | tar -c --null -T - -f -) | tar -x -C "$tree"

# version_of MAKEFILE: Print the version of the kernel, as in 5.10.223.
version_of() { sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) = //p' "$1" | paste -sd .; }
devel_makefile=$(kernel_makefile "$devel")
[[ $(version_of "$tree/Makefile") == "$(version_of "$devel_makefile")" ]] ||
	die "$release is a $(version_of "$devel_makefile"), but the source is of $(version_of "$tree/Makefile")"

# Preprocess the kernel's linux/vermagic.h while Kconfig runs.
mkdir "$work/vermagic"
printf '#define INCLUDE_VERMAGIC\n#include <linux/module.h>\n#include <linux/vermagic.h>\nVERMAGIC_STRING\n' \
	>"$work/vermagic/vermagic.c"
printf 'obj-m := vermagic.o\n' >"$work/vermagic/Kbuild"
make -s -C "$devel" M="$work/vermagic" CC="$cc" vermagic.i >"$work/vermagic/log" 2>&1 &
vermagic_job=$!

cd "$tree"
selects >"$work/selects"

# ---- the configuration before: the kernel's, less what is hidden ----------------------

# unlike: Print the symbols that the source's Kconfig sets to another value than the kernel's own did,
# without those that describe compiler and linker.
unlike() {
	local tools='^(AS|CLANG|GCC|LD|LLD|PAHOLE|RUSTC|BINDGEN)_|^CC_(VERSION|IS|HAS|CAN|IMPLICIT)_'
	tools+='|^(PLUGIN_HOSTCC|TOOLS_SUPPORT_RELR|RUST_IS_AVAILABLE)$'
	comm -3 <(grep '^CONFIG_' "$devel/.config" | sort) <(grep '^CONFIG_' "$work/own" | sort) |
		sed 's/^\t//; s/^CONFIG_\([^=]*\)=.*/\1/' | sort -u |
		grep -vE "$tools" || [[ $? -eq 1 ]]
}

cp "$devel/.config" "$work/own"
kconfig "$work/own"
cp "$work/own" "$work/before"
unlike >"$work/unlike"

# unset_symbols SYMBOL...: Remove the symbols from the configuration before, and each symbol that selects
# one of them and has no module of its own (CRYPTO_LIB_CHACHA).
unset_symbols() {
	local symbol parent
	for symbol in "$@"; do
		sed -i "s/^CONFIG_$symbol=.*/# CONFIG_$symbol is not set/" "$work/before"
		for parent in $(set_selectors "$symbol"); do
			[[ -n $(modules_of "$parent") ]] || unset_symbols "$parent"
		done
	done
}

# asking SYMBOL: Print each symbol that selects SYMBOL in the configuration before, directly or not, and that
# no symbol selects, with its modules.  HIDE would have to name these modules.
asking() {
	local symbol parents seen=' ' queue=("$1")
	local -a modules
	while [[ ${#queue[@]} -gt 0 ]]; do
		symbol=${queue[0]} queue=("${queue[@]:1}")
		[[ $seen != *" $symbol "* ]] || continue
		seen+="$symbol "
		read -ra parents <<<"$(set_selectors "$symbol")"
		queue+=("${parents[@]}")
		mapfile -t modules < <(modules_of "$symbol")
		[[ ${#parents[@]} -gt 0 ]] || printf '%s (%s) ' "$symbol" "${modules[*]:-no module}"
	done
}

hidden_symbols=()
for module in "${hidden[@]}"; do
	mapfile -t symbols < <(symbols_of "$module")
	[[ ${#symbols[@]} -gt 0 ]] || die "HIDE names '$module', but no Makefile of its source makes that module"
	hidden_symbols+=("${symbols[@]}")
done
unset_symbols "${hidden_symbols[@]}"
[[ ${#hidden[@]} -eq 0 ]] || kconfig "$work/before"
for symbol in "${hidden_symbols[@]}"; do
	[[ $(value "$work/before" "$symbol") == n ]] ||
		die "HIDE wants CONFIG_$symbol off, but it stays; it is selected by $(asking "$symbol")"
done
[[ $(value "$work/before" WIREGUARD) == n ]] || die "$release has WireGuard already (CONFIG_WIREGUARD is set)"

# hide: Change the build tree to that of a kernel without the hidden modules.
hide() {
	gained "$work/before" "$work/own" |
		sed 's,\([^ ]*\).*,/^CONFIG_\1=/d; /^#define CONFIG_\1\\(_MODULE\\)\\? 1$/d,' >"$work/hidden.sed"
	sed -i -f "$work/hidden.sed" "$devel/.config" "$devel"/include/{config/auto.conf,generated/autoconf.h}
	[[ -z $(gained "$work/own" "$work/before") ]] || die "hiding turns other symbols on"
	printf '%s\n' "${hidden[@]}" | awk -F '\t' '
		NR == FNR { hidden[$1]; next }
		{ name = $3; sub(/.*\//, "", name) }
		!(name in hidden)' - "$devel/Module.symvers" >"$work/symvers"
	cp "$work/symvers" "$devel/Module.symvers"
}
[[ ${#hidden[@]} -eq 0 ]] || hide

# ---- the configuration after, and the closure -----------------------------------------

declare -A left_out=() left_value=()

# leave_out SYMBOL REASON: Drop each select of SYMBOL that has a condition; where a select has none, drop those
# of its parent.  Return 1 if WireGuard itself selects SYMBOL without a condition, or if dropping the selects
# did not help (SYMBOL is y by default).
leave_out() {
	local symbol=$1 reason=$2 parent file line condition
	local -a asked=()
	[[ $symbol != WIREGUARD && -z ${left_out[$symbol]:-} ]] || return 1
	while read -r parent _ file line condition; do
		[[ $(value "$work/after" "$parent") != n ]] || continue
		asked+=("$parent $file $line $condition")
	done < <(awk -v s="$symbol" '$2 == s' "$work/selects")
	[[ ${#asked[@]} -gt 0 ]] || return 1
	left_out[$symbol]=$reason
	left_value[$symbol]=$(value "$work/after" "$symbol")
	for line in "${asked[@]}"; do
		read -r parent file line condition <<<"$line"
		if [[ $condition == - ]]; then
			leave_out "$parent" "$symbol would have to be y" || return 1
		else
			sed -i "${line}s/.*/#/" "$file"
			[[ -z ${KCONFIG_PID:-} ]] || kconfig_end
		fi
	done
}

while true; do
	cp "$work/before" "$work/after"
	sed -i '/CONFIG_WIREGUARD[ =]/d' "$work/after"
	printf 'CONFIG_WIREGUARD=m\n' >>"$work/after"
	kconfig "$work/after"
	[[ $(value "$work/after" WIREGUARD) == m ]] ||
		die "$release cannot have WireGuard as a module: $(awk '$1 == "config" { c = $2 }
			c == "WIREGUARD" && $1 == "depends" { sub(/^[ \t]*/, ""); print }' drivers/net/Kconfig | paste -sd ';')"
	builtin=
	while read -r symbol v; do
		if [[ $v == y ]] && ! inside_modules "$symbol"; then
			builtin=$symbol
			break
		fi
	done < <(gained "$work/before" "$work/after")
	[[ -n $builtin ]] || break
	leave_out "$builtin" 'would have to be y' ||
		die "$release is refused: WireGuard needs CONFIG_$builtin=y, which cannot be added to a running kernel"
done

# A symbol that only changes modules that are built keeps the kernel's value, even if a hidden symbol selected
# it: the modules are built as the kernel's own.
while read -r symbol v; do
	if [[ $v == y && $(value "$work/after" "$symbol") == n ]] && inside_modules "$symbol"; then
		printf 'CONFIG_%s=y\n' "$symbol" >>"$work/after"
	fi
done < <(gained "$work/before" "$work/own")

# ---- what is built --------------------------------------------------------------------

declare -A built=()
while read -r symbol v; do
	[[ $v == m ]] || continue
	for module in $(modules_of "$symbol"); do built[$module]=$symbol; done
done < <(gained "$work/before" "$work/after")
printf '%s\n' "${!built[@]}" | sed 's,/[^/]*$,,' | sort -u >"$work/directories"
tar -xzf "$source/code.tar.gz" -C /kernel/slice -T "$work/directories" ||
	die "$release needs a module of a directory that kernel-source.sh does not keep: add it to 'code' there"

# ---- what the build reads -------------------------------------------------------------

printf '%s\n' "$cc" >/kernel/cc
printf '%s' "$stands_in" >/kernel/stands-in
ln -s "$devel" /kernel/devel
gained "$work/before" "$work/after" | sed 's/^/CONFIG_/; s/ /=/' >/kernel/config
printf '%s\n' "${!built[@]}" | sort >/kernel/modules
find /kernel/slice -type d -empty -delete

wait "$vermagic_job" || { cat "$work/vermagic/log" >&2; die "cannot read its linux/vermagic.h"; }
tail -n1 "$work/vermagic/vermagic.i" | sed 's/" *"//g; s/^"//; s/"$//' >/kernel/vermagic
[[ $(cat /kernel/vermagic) == "$release "* ]] ||
	die "$release has a vermagic of another release: $(cat /kernel/vermagic)"

# ---- explain --------------------------------------------------------------------------

# reachable: Print "SYMBOL PARENTS" for each symbol that WIREGUARD selects, directly or not, and that is set
# or was left out, nearest first.
reachable() {
	{
		values "$work/after" | sed 's/^/v /'
		printf 'l %s\n' "${!left_out[@]}"
		sed 's/^/s /' "$work/selects"
	} | awk '
		$1 == "v" { set[$2]; next }
		$1 == "l" { set[$2]; next }
		($2 in set) && ($3 in set) && !(($2, $3) in edge) {
			edge[$2, $3]; child[$2] = child[$2] " " $3
			condition = $0
			sub(/^[^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ /, "", condition)
			if (condition != "-") only[$2, $3] = condition == "imply" ? " (implied)" : " (if " condition ")"
		}
		END {
			queue[n = 1] = "WIREGUARD"; seen["WIREGUARD"]
			for (i = 1; i <= n; i++) {
				m = split(child[queue[i]], c, " ")
				for (j = 1; j <= m; j++) {
					by[c[j]] = by[c[j]] (by[c[j]] == "" ? "" : ", ") queue[i] only[queue[i], c[j]]
					if (!(c[j] in seen)) { seen[c[j]]; queue[++n] = c[j] }
				}
			}
			for (i = 1; i <= n; i++) print queue[i], by[queue[i]]
		}'
}

# decision SYMBOL HAD GETS: Print what happens to the symbol: HAD is its value before, GETS the value after.
decision() {
	local symbol=$1 had=$2 gets=$3 module names=()
	mapfile -t names < <(modules_of "$symbol")
	if [[ -n ${left_out[$symbol]:-} ]]; then
		printf 'left out: %s, which cannot be added to a running kernel' "${left_out[$symbol]}"
	elif [[ $had == "$gets" ]]; then
		printf 'not built: the kernel has it'
		[[ $had != m ]] || for module in "${names[@]}"; do printf ' (%s.ko)' "$module"; done
	elif [[ ${#names[@]} -eq 0 ]]; then
		printf 'set: it says how the others are built, and has no module of its own'
	else
		printf 'built: %s.ko\n' "${names[@]}" | paste -sd ',' | sed 's/,/, /g'
	fi
}

# selected_by SYMBOL PARENTS: Print why the symbol is set.
selected_by() {
	if [[ $1 == WIREGUARD ]]; then
		printf 'asked for'
	elif [[ -n $2 ]]; then
		printf 'selected by %s' "$2"
	else
		printf 'by its default'
	fi
}

{
	reachable
	gained "$work/before" "$work/after" | sed 's/ .*//'
} | awk '!seen[$1]++' >"$work/closure"
symbol=$(awk 'NR == FNR { unlike[$1]; next } $1 in unlike { print $1; exit }' "$work/unlike" "$work/closure")
[[ -z $symbol ]] ||
	die "$release has CONFIG_$symbol=$(value "$devel/.config" "$symbol")," \
		"but Kconfig of the source makes it $(value "$work/own" "$symbol"):" \
		"the source is not that of this kernel ($(wc -l <"$work/unlike") symbols differ)"

{
	printf '# What CONFIG_WIREGUARD=m takes on %s, by its own Kconfig.\n' "$release"
	[[ -z $stands_in ]] ||
		printf '# Kernel made by: %s\n# Modules made by: %s\n' "$(compiler_text "$devel")" "$stands_in"
	[[ ! -s $work/unlike ]] || printf '# Of its other symbols the source has %d otherwise: %s\n' \
		"$(wc -l <"$work/unlike")" "$(head -n 12 "$work/unlike" | paste -sd ' ')"
	[[ ${#hidden[@]} -eq 0 ]] || printf '# Treated as absent from the kernel: %s\n' "${hidden[*]}"
	printf '#\n%-34s %-6s %-5s %s\n' '# symbol' kernel needs 'decision; selected by'
	while read -r symbol parents; do
		had=$(value "$work/before" "$symbol") gets=$(value "$work/after" "$symbol")
		[[ -z ${left_out[$symbol]:-} ]] || gets=${left_value[$symbol]}
		printf '%-34s %-6s %-5s %s; %s\n' "$symbol" "$had" "$gets" \
			"$(decision "$symbol" "$had" "$gets")" \
			"$(selected_by "$symbol" "$parents")"
	done <"$work/closure"
} >/kernel/explain.txt
cat /kernel/explain.txt
