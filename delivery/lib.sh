# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# lib.sh - what the scripts that deliver share.  Sourced, never run; sources scripts/lib.sh.

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# shellcheck disable=SC2034 # for those who source this file
DELIVERY=$TOP/delivery

# bundle_file RELEASE: Print the path of the kernel's bundle in out/; with MODULE_KEY, of that whose modules are signed.
bundle_file() { printf '%s/%s%s/wireguard-%s.tar\n' "$OUT" "${MODULE_KEY:+signed/}" "$1" "$1"; }

# has_kernel TARGET: Return 0 if the lock has the kernel's package, which an image for KMM needs; 3 if it has none.
has_kernel() (
	# a published kernel whose target was removed, or ships WireGuard now
	[[ -f $TARGET_DIR/$1.lock ]] && (refuse_shipped "$1") 2>/dev/null || exit 3
	read_target "$1"
	[[ -n $KERNEL_IMAGE ]] || exit 3
	read_lock "$1" kernel
	[[ ${#LOCK_SHA256[@]} -gt 0 && " ${LOCK_SHA256[*]} " != *' - '* ]] || exit 3
)

# require_signed_bundle: Set bundle to that of the target that was read.  Exit unless it is there, with a signature
# by PUBLIC_KEY beside it.
require_signed_bundle() {
	bundle=$(bundle_file "$RELEASE")
	[[ -f $bundle && -f $bundle.minisig ]] ||
		die "there is no signed bundle '$bundle'; run: make bundle TARGET=$TARGET SIGN_KEY=..."
	minisign -V -q -p "$PUBLIC_KEY" -m "$bundle" >/dev/null 2>&1 ||
		die "'$bundle' is not signed by the key '$PUBLIC_KEY'"
}

# reason WORDS: Print why a command failed that said WORDS: a full file system, which tar does not always name, else the
# first line.
reason() {
	if [[ -n $(full_disk "$TMP" 2>&1) ]]; then
		printf 'No space left on device\n'
	else
		head -n 1 <<<"$1"
	fi
}

# try COMMAND...: Run the command; if it fails, exit with what it said in one sentence.
try() {
	local said
	said=$("$@" 2>&1) || die "nothing was published: $(reason "${said:-$1 failed}")"
}

# try_into FILE COMMAND...: Run the command with its output in FILE; if it fails, exit as try does.
try_into() {
	local file=$1 said
	shift
	# shellcheck disable=SC2069 # the messages are kept, the output is not
	said=$({ "$@" >"$file"; } 2>&1) ||
		die "nothing was published: cannot write '$file': $(reason "${said:-$1 failed}")"
}

# read_index FILE: Exit unless FILE is an index of the format that this project writes.
read_index() {
	jq --exit-status '.format == "wgkmod-index-1" and (.generation | type) == "number"' "$1" >/dev/null 2>&1 ||
		die "'$1' is not an index of the format wgkmod-index-1"
}

# statement_covers FILE SHA256: Return 0 if FILE is the statement of the proofs of the bundle with this digest.
statement_covers() {
	[[ -f $1 ]] && jq --exit-status --arg sha "$2" '.predicateType == "urn:wgkmod:proofs:v1" and
		(.subject | length) == 1 and .subject[0].digest.sha256 == $sha' "$1" >/dev/null 2>&1
}

# statement_has_repro FILE: Return 0 if the statement says that the bundle was built again with the same bits.
statement_has_repro() { jq --exit-status '.predicate.repro == "passed"' "$1" >/dev/null; }

# lock_dest DEST: Lock the web root until this script ends, and exit if another run has the lock.
lock_dest() {
	exec 9<"$1.versions"
	flock -n 9 || die "another run publishes to '$1'; run the command again when it has ended"
}

# switch_to DEST TREE GENERATION: Make the directory TREE a version in DEST.versions/, and DEST a link to it, by one
# rename.  Then note its generation, and remove the versions before the last.
switch_to() {
	local dest=$1 versions version old current
	versions=$(realpath -m "$1.versions") # as current, also below a link
	try_into "$TMP/generation" printf '%d\n' "$3" # before the switch: a full file system stops it here
	version=$versions/$3-$(sha256sum <"$2/SHA256SUMS" | cut -c 1-12)
	current=$(realpath -m "$dest")
	if [[ $version != "$current" ]]; then
		rm -rf "$version"
		try mv -T "$2" "$version"
	fi
	find "$version" -type f -links 1 -exec sync {} +
	rm -f "$versions/link"
	try ln -s "${versions##*/}/${version##*/}" "$versions/link"
	[[ -L $dest || ! -d $dest ]] || try rmdir "$dest"
	try mv -T "$versions/link" "$dest"
	try mv "$TMP/generation" "$versions/generation"
	for old in "$versions"/[0-9]*-*; do
		[[ $old == "$version" || $old == "$current" ]] || rm -rf "$old"
	done
}
