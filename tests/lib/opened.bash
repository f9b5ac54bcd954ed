# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Find the files that a build opened, and where each of them comes from.  Load after helpers.

# Files that the build reads and that making the image makes from the packages and the kernel's source.
# closure.sh writes those in /kernel, and removes the modules of HIDE from those in DEVEL.  The Containerfile
# writes wgkmod and source-dir.
DERIVED='
/kernel/cc
/kernel/config
/kernel/explain.txt
/kernel/modules
/kernel/stands-in
/kernel/vermagic
DEVEL/.config
DEVEL/Module.symvers
DEVEL/include/config/auto.conf
DEVEL/include/generated/autoconf.h
/wgkmod/wgkmod
/wgkmod/source-dir'

# opened BUILDER SCRIPT DIR: Run the bash SCRIPT in a container of BUILDER under this host's strace, and write
# "PATH SHA256" of each file that it opened or ran to DIR/opened, except below /build, /tmp, /proc, /sys and
# /dev.  A file that open() created with O_EXCL is no input.  strace prints relative paths of programs without
# their directory: such a path is below the build tree, or else a file that was opened in /tmp or /build.
opened() {
	BUILDER=$1 SCRIPT=$2 DIR=$3 run_cmd 0 bash -c 'opened_run'
}

opened_run() {
	(
		# shellcheck source=scripts/lib.sh
		. "$ROOT_DIR/scripts/lib.sh"
		# shellcheck source=scripts/lib/podman.sh
		. "$ROOT_DIR/scripts/lib/podman.sh"
		LOG=/dev/null
		podman_probe "$BUILDER" >&2
		"${PODMAN[@]}" run --rm --network=none --pull=never "${PODMAN_LIMITS[@]}" \
			--security-opt=label=disable --tmpfs /build:rw,exec,size=2g \
			--volume /:/host:ro --volume "$DIR:/traced" "$BUILDER" bash -euc '
			host=/host/usr/lib/x86_64-linux-gnu
			"$host"/ld-linux-x86-64.so.2 --library-path "$host:/host/lib/x86_64-linux-gnu" \
				/host/usr/bin/strace -f -y -z -qq --seccomp-bpf -e trace=open,openat,openat2,execve \
				-o /build/.trace bash -euc "$1"
			devel=$(readlink -f /kernel/devel)
			sed -n "/O_EXCL/d; s/.* = [0-9]*<\(\/[^>]*\)>\$/\1/p; s/^[0-9 ]*execve(\"\([^\"]*\)\".* = 0\$/\1/p" \
				/build/.trace | sort -u >/build/.files
			sed -n "/^\/tmp\//p; /^\/build\//p" /build/.files >/build/.own
			while read -r file; do
				if [[ $file != /* ]]; then
					own=${file#./} file=$devel/$file
					[[ -e $file ]] || ! grep -q "/${own//./\\.}\$" /build/.own || continue
				fi
				file=$(realpath -m "$file")
				case $file in
				/build/* | /tmp/* | /host/* | /proc/* | /sys/* | /dev/* | /traced/*) continue ;;
				esac
				if [[ -f $file ]]; then
					printf "%s %s\n" "$file" "$(sha256sum <"$file" | cut -d " " -f 1)"
				elif [[ ! -d $file ]]; then
					printf "%s gone\n" "$file"
				fi
			done </build/.files | sort -u >/traced/opened' opened "$SCRIPT"
	)
}
export -f opened_run

# unexplained DIR PROVENANCE DEVEL: Print the files in DIR/opened that no digest of the provenance explains.
# DIR/packages has the files of the provenance's packages, DIR/source the kernel's source.  Write the number of
# explained files, by their origin, to DIR/count.
unexplained() {
	local dir=$1 provenance=$2 file sha from candidate derived=${DERIVED//DEVEL/$3}
	while read -r file sha; do
		from=
		for candidate in "$file" "/usr$file" "${file#/usr}"; do
			[[ ! -f $dir/packages$candidate ]] ||
				[[ $(sha256sum <"$dir/packages$candidate" | cut -d ' ' -f 1) != "$sha" ]] || from=package
		done
		case $file in
		/kernel/slice/*)
			[[ ! -f $dir/source/${file#/kernel/slice/} ]] ||
				[[ $(sha256sum <"$dir/source/${file#/kernel/slice/}" | cut -d ' ' -f 1) != "$sha" ]] || from=source
			;;
		/wgkmod/*)
			candidate=${file#/wgkmod/}
			[[ ! -f $ROOT_DIR/builder/$candidate ]] || candidate=builder/$candidate
			[[ $candidate != family.sh ]] || candidate=builder/families/deb.sh
			! jq --exit-status --arg uri "$candidate" --arg sha "$sha" '.predicate.buildDefinition.resolvedDependencies |
				any(.[]; .uri == $uri and .digest.sha256 == $sha)' "$provenance" >/dev/null || from=project
			;;
		esac
		[[ -n $from ]] || ! grep -qxF "$file" <<<"$derived" || from=derived
		[[ -n $from ]] || ! grep -qF "\"$sha\"" "$provenance" || from=input
		[[ -n $from ]] || printf '%s\n' "$file"
		[[ -z $from ]] || printf '%s\n' "$from" >>"$dir/from"
	done <"$dir/opened"
	sort "$dir/from" | uniq -c | awk '{ print $2, $1 }' >"$dir/count"
}

# contents DIR: Unpack the provenance's packages and the kernel's source, for unexplained.
contents() {
	local stage
	mkdir "$1/packages" "$1/source"
	for stage in base toolchain source; do stage "$TARGET_NAME" "$stage" "$1/stage-$stage"; done
	(
		# shellcheck source=builder/families/deb.sh
		. "$ROOT_DIR/builder/families/deb.sh"
		family_unpack "$1/stage-base" "$1/packages"
		family_unpack "$1/stage-toolchain" "$1/packages"
		family_source "$1"/stage-source/* | tar -x -C "$1/source" --strip-components=1 \
			--wildcards '*/drivers/net/wireguard' '*/lib/crypto' '*/arch/x86/crypto'
	)
	rm -r "$1"/stage-*
}
