# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# output.sh - what a build gives: the stream out of its container, checksums, modules and their signatures.

# is_output MODE NAME: an entry of that mode (as ls prints it) and name may be in the build's output (build.sh).
is_output() {
	local word='[A-Za-z0-9_][A-Za-z0-9._+-]*'
	case $1 in
	d*) [[ $2 =~ ^\./($word/)*$ ]] ;;
	-*) [[ $2 =~ ^\./(wgkmod|explain\.txt|sources|modules/($word/)*$word\.ko|debug/($word/)*$word\.ko\.debug)$ ]] ;;
	*) return 1 ;;
	esac
}

# unpack_stream DIR: unpacks the tar on standard input, which a container made, into the new directory DIR.
# Nothing in it is trusted: it may have directories, and regular files with the names of the build's output,
# each once, 1 GiB in all.  No owner and no mode is taken.  Ends the script otherwise, nothing unpacked.
unpack_stream() {
	local dir=$1 tar=$1.tar limit=$((1 << 30)) total=0 mode size name
	local -A seen=()
	head -c "$((limit + 1))" >"$tar"
	tar --list --verbose --quoting-style=escape --numeric-owner --file="$tar" >"$tar.list" ||
		die "what the build gave is no tar archive, or is larger than $limit bytes"
	while read -r mode _ size _ _ name; do
		total=$((total + size))
		if ! is_output "$mode" "$name" || [[ -n ${seen[$name]:-} || $total -gt $limit ]]; then
			die "the build gave '$name' ($mode, $size bytes), which no build has; nothing of it is taken"
		fi
		seen[$name]=1
	done <"$tar.list"
	for name in ./wgkmod ./explain.txt ./sources; do
		[[ -n ${seen[$name]:-} ]] || die "the build gave no '$name'"
	done
	mkdir -m 700 "$dir"
	tar --extract --no-same-owner --no-same-permissions --directory="$dir" --file="$tar"
	chmod -R u=rw,go=r,a+X,a-s "$dir"
	chmod 755 "$dir/wgkmod"
	rm "$tar" "$tar.list"
}

# ---- checksums ------------------------------------------------------------------------

# write_sums DIR: writes DIR/SHA256SUMS of all files below DIR, in the order of their names.
write_sums() {
	local sums
	sums=$(cd "$1" && find . -type f ! -path ./SHA256SUMS -printf '%P\0' | sort -z | xargs -0 sha256sum)
	printf '%s\n' "$sums" >"$1/SHA256SUMS"
}

# check_sums DIR: all that DIR/SHA256SUMS names is there and has its digest.
check_sums() { (cd "$1" && sha256sum --check --quiet --strict SHA256SUMS) >/dev/null 2>&1; }

# require_output: refuses what is in out/RELEASE/ of the target that was read, unless it is as it was made.
require_output() {
	[[ -f $OUT/$RELEASE/SHA256SUMS ]] ||
		die "there is no '$OUT/$RELEASE/SHA256SUMS'; run: make artifacts TARGET=$TARGET"
	check_sums "$OUT/$RELEASE" ||
		die "'$OUT/$RELEASE' is not what its SHA256SUMS says; remove it and run: make artifacts TARGET=$TARGET"
}

# ---- modules --------------------------------------------------------------------------

# plain_module FILE: the module in FILE, not compressed, on standard output.
plain_module() {
	case $1 in
	*.ko) cat "$1" ;;
	*.gz) gzip -dc "$1" ;;
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -dcq "$1" ;;
	*) die "'$1' is compressed in a way that is not known here" ;;
	esac
}

# The end of a signed module (include/linux/module_signature.h and scripts/sign-file.c of the kernel).
signature_marker='~Module signature appended~'

# signature_trailer SIZE: what follows a PKCS#7 signature of SIZE bytes: struct module_signature with id_type 2
# (PKCS#7) and the size, big-endian; the marker.
signature_trailer() {
	# shellcheck disable=SC2059 # the size in bytes
	printf "\0\0\2\0\0\0\0\0$(printf '\\%03o' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)))"
	printf '%s\n' "$signature_marker"
}
