# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# deb.sh - everything that is particular to Debian and its relatives.
#
# This file names no mirror.  The mirrors are MIRROR= (one or more addresses), else those of the machine's
# own apt and then the distribution's archive of old releases.  A lock names paths below a mirror; the digest
# decides, so any mirror will do.
#
# SUITE is one or more suites, such as "bullseye bullseye-security".  The base comes from the first.  Packages
# of the others are used only where the target asks for their version.

# shellcheck disable=SC2034 # for read_target
family_keys='!SUITE'
family_programs='dpkg-deb'
family_lock_programs='apt-get curl /usr/share/keyrings/debian-archive-keyring.gpg'
family_fallbacks='http://archive.debian.org/debian http://archive.debian.org/debian-security'

# ---- on the host ----------------------------------------------------------------------

# deb_mirror_lists: Copy addresses from standard input to standard output; replace "mirror+file:FILE" by the
# addresses in FILE (apt-transport-mirror(1)).
deb_mirror_lists() {
	local address
	while read -r address; do
		case $address in
		mirror+file:*) sed -E 's/#.*//; s/[[:space:]].*//; /^$/d' "${address#mirror+file:}" ;;
		*) printf '%s\n' "$address" ;;
		esac
	done
}

# family_is_devel FILE: Return 0 if the package is of one kernel: its build tree, or a part of that.  The other packages
# of the toolchain are the same for all kernels of a suite.
family_is_devel() { [[ $1 =~ ^linux-(headers|kbuild|compiler|base)-[^/]*[0-9] ]]; }

# family_network: Use apt's own proxy for downloads, unless the environment names one.
family_network() {
	local proxy
	[[ -z ${http_proxy:-} ]] && command -v apt-config >/dev/null || return 0
	proxy=$(apt-config shell proxy Acquire::http::Proxy | sed -n "s/^proxy='\(.*\)'$/\1/p")
	[[ -z $proxy || $proxy == DIRECT ]] || export http_proxy=$proxy
}

# family_mirrors: Print the addresses to try, one a line, in order.
family_mirrors() {
	if [[ -n ${MIRROR:-} ]]; then
		tr ' ' '\n' <<<"$MIRROR" | sed 's,/$,,'
		return
	fi
	if command -v apt-get >/dev/null; then
		apt-get indextargets --no-release-info --format "\$(REPO_URI)" | deb_mirror_lists | sed 's,/$,,' | awk '!seen[$0]++'
	fi
	tr ' ' '\n' <<<"$family_fallbacks"
}

# deb_uris: Print "SHA256 LOCATION" for each address on standard input, by apt-get --print-uris; sorted.
deb_uris() {
	local mirrors
	mirrors=$(IFS='|' && printf '%s' "${DEB_MIRRORS[*]}")
	sed -nE "s,^'($mirrors)/([^']*)' [^ ]* [0-9]* SHA256:([0-9a-f]*)\$,\\3 \\2,p" | sort
}

# deb_closure ROOT WORDS...: Print the packages that installing WORDS on an empty system needs (deb_uris).
deb_closure() {
	local root=$1
	shift
	APT_CONFIG=$root/apt.conf apt-get install --print-uris --yes --no-install-recommends -- "$@" | deb_uris
}

# deb_alone ROOT WORDS...: Print the packages WORDS without their dependencies (deb_uris).
deb_alone() {
	local root=$1
	shift
	APT_CONFIG=$root/apt.conf apt-get download --print-uris -- "$@" | deb_uris
}

# deb_mirror SUITE: Print the address of the first mirror that has SUITE.
deb_mirror() {
	local mirror
	while read -r mirror; do
		if curl --config - --silent --fail --head --max-time 20 <<<"url = \"$mirror/dists/$1/Release\"" >/dev/null; then
			printf '%s\n' "$mirror"
			return
		fi
	done < <(family_mirrors)
	die "no mirror that has $1 can be reached; tried: $(family_mirrors | paste -sd ' ')"
}

# deb_apt_root ROOT: Make an apt configuration for the suites of SUITE in ROOT and download their lists.
# Set DEB_MIRRORS to the mirrors that have them.  apt accepts an expired release file, as the suite may no
# longer change, but still checks its signature.  Each list that cannot be downloaded is an error, also a
# transient one: the lock would cover fewer suites.
deb_apt_root() {
	local root=$1 suite mirror
	mkdir -p "$root"/{lists/partial,cache/archives/partial,etc/apt.conf.d,etc/preferences.d}
	DEB_MIRRORS=()
	# shellcheck disable=SC2153 # the key of the target
	for suite in $SUITE; do
		mirror=$(deb_mirror "$suite")
		DEB_MIRRORS+=("$mirror")
		printf 'deb [signed-by=%s] %s %s main\n' \
			/usr/share/keyrings/debian-archive-keyring.gpg "$mirror" "$suite"
	done >"$root/etc/sources.list"
	: >"$root/status"
	cat >"$root/apt.conf" <<-EOF
		Dir "$root";
		Dir::State "$root";
		Dir::State::status "$root/status";
		Dir::State::lists "$root/lists";
		Dir::Cache "$root/cache";
		Dir::Etc "$root/etc";
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; };
		APT::Sandbox::User "root";
		Acquire::ForceHash "SHA256";
		pkgCacheGen::ForceEssential ",";
		Acquire::Languages "none";
		Acquire::Check-Valid-Until "false";
		APT::Update::Error-Mode "any";
	EOF
	APT_CONFIG=$root/apt.conf run apt-get update
}

# deb_prefer_first_suite ROOT: From here on, apt takes a package of a further suite only if the target names
# its version or the first suite lacks it.  The pin matches the suite's codename, or its name (stable).
deb_prefer_first_suite() {
	local suite
	for suite in ${SUITE#"${SUITE%% *}"}; do
		printf 'Package: *\nPin: release %s=%s\nPin-Priority: 1\n\n' n "$suite" a "$suite"
	done >"$1/etc/preferences"
}

# deb_require_one_version: Refuse a target whose kernel, build tree and source differ in version.  A mirror may
# have the source of a later kernel than the build tree, and such a mix may even compile.
deb_require_one_version() {
	local key word words version=${KERNEL_DEVEL#*=}
	for key in KERNEL_DEVEL SOURCE KERNEL_IMAGE; do
		read -ra words <<<"${!key}"
		for word in "${words[@]}"; do
			[[ $word == *=* ]] || die "'$TARGET': $key says '$word' without a version; write '$word=VERSION'"
			[[ ${word#*=} == "$version" ]] ||
				die "'$TARGET': $key is '$word', but KERNEL_DEVEL is of version $version;" \
					"build tree, source and kernel must be of exactly one version"
		done
	done
}

# deb_pretend_kernel ROOT: From here on, apt treats the kernel itself as installed.  The build tree of some
# kernels depends on it, but no build uses it.
deb_pretend_kernel() {
	printf 'Package: linux-image-%s\nStatus: install ok installed\nArchitecture: amd64\nVersion: %s\n\n' \
		"$RELEASE" "${KERNEL_DEVEL#*=}" >"$1/status"
}

# family_lock: Print the whole lock of the target that was read.  Needs network.
family_lock() {
	local root=$TMP/apt stage essential suite=${SUITE%% *}
	local -a toolchain vm kernel
	deb_require_one_version
	deb_apt_root "$root"
	deb_prefer_first_suite "$root"
	essential="?narrow(?or(?archive(^$suite\$),?codename(^$suite\$)),?architecture(amd64),?essential)"
	# shellcheck disable=SC2153 # the keys of the target
	read -ra toolchain <<<"$TOOLCHAIN $KERNEL_DEVEL"
	read -ra vm <<<"$VM"
	read -ra kernel <<<"$KERNEL_IMAGE"
	deb_closure "$root" "$essential" >"$TMP/base"
	deb_alone "$root" "$SOURCE" >"$TMP/source"
	{
		[[ ${#kernel[@]} -eq 0 ]] || deb_alone "$root" "${kernel[@]}"
		[[ -z $VM ]] || deb_closure "$root" "$essential" "${vm[@]}" | comm -13 "$TMP/base" -
	} >"$TMP/vm"
	deb_pretend_kernel "$root"
	deb_closure "$root" "$essential" "${toolchain[@]}" | comm -13 "$TMP/base" - >"$TMP/toolchain"
	for stage in base toolchain source vm; do
		[[ -s $TMP/$stage || ($stage == vm && -z $KERNEL_IMAGE$VM) ]] ||
			die "${DEB_MIRRORS[*]} do not have the packages that the stage $stage of '$TARGET' needs"
		sed "s/^/$stage /" "$TMP/$stage" | sort -k3
	done
}

# family_base PKGDIR IMAGE: Make the base image IMAGE from the files of all packages in PKGDIR (deb.Containerfile),
# which podman unpacks below the image's root.  No script of a package runs; of all that they would do, a build needs
# only the name awk.
family_base() {
	local dir=$1 file
	mkdir -p "$dir/links/usr/bin" "$dir/context"
	ln -s mawk "$dir/links/usr/bin/awk"
	tar -C "$dir/links" --owner=0 --group=0 -cf "$dir/context/packages.tar" ./usr/bin/awk || return
	printf '%s\0' "$dir"/*.deb | xargs -0 -n 8 -P "$(nproc)" \
		sh -c 'for file; do dpkg-deb --fsys-tarfile "$file" >"$file.tar" || exit; done' - || return
	# tar appends only the first of several archives rightly
	for file in "$dir"/*.deb.tar; do
		tar -Af "$dir/context/packages.tar" "$file" || return
	done
	run podman build --network=none --file "$TOP/builder/families/deb.Containerfile" --tag "$2" "$dir/context" || return
	rm -r "$dir"/{links,context,*.deb.tar}
}

# family_unpack PKGDIR ROOTDIR: Unpack the packages into ROOTDIR; run none of their scripts.
family_unpack() {
	local file
	for file in "$1"/*.deb; do
		dpkg-deb --extract "$file" "$2" || return 1
	done
}

# family_root ROOT BASEDIR VMDIR: Make the root of a host for the VM: unpack the packages of both directories
# into ROOT; run none of their scripts.
family_root() { family_unpack "$2" "$1" && family_unpack "$3" "$1"; }

# ---- inside the container (no lib.sh there) -------------------------------------------

# deb_unpack PKGDIR [TAR-OPTION...]: Unpack the packages in PKGDIR, without their documentation.
deb_unpack() {
	local file
	for file in "$1"/*.deb; do
		dpkg-deb --fsys-tarfile "$file" | tar -x -C / --keep-directory-symlink --exclude='./usr/share/doc' \
			--exclude='./usr/share/man' --exclude='./usr/share/locale' "${@:2}"
	done
}

# family_install PKGDIR: Unpack the packages in PKGDIR.  No build needs what their scripts do.
family_install() { deb_unpack "$1"; }

# family_install_devel PKGDIR: Unpack the kernel's packages in PKGDIR.  Leave out two thirds of the files, which no
# build of modules for x86 reads: the headers of other architectures, and the stamps of symbols, by which make would
# see what to make again in the kernel's own tree.
family_install_devel() {
	deb_unpack "$1" --exclude='./usr/src/*/arch/[a-wyz]*' --exclude='./usr/src/*/include/config/[A-Z]*' \
		--exclude='./usr/src/*/include/config/*.h' --exclude='./usr/src/*/include/config/*/*'
}

# family_compiler: Print the name of the newest compiler that is installed.
family_compiler() { compgen -G '/usr/bin/x86_64-linux-gnu-gcc-[0-9]*' | sort -V | tail -n 1; }

# family_kernel_devel RELEASE: Print the directory of the kernel's build tree.
family_kernel_devel() {
	printf '/usr/src/linux-headers-%s\n' "$1"
}

# family_source FILE: Print the kernel source as an uncompressed tar.
family_source() {
	dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | xz -dc
}
