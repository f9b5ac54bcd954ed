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

# licences FILE...: what the SPDX line among the first five of each says, a line each.
licences() {
	awk 'FNR == 1 && NR > 1 { print licence; licence = "" }
		FNR <= 5 && licence == "" && sub(/.*SPDX-License-Identifier: */, "") {
			sub(/\*\/.*/, "")
			sub(/ +$/, "")
			licence = $0
		}
		END { print licence }' "$@"
}

# origins MODULE: what it was compiled from, in the slice, a line each; then "- COUNT".  What a file comes
# from is asked once, whichever module it is for.
declare -A known=()
origins() {
	local module=$1 word others=0 made=
	while read -r word; do
		resolve "$word" "$src/${module%/*}"
		[[ ! -L $file ]] || file=$(readlink -f "$file") # kernel-devel's, where SRC has links to it
		case $file in
		"$src"/* | "$obj"/*)
			[[ -n ${known[$file]:-} ]] || known[$file]=$(origin "$file")
			made+=${known[$file]}$'\n'
			;;
		"$devel_real"/* | /usr/src/* | /usr/lib/* | /wgkmod/crypto/*) others=$((others + 1)) ;;
		*) die "'$module' was made from '$file', which is neither the kernel's source nor a package's" ;;
		esac
	done <"$src/.inputs"
	[[ -n $made ]] || die "Kbuild says nothing of what '$module' was made of"
	sort -u <<<"${made%$'\n'}"
	printf -- '- %d\n' "$others"
}

devel_real=$(readlink -f "$devel")
for module; do
	inputs "$module" >"$src/.inputs"
	origins "$module" >"$src/.origins"
	sed "s,^,$module\t," "$src/.origins"
done >"$src/.all"
mapfile -t files < <(cut -f 2 "$src/.all" | grep -v '^- ' | sort -u)
(
	cd "$slice"
	paste <(printf '%s\n' "${files[@]}") <(sha1sum "${files[@]}" | cut -d ' ' -f 1) \
		<(sha256sum "${files[@]}" | cut -d ' ' -f 1) <(licences "${files[@]}")
) >"$src/.files"
awk -F '\t' 'NR == FNR { of[$1] = $0; next }
	$2 ~ /^- / { print $1 "\t-\t" substr($2, 3); next }
	{ print $1 "\t" of[$2] }' "$src/.files" "$src/.all"
