# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# directory.sh - directories that can be trusted, and temporary ones.

# own_dir DIR...: makes each directory where it is missing, and ends the script unless it can be trusted:
# it belongs to the user who runs this or to root, and nobody else may write into it.  Nobody else can
# then put a link, a program or another file where this user expects his own.
own_dir() {
	local dir owner mode
	for dir; do
		mkdir -p "$dir" || die "cannot create '$dir'"
		read -r owner mode < <(stat --format '%u %a' "$dir/.")
		[[ $owner -eq $EUID || $owner -eq 0 ]] ||
			die "'$dir' belongs to another user, who could change what is in it; name a directory of your own"
		(((8#$mode & 8#22) == 0)) ||
			die "'$dir' may be written by others, who could change what is in it; run: chmod go-w '$dir'"
	done
}

# make_tmp PARENT: sets TMP to a new directory in PARENT that goes when the script ends.  It is
# locked while in use (descriptor 8); those that a killed run left behind are removed first.
make_tmp() {
	local parent=$1 old
	own_dir "$parent"
	exec 7<"$parent"
	flock 7 || die "cannot lock '$parent'"
	for old in "$parent"/.wgkmod-tmp.*; do
		[[ -d $old && -O $old && ! -L $old ]] || continue
		# shellcheck disable=SC2094 # the directory is only locked
		(flock -n 9 && rm -rf "$old") 9<"$old" || continue
	done
	TMP=$(mktemp -d "$parent/.wgkmod-tmp.XXXXXXXX") || die "cannot create a directory in '$parent'"
	exec 8<"$TMP"
	flock -n 8 || die "cannot lock '$TMP'"
	exec 7<&-
	trap on_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}
