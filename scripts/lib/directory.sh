# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# directory.sh - trusted and temporary directories.

# own_dir DIR...: Create each directory if it is missing.  Exit unless it belongs to this user or root, and
# no other user may write into it: another user could put a link or a program there.
own_dir() {
	local dir owner mode
	for dir; do
		mkdir -p "$dir" || die "cannot create '$dir'"
		read -r owner mode < <(stat --format '%u %a' "$dir/.")
		[[ $owner -eq $EUID || $owner -eq 0 ]] ||
			die "'$dir' belongs to another user, who could change its files; name a directory of your own"
		(((8#$mode & 8#22) == 0)) ||
			die "'$dir' is writable by other users, who could change its files; run: chmod go-w '$dir'"
	done
}

# make_tmp PARENT: Set TMP to a new directory in PARENT, which is removed when the script ends.  Descriptor 8
# keeps it locked.  First remove the unlocked directories of this machine's killed runs: another machine that has PARENT
# too may not see our locks, nor we its.  On a file system that has no locks they stay.
make_tmp() {
	local parent=$1 old machine locks=1
	machine=$(uname -n)
	own_dir "$parent"
	exec 7<"$parent"
	flock 7 2>/dev/null || locks=
	for old in "$parent/.wgkmod-tmp.$machine".????????; do
		[[ -n $locks && -d $old && -O $old && ! -L $old ]] || continue
		# shellcheck disable=SC2094 # the directory is only locked
		(flock -n 9 && rm -rf "$old") 9<"$old" || continue
	done
	TMP=$(mktemp -d "$parent/.wgkmod-tmp.$machine.XXXXXXXX") || die "cannot create a directory in '$parent'"
	exec 8<"$TMP"
	[[ -z $locks ]] || flock -n 8 || die "cannot lock '$TMP'"
	exec 7<&-
	trap on_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}
