#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: closure.sh RELEASE SOURCEDIR [HIDDEN-MODULE...]
#
# Runs in the container while the image is made.  Finds out by Kconfig what CONFIG_WIREGUARD=m
# turns on that the kernel RELEASE lacks, and leaves in /kernel:
#
#	cc          the kernel's compiler (the first word of CONFIG_CC_VERSION_TEXT)
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
# shellcheck source=kernel.sh
. /wgkmod/kernel.sh

release=$1 source=$2
shift 2
hidden=("$@")
srcarch=x86
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

# selects: "PARENT CHILD FILE LINE CONDITION" of each select and imply, "-" for no condition.
selects() {
	find . -name 'Kconfig*' ! -path './arch/*' -o -path "./arch/$srcarch/*" -name 'Kconfig*' | sort |
		xargs awk '
		FNR == 1 { symbol = "" }
		$1 == "config" || $1 == "menuconfig" { symbol = $2 }
		$1 == "choice" || $1 == "menu" || $1 == "comment" { symbol = "" }
		symbol != "" && ($1 == "select" || $1 == "imply") {
			condition = $0
			if (!sub(/^.*[ \t]if[ \t]+/, "", condition))
				condition = $1 == "imply" ? "imply" : "-"
			print symbol, $2, FILENAME, FNR, condition
		}'
}

# objects: "SYMBOL KIND FOLDER NAME" of what the Makefiles hang on symbols: KIND is obj for an
# object of its own, else the composite object that the symbol adds to.
objects() {
	find . \( -name Makefile -o -name Kbuild \) \( ! -path './arch/*' -o -path "./arch/$srcarch/*" \) | sort |
		xargs awk '
		{ line = line $0 }
		/\\$/ { sub(/\\$/, " ", line); next }
		{
			if (match(line, /^[ \t]*[A-Za-z0-9_-]+-\$\(CONFIG_[A-Za-z0-9_]+\)[ \t]*[:+]?=/)) {
				left = substr(line, RSTART, RLENGTH)
				right = substr(line, RSTART + RLENGTH)
				kind = left; sub(/^[ \t]*/, "", kind); sub(/-\$.*/, "", kind)
				sub(/.*CONFIG_/, "", left); sub(/\).*/, "", left)
				sub(/#.*/, "", right)
				folder = FILENAME; sub(/^\.\//, "", folder); sub(/\/[^\/]*$/, "", folder)
				n = split(right, word)
				for (i = 1; i <= n; i++)
					if (word[i] ~ /\.o$/) {
						sub(/\.o$/, "", word[i])
						print left, kind, folder, word[i]
					}
			}
			line = ""
		}'
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

# inside_module SYMBOL: whether SYMBOL=y only adds objects to modules that are built.
inside_module() {
	awk -v s="$1" '
		NR == FNR { if ($2 == "m") m[$1]; next }
		$2 == "obj" && ($1 in m) { built[$3 "/" $4] }
		$1 == s { n++; part[$3 "/" $2] }
		END { for (p in part) if (!(p in built)) exit 1; exit n == 0 }
	' <(gained "$work/before" "$work/after") "$work/objects"
}

# ---- the kernel -----------------------------------------------------------------------

require_compiler "$devel"
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
devel_makefile=$devel/Makefile
include=$(sed -n 's/^include \(\/.*\/Makefile\)$/\1/p' "$devel_makefile")
[[ -z $include ]] || devel_makefile=$include
[[ $(version_of "$tree/Makefile") == "$(version_of "$devel_makefile")" ]] ||
	die "$release is a $(version_of "$devel_makefile"), but the source is of $(version_of "$tree/Makefile")"

cd "$tree"
objects >"$work/objects"
selects >"$work/selects"

# ---- the configuration before: the kernel's, less what is hidden ----------------------

cp "$devel/.config" "$work/own"

kconfig "$work/own"
cp "$work/own" "$work/before"

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
		die "HIDE wants CONFIG_$symbol off, but it stays; it is selected by $(set_selectors "$symbol")"
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
		if [[ $v == y ]] && ! inside_module "$symbol"; then
			builtin=$symbol
			break
		fi
	done < <(gained "$work/before" "$work/after")
	[[ -n $builtin ]] || break
	leave_out "$builtin" 'would have to be y' ||
		die "$release is refused: WireGuard needs CONFIG_$builtin=y, which cannot be added to a running kernel"
done

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
	printf '# What CONFIG_WIREGUARD=m takes on %s, by its own Kconfig.\n' "$release"
	[[ ${#hidden[@]} -eq 0 ]] || printf '# Treated as absent from the kernel: %s\n' "${hidden[*]}"
	printf '#\n%-34s %-6s %-5s %s\n' '# symbol' kernel needs 'decision; selected by'
	{
		reachable
		gained "$work/before" "$work/after" | sed 's/ .*//'
	} | awk '!seen[$1]++' | while read -r symbol parents; do
		had=$(value "$work/before" "$symbol") gets=$(value "$work/after" "$symbol")
		[[ -z ${left_out[$symbol]:-} ]] || gets=${left_value[$symbol]}
		printf '%-34s %-6s %-5s %s; %s\n' "$symbol" "$had" "$gets" \
			"$(decision "$symbol" "$had" "$gets")" \
			"$(selected_by "$symbol" "$parents")"
	done
} >/kernel/explain.txt
cat /kernel/explain.txt
