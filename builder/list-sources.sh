#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: list-sources.sh DEVEL SRC OBJ MODULE...
#
# Runs in the container after the build.  Prints what each MODULE (FOLDER/NAME) was compiled from,
# by the .mod and .cmd files that Kbuild left in OBJ: a line "MODULE PATH SHA1 SHA256 LICENCE" with
# tabs between for each file of the kernel's source, and "MODULE - COUNT" for the other files read,
# which are headers of kernel-devel (DEVEL), the compiler and /wgkmod; anything else ends it.  What a
# program of the source made in SRC is printed as that program.

set -euo pipefail
# shellcheck source=builder/kernel-devel.sh
. /wgkmod/kernel-devel.sh

devel=$1 src=$2 obj=$3
shift 3
slice=$(readlink -f /kernel/slice)

# resolve PATH DIR: sets file to the path of what make knew as PATH, in DIR, OBJ, SRC or DEVEL.
resolve() {
	for file in "$1" "$2/$1" "$obj/$1" "$src/$1" "$devel/$1"; do
		[[ $file != /* || ! -e $file ]] || return 0
	done
	die "'$1', which a module was made from, cannot be found"
}

# inputs MODULE: the files that the objects it is linked of were compiled from, as make knew them.
inputs() {
	local word file cmds=()
	while read -r word; do
		[[ $word == *.o ]] || continue
		resolve "$word" "$obj/${1%/*}"
		cmds+=("${file%/*}/.${file##*/}.cmd")
	done < <(tr -s ' ' '\n' <"$obj/$1.mod")
	sed -n 's/^source_.* := //p; /^deps_/,/^$/s/^  \([^ $][^ ]*\).*/\1/p' "${cmds[@]}" | sort -u
}

# origin FILE: the files of the slice that made FILE, of SRC or OBJ: itself, or the words of the
# command that made it, or what the rule for it in the kernel's Makefile names.
origin() {
	local file=$1 path=${1#"$src/"} cmd word found=
	path=${path#"$obj/"} path=${path#./}
	if [[ -f $slice/$path ]]; then
		cmp -s "$file" "$slice/$path" || die "'$path' is not what the kernel's source has"
		printf '%s\n' "$path"
		return
	fi
	cmd=${file%/*}/.${file##*/}.cmd
	while read -r word; do
		word=${word#"$src/"}
		[[ -f $slice/$word ]] || continue
		printf '%s\n' "$word"
		found=1
	done < <(if [[ -f $cmd ]]; then sed -n 's/^\(saved\)\?cmd_[^ ]* := //p' "$cmd" | tr -s ' ' '\n'; else rule "$path"; fi)
	[[ -n $found ]] || die "nothing says what '$path' was made of"
}

# rule PATH: what a rule for $(obj)/... in a Makefile of the slice above PATH names, as paths.
rule() {
	local folder=${1%/*} name
	while [[ $folder == */* ]]; do
		name=${1#"$folder/"}
		[[ ! -f $slice/$folder/Makefile ]] || sed -n "s,^\$(obj)/${name//./\\.}: *,,p" "$slice/$folder/Makefile" |
			tr -s ' ' '\n' | sed "s,^\$(src)/,$folder/,"
		folder=${folder%/*}
	done
}

licence() {
	local line
	line=$(sed -n '1,5s/.*SPDX-License-Identifier: *//p' "$1" | sed -n 1p)
	line=${line%%\*/*}
	printf '%s\n' "${line%"${line##*[! ]}"}"
}

devel_real=$(readlink -f "$devel")
for module; do
	others=0
	inputs "$module" >"$src/.inputs"
	while read -r word; do
		resolve "$word" "$src/${module%/*}"
		[[ ! -L $file ]] || file=$(readlink -f "$file") # kernel-devel's, where SRC has links to it
		case $file in
		"$src"/* | "$obj"/*) origin "$file" >>"$src/.origins" ;;
		"$devel_real"/* | /usr/src/* | /usr/lib/* | /wgkmod/crypto/*) others=$((others + 1)) ;;
		*) die "'$module' was made from '$file', which is neither the kernel's source nor a package's" ;;
		esac
	done <"$src/.inputs"
	[[ -s $src/.origins ]] || die "Kbuild says nothing of what '$module' was made of"
	while read -r path; do
		file=$slice/$path
		read -r sha1 _ < <(sha1sum "$file")
		read -r sha256 _ < <(sha256sum "$file")
		printf '%s\t%s\t%s\t%s\t%s\n' "$module" "$path" "$sha1" "$sha256" "$(licence "$file")"
	done < <(sort -u "$src/.origins")
	printf '%s\t-\t%d\n' "$module" "$others"
	rm "$src/.origins" "$src/.inputs"
done
