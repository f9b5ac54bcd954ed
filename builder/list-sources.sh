#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: list-sources.sh DEVEL SRC OBJ MODULE...
#
# Print the files that each MODULE (DIRECTORY/NAME) was compiled from, by the .mod and .cmd files that Kbuild
# left in OBJ.  Each file of the kernel's source gets a line "MODULE PATH SHA1 SHA256 LICENCE", separated by
# tabs.  A line "MODULE - COUNT" counts the other files: headers of kernel-devel (DEVEL), of the compiler and
# of /wgkmod.  A file from anywhere else is an error.  For a file that a program of the source made in SRC,
# print that program.  Runs in the container after the build.

set -euo pipefail
# shellcheck source=builder/kernel-devel.sh
. /wgkmod/kernel-devel.sh

devel=$1 src=$2 obj=$3
shift 3
slice=$(readlink -f /kernel/slice)

# resolve PATH DIR: Set file to the absolute path of make's PATH, which is in DIR, OBJ, SRC or DEVEL.
resolve() {
	for file in "$1" "$2/$1" "$obj/$1" "$src/$1" "$devel/$1"; do
		[[ $file != /* || ! -e $file ]] || return 0
	done
	die "cannot find '$1', which a module was made from"
}

# inputs MODULE: Print the files that the module's objects were compiled from, by make's names.
inputs() {
	local word file cmds=()
	while read -r word; do
		[[ $word == *.o ]] || continue
		resolve "$word" "$obj/${1%/*}"
		cmds+=("${file%/*}/.${file##*/}.cmd")
	done < <(tr -s ' ' '\n' <"$obj/$1.mod")
	sed -n 's/^source_.* := //p; /^deps_/,/^$/s/^  \([^ $][^ ]*\).*/\1/p' "${cmds[@]}" | sort -u
}

# origin FILE: Print the files of the slice that FILE, in SRC or OBJ, comes from: FILE itself, or the files in
# the command that made it, or the files in the rule for it in the kernel's Makefile.
origin() {
	local file=$1 path=${1#"$src/"} cmd word found=
	path=${path#"$obj/"} path=${path#./}
	if [[ -f $slice/$path ]]; then
		cmp -s "$file" "$slice/$path" || die "'$path' differs from the file in the kernel's source"
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
	[[ -n $found ]] || die "no command and no rule says what '$path' was made from"
}

# rule PATH: Print the paths in the rule for $(obj)/... that makes PATH, from the slice's Makefiles above PATH.
rule() {
	local dir=${1%/*} name
	while [[ $dir == */* ]]; do
		name=${1#"$dir/"}
		[[ ! -f $slice/$dir/Makefile ]] || sed -n "s,^\$(obj)/${name//./\\.}: *,,p" "$slice/$dir/Makefile" |
			tr -s ' ' '\n' | sed "s,^\$(src)/,$dir/,"
		dir=${dir%/*}
	done
}

# licences FILE...: Print the licence in the SPDX line among the first five lines of each file, one a line.
licences() {
	awk 'FNR == 1 && NR > 1 { print licence; licence = "" }
		FNR <= 5 && licence == "" && sub(/.*SPDX-License-Identifier: */, "") {
			sub(/\*\/.*/, "")
			sub(/ +$/, "")
			licence = $0
		}
		END { print licence }' "$@"
}

# origins MODULE: Print the files of the slice that the module was compiled from, one a line, then "- COUNT".
# known keeps the origin of each file, for the other modules.
declare -A known=()
origins() {
	local module=$1 word others=0 made=
	while read -r word; do
		resolve "$word" "$src/${module%/*}"
		[[ ! -L $file ]] || file=$(readlink -f "$file") # SRC may have links to kernel-devel
		case $file in
		"$src"/* | "$obj"/*)
			[[ -n ${known[$file]:-} ]] || known[$file]=$(origin "$file")
			made+=${known[$file]}$'\n'
			;;
		"$devel_real"/* | /usr/src/* | /usr/lib/* | /wgkmod/crypto/*) others=$((others + 1)) ;;
		*) die "'$module' was made from '$file', which is neither the kernel's source nor a package's" ;;
		esac
	done <"$src/.inputs"
	[[ -n $made ]] || die "Kbuild names no source of '$module'"
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
