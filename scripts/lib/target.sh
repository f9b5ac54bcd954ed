# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# target.sh - target files, and the inputs of a target's build.

# builder/families/FAMILY.sh sets its keys, the programs it needs, those it needs for make lock, and the mirrors
# that are tried last.
# shellcheck disable=SC2034 # for those who source this file
family_keys='' family_programs='' family_lock_programs='' family_fallbacks=''
# family_network: Set up the network before a download.  A family may replace this function.
family_network() { :; }

# The keys of a target file: "!" means required, "?" optional.  A family adds its own keys.
target_keys='!FAMILY !ARCH !RELEASE !TOOLCHAIN !KERNEL_DEVEL !SOURCE !BTF ?HIDE ?SOURCE_DIR ?COMPILER ?KERNEL_IMAGE ?VM'

# list_targets: Print the names of the targets in TARGET_DIR, one a line.
list_targets() {
	local file
	for file in "$TARGET_DIR"/*.lock; do
		[[ -f ${file%.lock} ]] && basename "$file" .lock
	done | sort -V
}

# refuse_shipped NAME: Exit if targets/ships-wireguard says that this kernel needs no build.
refuse_shipped() {
	local name=$1 distribution first reason version
	[[ -f $TARGET_DIR/ships-wireguard ]] || return 0
	while read -r distribution first reason; do
		[[ $distribution == '' || $distribution == '#'* ]] && continue
		[[ $name == "$distribution"-* ]] || continue
		version=${name#"$distribution"-} version=${version%.x86_64} version=${version%.al8}
		if [[ $(printf '%s\n%s\n' "$first" "$version" | sort -V | head -n1) == "$first" ]]; then
			die "'$name' is refused: $reason"
		fi
	done <"$TARGET_DIR/ships-wireguard"
}

# unset_keys KEYS: Unset the variables of the keys, so that none comes from the environment.
unset_keys() {
	local word words
	read -ra words <<<"$1"
	for word in "${words[@]}"; do unset "${word:1}"; done
}

# is_name WORD: Return 0 if WORD may be the name of a target or a kernel: no path, no option.
is_name() { [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9._+-]*$ ]]; }

# refuse_options WHERE VALUE: Exit if VALUE has a word that a program could take for an option.
refuse_options() {
	[[ ! $2 =~ (^|[[:space:]])- ]] || die "$1: a word that begins with '-' could be taken for an option"
}

# read_target NAME: Read TARGET_DIR/NAME.  Set TARGET, and one variable for each key (empty for an absent
# optional key); load builder/families/FAMILY.sh.  On bad input exit with file, line and key.
read_target() {
	local name=$1 file=$TARGET_DIR/$1 n=0 line key='' value keys word words seen=' '

	is_name "$name" || die "'$name' is not a target's name"
	refuse_shipped "$name"
	if [[ ! -f $file || $name == *.lock || $name == ships-wireguard ]]; then
		die "unknown target '$name'; 'make targets' lists those that are known"
	fi
	keys=" $target_keys "
	unset_keys "$keys"
	while IFS= read -r line || [[ -n $line ]]; do
		((++n))
		[[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
		if [[ $line =~ ^[[:space:]] ]]; then
			[[ -n $key ]] || die "$file:$n: a continuation line, but no key before it"
			read -r value <<<"$line"
			refuse_options "$file:$n: $key" "$value"
			printf -v "$key" '%s %s' "${!key}" "$value"
			continue
		fi
		[[ $line =~ ^([A-Z_]+)[[:space:]]*=[[:space:]]*(.*)$ ]] ||
			die "$file:$n: '$line' is not of the form KEY = value"
		key=${BASH_REMATCH[1]}
		read -r value <<<"${BASH_REMATCH[2]}" || [[ -n $value ]] || value=''
		[[ $seen != *" $key "* ]] || die "$file:$n: $key is given twice"
		seen+="$key "
		if [[ $key == FAMILY ]]; then
			[[ $value =~ ^[a-z]+$ && -f $TOP/builder/families/$value.sh ]] ||
				die "$file:$n: unknown FAMILY '$value'; there are:" \
					"$(cd "$TOP/builder/families" && printf '%s ' *.sh | sed 's/\.sh//g')"
			# shellcheck source=/dev/null
			. "$TOP/builder/families/$value.sh"
			keys=" $target_keys $family_keys "
			unset_keys "$family_keys"
		elif [[ $seen != *' FAMILY '* ]]; then
			die "$file:$n: FAMILY must be the first key, but $key is"
		fi
		[[ $keys == *" !$key "* || $keys == *" ?$key "* ]] ||
			die "$file:$n: unknown key '$key'"
		refuse_options "$file:$n: $key" "$value"
		printf -v "$key" '%s' "$value"
	done <"$file"
	read -ra words <<<"$keys"
	for word in "${words[@]}"; do
		key=${word:1}
		[[ $word == '?'* || -n ${!key:-} ]] || die "$file:$n: the key $key is missing"
		[[ -n ${!key:-} ]] || printf -v "$key" ''
	done
	is_name "$RELEASE" || die "$file: RELEASE '$RELEASE' is not a kernel release"
	[[ $ARCH == x86_64 ]] || die "$file: ARCH '$ARCH' is not supported; x86_64 is"
	for key in KEY SOURCE; do
		# over plain http anybody on the way says what it is; on loopback nobody is
		[[ ${!key:-} != *://* || ${!key} =~ ^(https://|http://127\.0\.0\.1[:/]) ]] ||
			die "$file: $key '${!key}' is not an https address"
	done
	[[ $BTF == off ]] || die "$file: BTF '$BTF' is not supported; off is"
	[[ -z $SOURCE_DIR || ($SOURCE_DIR =~ ^/build/[A-Za-z0-9._+/-]+[A-Za-z0-9]$ && $SOURCE_DIR != *..*) ]] ||
		die "$file: SOURCE_DIR '$SOURCE_DIR' is not a directory below /build/, the only place where the build can write"
	# shellcheck disable=SC2034 # for those who source this file
	TARGET=$name
}

# ---- the inputs of a build ------------------------------------------------------------

# image_files: Print the project's files that the builder image of the target that was read is made from, by
# their paths below TOP, one a line.
image_files() {
	(
		cd "$TOP" || exit
		printf '%s\n' Containerfile VERSION build.sh "builder/families/$FAMILY".*
		find builder -maxdepth 1 -type f \( -name '*.sh' -o -name '*.awk' -o -name '*.c' \)
		find crypto src -type f \( -name '*.[ch]' -o -name Makefile -o -name 'Kbuild*' \)
	) | sort
}

# host_files: Print the project's files that run on the host in a build.
host_files() {
	(cd "$TOP" && find scripts -type f \( -name '*.sh' -o -name '*.awk' -o -name '*.jq' -o -name packages \) | sort)
}

# target_inputs: Print "KEY = VALUE" for the target that was read, without the keys that only a VM needs.
target_inputs() {
	local word words
	read -ra words <<<"$target_keys $family_keys"
	for word in "${words[@]:1}"; do
		word=${word:1}
		[[ $word == KERNEL_IMAGE || $word == VM || -z ${!word} ]] || printf '%s = %s\n' "$word" "${!word}"
	done | { printf 'FAMILY = %s\n' "$FAMILY" && sort; }
}

# lock_inputs: Print the lines of the lock that was read, without those that only a VM needs.
lock_inputs() {
	local i
	for i in "${!LOCK_SHA256[@]}"; do
		[[ ${LOCK_STAGE[i]} == vm ]] || printf '%s %s %s\n' "${LOCK_STAGE[i]}" "${LOCK_SHA256[i]}" "${LOCK_WHERE[i]}"
	done
}
