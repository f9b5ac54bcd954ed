#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: closure.sh RELEASE SOURCEDIR [HIDDEN-MODULE...]
#
# Runs in the container while the image is made.  Finds out by Kconfig what CONFIG_WIREGUARD=m
# turns on that the kernel RELEASE lacks, and leaves in /kernel:
#
#	cc          the kernel's compiler (the first word of CONFIG_CC_VERSION_TEXT)
#	stands-in   the text of the compiler that $COMPILER says may stand in for it, where it does
#	devel       link to the kernel's build tree
#	vermagic    what modules of this kernel must say, by its own linux/vermagic.h
#	config      CONFIG_X=m for make, a line each
#	modules     what is to be built: FOLDER/NAME, a line each
#	slice/      the folders of the kernel source that these stand in
#	explain.txt the closure, each symbol with its reason
#
# A symbol that becomes m is built.  One that would have to become y cannot be given to a running
# kernel: the select that asks for it is dropped where it is conditional (WireGuard exists without
# it elsewhere), and the kernel is refused where it is not.  The symbol table has the last word, in
# the build: modpost and wgkmod check find what is missing, and what WireGuard uses no symbol of is
# not delivered.

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
devel=$(family_kernel_devel "$release")
work=$(mktemp -d)
tree=$work/linux
trap 'rm -rf "$work"' EXIT

# ---- Kconfig --------------------------------------------------------------------------

# kconfig FILE: lets the kernel's own Kconfig complete the configuration in FILE.
kconfig() {
	make -s -C "$tree" ARCH=$srcarch CC="$cc" HOSTCC="$cc" KCONFIG_CONFIG="$1" olddefconfig >"$work/log" 2>&1 ||
		{ cat "$work/log" >&2; die "Kconfig failed"; }
}

# values FILE: "SYMBOL VALUE" of each symbol that is y or m, sorted.
values() { sed -n 's/^CONFIG_\([A-Za-z0-9_]*\)=\([ym]\)$/\1 \2/p' "$1" | sort; }

# value FILE SYMBOL: y, m or n.
value() {
	local v
	v=$(sed -n "s/^CONFIG_$2=\([ym]\)\$/\1/p" "$1")
	printf '%s\n' "${v:-n}"
}

# gained FROM TO: "SYMBOL VALUE" of what TO has and FROM has not, or has otherwise.
gained() { comm -13 <(values "$1") <(values "$2"); }

# selects: what selects what in the Kconfig files: kconfig.awk.
selects() {
	find . -name 'Kconfig*' ! -path './arch/*' -o -path "./arch/$srcarch/*" -name 'Kconfig*' | sort |
		xargs awk -f "$programs/kconfig.awk"
}

# objects: what the Makefiles hang on symbols: kbuild.awk.
objects() {
	find . \( -name Makefile -o -name Kbuild \) \( ! -path './arch/*' -o -path "./arch/$srcarch/*" \) | sort |
		xargs awk -f "$programs/kbuild.awk"
}

# modules_of SYMBOL: "FOLDER/NAME" of the modules that SYMBOL=m makes.
modules_of() { awk -v s="$1" '$1 == s && $2 == "obj" { print $3 "/" $4 }' "$work/objects"; }

# symbols_of NAME: the symbols that make the module NAME.
symbols_of() { awk -v m="$1" '$2 == "obj" && $4 == m { print $1 }' "$work/objects" | sort -u; }

# set_selectors SYMBOL: what selects SYMBOL in the configuration before.
set_selectors() {
	{
		values "$work/before"
		awk -v s="$1" '$2 == s { print "?", $1 }' "$work/selects"
	} | awk '$1 == "?" { if ($2 in set) print $2; next } { set[$1] }' | sort -u | paste -sd ' '
}

# readers SYMBOL: "FILE TEXT" of each line of the kernel's C and assembler sources that reads SYMBOL.
readers() {
	local symbol=$1
	[[ -s $work/members ]] || tar -tRf "$work/linux.tar" >"$work/members"
	# a file's first line is to start where the file does, not in what tar has before it
	{ tr '\0' '\n' <"$work/linux.tar" | grep -abE "CONFIG_${symbol}(_MODULE)?([^A-Za-z0-9_]|\$)" || [[ $? -eq 1 ]]; } |
		awk -f "$programs/readers.awk" "$work/members" - | grep -E "^(arch/$srcarch/|[^a]|a[^r])" || [[ $? -eq 1 ]]
}

# inside_modules SYMBOL: whether SYMBOL=y only says how modules that are built are made.  In the
# Makefiles it adds objects to them, or flags to their objects; in C it is read by their sources, or
# in an expression of a header, which they see inline (an #if there could change a type that the
# kernel shares with them).  What nothing reads is not known to be so.
inside_modules() {
	local symbol=$1
	[[ -f $work/readers-$symbol ]] || readers "$symbol" >"$work/readers-$symbol"
	awk -v s="$symbol" -f "$programs/inside.awk" <(gained "$work/before" "$work/after") "$work/readers-$symbol" "$work/objects"
}

# ---- the kernel -----------------------------------------------------------------------

require_compiler "$devel" "${COMPILER:-}"
require_symvers "$devel"
[[ $(kernel_release "$devel") == "$release" ]] ||
	die "'$devel' is the build tree of $(kernel_release "$devel"), not of $release"

# ---- its source: Kconfig, Makefiles and scripts first ---------------------------------

mkdir -p "$tree" /kernel/slice
family_source "$source"/* >"$work/linux.tar"
prefix=$(set +o pipefail; tar -tf "$work/linux.tar" | head -n1)
prefix=${prefix%%/*}
tar -xf "$work/linux.tar" -C "$tree" --strip-components=1 --wildcards \
	'*/Kconfig*' '*/Makefile*' '*/Kbuild*' "$prefix/scripts"
# The kernel's own Kconfig files, where kernel-devel has them, go before the source's.
(cd "$devel" && find . -name 'Kconfig*' -type f -print0 | tar -c --null -T - -f -) | tar -x -C "$tree"

version_of() { sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) = //p' "$1" | paste -sd .; }
devel_makefile=$(kernel_makefile "$devel")
[[ $(version_of "$tree/Makefile") == "$(version_of "$devel_makefile")" ]] ||
	die "$release is a $(version_of "$devel_makefile"), but the source is of $(version_of "$tree/Makefile")"

cd "$tree"
objects >"$work/objects"
selects >"$work/selects"

# ---- the configuration before: the kernel's, less what is hidden ----------------------

# unlike: the symbols that the source's Kconfig completes otherwise than the kernel's own did, but for
# what it finds out about compiler and linker.
unlike() {
	comm -3 <(grep '^CONFIG_' "$devel/.config" | sort) <(grep '^CONFIG_' "$work/own" | sort) |
		sed 's/^\t//; s/^CONFIG_\([^=]*\)=.*/\1/' | sort -u |
		grep -vE '^(AS|CLANG|GCC|LD|LLD|PAHOLE|RUSTC|BINDGEN)_|^CC_(VERSION|IS|HAS|CAN|IMPLICIT)_|^(PLUGIN_HOSTCC|TOOLS_SUPPORT_RELR|RUST_IS_AVAILABLE)$' || [[ $? -eq 1 ]]
}

cp "$devel/.config" "$work/own"
kconfig "$work/own"
cp "$work/own" "$work/before"
unlike >"$work/unlike"

# unset_symbols SYMBOL...: takes them out of the configuration before; what selects one and has no
# module of its own (CRYPTO_LIB_CHACHA) goes with it.
unset_symbols() {
	local symbol parent
	for symbol in "$@"; do
		sed -i "s/^CONFIG_$symbol=.*/# CONFIG_$symbol is not set/" "$work/before"
		for parent in $(set_selectors "$symbol"); do
			[[ -n $(modules_of "$parent") ]] || unset_symbols "$parent"
		done
	done
}

# asking SYMBOL: what selects SYMBOL in the configuration before and is itself selected by nothing,
# with its modules; these are what HIDE would have to name.
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
kconfig "$work/before"
for symbol in "${hidden_symbols[@]}"; do
	[[ $(value "$work/before" "$symbol") == n ]] ||
		die "HIDE wants CONFIG_$symbol off, but it stays; it is selected by $(asking "$symbol")"
done
[[ $(value "$work/before" WIREGUARD) == n ]] || die "$release has WireGuard already (CONFIG_WIREGUARD is set)"

# hide: makes the build tree what it would be without the hidden modules.
hide() {
	local symbol module
	while read -r symbol _; do
		sed -i "/^CONFIG_$symbol=/d" "$devel/.config" "$devel/include/config/auto.conf"
		sed -i "/^#define CONFIG_$symbol\(_MODULE\)\? 1\$/d" "$devel/include/generated/autoconf.h"
	done < <(gained "$work/before" "$work/own")
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

# leave_out SYMBOL REASON: drops what selects SYMBOL, up to a condition; 1 where WireGuard itself
# asks for it without one, or where dropping did not help (it is y by its default).
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

# A symbol that only says how modules that are built are made stays as the kernel has it where it was
# something hidden that selected it: what the kernel itself has is built, no less.
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
# shellcheck disable=SC2046 # one word a folder
tar -xf "$work/linux.tar" -C /kernel/slice --strip-components=1 \
	$(printf '%s\n' "${!built[@]}" | sed "s,/[^/]*\$,,; s,^,$prefix/," | sort -u)
# ---- what the build reads -------------------------------------------------------------

printf '%s\n' "$cc" >/kernel/cc
printf '%s' "$stands_in" >/kernel/stands-in
ln -s "$devel" /kernel/devel
gained "$work/before" "$work/after" | sed 's/^/CONFIG_/; s/ /=/' >/kernel/config
printf '%s\n' "${!built[@]}" | sort >/kernel/modules
find /kernel/slice -type d -empty -delete

mkdir "$work/vermagic"
printf '#define INCLUDE_VERMAGIC\n#include <linux/module.h>\n#include <linux/vermagic.h>\nVERMAGIC_STRING\n' \
	>"$work/vermagic/vermagic.c"
printf 'obj-m := vermagic.o\n' >"$work/vermagic/Kbuild"
make -s -C "$devel" M="$work/vermagic" CC="$cc" vermagic.i >"$work/log" 2>&1 ||
	{ cat "$work/log" >&2; die "cannot read its linux/vermagic.h"; }
tail -n1 "$work/vermagic/vermagic.i" | sed 's/" *"//g; s/^"//; s/"$//' >/kernel/vermagic
[[ $(cat /kernel/vermagic) == "$release "* ]] || die "$release has a vermagic of another release: $(cat /kernel/vermagic)"

# ---- explain --------------------------------------------------------------------------

# reachable: "SYMBOL PARENTS" of all that WIREGUARD selects, directly or not, and that is set or
# was left out, in the order in which one meets it.
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
	die "$release has CONFIG_$symbol=$(value "$devel/.config" "$symbol"), but Kconfig of the source makes it $(value "$work/own" "$symbol"):" \
		"the source is not that of this kernel ($(wc -l <"$work/unlike") symbols differ)"

{
	printf '# What CONFIG_WIREGUARD=m takes on %s, by its own Kconfig.\n' "$release"
	[[ -z $stands_in ]] || printf '# Kernel made by: %s\n# Modules made by: %s\n' "$(compiler_text "$devel")" "$stands_in"
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
