# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# output.sh - the output of a build: the stream from its container, checksums, modules and their signatures.

# digest_of FILE: Print the sha256 of the file.
digest_of() { sha256sum <"$1" | cut -d ' ' -f 1; }

# A name in a build's output or in a publication.
plain_name='[A-Za-z0-9_][A-Za-z0-9._+-]*'

# is_plain_path PATH: Return 0 if PATH is relative, of such names alone.
is_plain_path() { [[ $1 =~ ^($plain_name/)*$plain_name$ ]]; }

# is_output MODE NAME: Return 0 if the build's output (build.sh) may have an entry of that mode (as ls prints
# it) and name.
is_output() {
	local word=$plain_name
	case $1 in
	d*) [[ $2 =~ ^\./($word/)*$ ]] ;;
	-*) [[ $2 =~ ^\./(wgkmod|explain\.txt|sources|modules/($word/)*$word\.ko|debug/($word/)*$word\.ko\.debug)$ ]] ;;
	*) return 1 ;;
	esac
}

# unpack_stream DIR: Unpack the tar on standard input, which a container made, into the new directory DIR.
# The tar is not trusted: it may have only directories and regular files with the names of the build's output,
# each once, 1 GiB in all.  Ignore owners and modes.  Exit without unpacking if an entry breaks these rules.
unpack_stream() {
	local dir=$1 tar=$1.tar limit=$((1 << 30)) total=0 line mode size name
	local entry='^([^ ]+) +[^ ]+ +([0-9,]+) [^ ]+ [^ ]+ (.*)$' # as ls prints it; a name may have blanks at its ends
	local -A seen=()
	head -c "$((limit + 1))" >"$tar"
	tar --list --verbose --quoting-style=escape --numeric-owner --file="$tar" >"$tar.list" ||
		die "the build's output is not a tar archive, or is larger than $limit bytes"
	while IFS= read -r line; do
		[[ $line =~ $entry ]] ||
			die "the build's output has the entry '$line', which no build makes; nothing of it was unpacked"
		mode=${BASH_REMATCH[1]} size=${BASH_REMATCH[2]} name=${BASH_REMATCH[3]}
		total=$((total + size))
		if ! is_output "$mode" "$name" || [[ -n ${seen[$name]:-} || $total -gt $limit ]]; then
			die "the build's output has '$name' ($mode, $size bytes), which no build makes; nothing of it was unpacked"
		fi
		seen[$name]=1
	done <"$tar.list"
	for name in ./wgkmod ./explain.txt ./sources; do
		[[ -n ${seen[$name]:-} ]] || die "the build's output has no '$name'"
	done
	mkdir -m 700 "$dir"
	tar --extract --no-same-owner --no-same-permissions --directory="$dir" --file="$tar"
	chmod -R u=rw,go=r,a+X,a-s "$dir"
	chmod 755 "$dir/wgkmod"
	rm "$tar" "$tar.list"
}

# ---- checksums ------------------------------------------------------------------------

# write_sums DIR: Write DIR/SHA256SUMS for all files below DIR, in the order of their names.
write_sums() {
	local sums
	sums=$(cd "$1" && find . -type f ! -path ./SHA256SUMS -printf '%P\0' | sort -z | xargs -0 sha256sum)
	printf '%s\n' "$sums" >"$1/SHA256SUMS"
}

# check_sums DIR: Return 0 if all files in DIR/SHA256SUMS exist and have their digests.
check_sums() { (cd "$1" && sha256sum --check --quiet --strict SHA256SUMS) >/dev/null 2>&1; }

# require_output: Exit unless out/RELEASE/ of the target that was read exists and matches its SHA256SUMS.
require_output() {
	[[ -f $OUT/$RELEASE/SHA256SUMS ]] ||
		die "there is no '$OUT/$RELEASE/SHA256SUMS'; run: make artifacts TARGET=$TARGET"
	check_sums "$OUT/$RELEASE" ||
		die "'$OUT/$RELEASE' is not what its SHA256SUMS says; remove it and run: make artifacts TARGET=$TARGET"
}

# inputs_of_provenance FILE: Print the inputs digest of the build that provenance.json describes, as
# scripts/inputs.sh prints it for a target.
inputs_of_provenance() {
	jq --sort-keys '.predicate.buildDefinition | {target: .internalParameters.target, files: .resolvedDependencies}' \
		"$1" | sha256sum | cut -d ' ' -f 1
}

# ---- modules --------------------------------------------------------------------------

# plain_module FILE: Print the module in FILE, uncompressed.
plain_module() {
	case $1 in
	*.ko) cat "$1" ;;
	*.gz) gzip -dc "$1" ;;
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -dcq "$1" ;;
	*) die "'$1' is compressed in an unknown way: .ko, .ko.gz, .ko.xz and .ko.zst are known" ;;
	esac
}

# The end of a signed module (include/linux/module_signature.h and scripts/sign-file.c of the kernel).
signature_marker='~Module signature appended~'

# signature_trailer SIZE: Print the bytes after a PKCS#7 signature of SIZE bytes: struct module_signature with
# id_type 2 (PKCS#7) and the size, big-endian, then the marker.
signature_trailer() {
	# shellcheck disable=SC2059 # the size in bytes
	printf "\0\0\2\0\0\0\0\0$(printf '\\%03o' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)))"
	printf '%s\n' "$signature_marker"
}
