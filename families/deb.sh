# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# deb.sh - all that is particular to Debian and its relatives.
#
# No mirror is named here: it is MIRROR= (one or more addresses), else what the machine's own
# apt is configured with, and then the distribution's archive of releases past their life.
# A lock names paths below a mirror; the digest decides, so any mirror will do.

# shellcheck disable=SC2034 # for read_target
family_keys='!SUITE'
family_programs='mmdebstrap apt-ftparchive dpkg-deb'
family_lock_programs='apt-get curl /usr/share/keyrings/debian-archive-keyring.gpg'
deb_archive=http://archive.debian.org/debian

# ---- on the host ----------------------------------------------------------------------

# family_mirrors: the addresses to try, one a line, in order.
family_mirrors() {
	if [[ -n ${MIRROR:-} ]]; then
		tr ' ' '\n' <<<"$MIRROR" | sed 's,/$,,'
		return
	fi
	if command -v apt-get >/dev/null; then
		apt-get indextargets --no-release-info --format "\$(REPO_URI)" | sed 's,/$,,' | awk '!seen[$0]++'
	fi
	printf '%s\n' "$deb_archive"
}

# deb_uris: "SHA256 LOCATION" for each address that apt-get prints, sorted.
deb_uris() {
	sed -n "s,^'$DEB_MIRROR/\\([^']*\\)' [^ ]* [0-9]* SHA256:\\([0-9a-f]*\\)\$,\\2 \\1,p" | sort
}

# deb_closure ROOT WORDS...: what it takes to install WORDS onto an empty system.
deb_closure() {
	local root=$1
	shift
	APT_CONFIG=$root/apt.conf apt-get install --print-uris --yes --no-install-recommends -- "$@" | deb_uris
}

# deb_alone ROOT WORD: the package WORD without what it depends on.
deb_alone() {
	APT_CONFIG=$1/apt.conf apt-get download --print-uris -- "$2" | deb_uris
}

# deb_apt_root ROOT: makes ROOT an apt configuration of its own for SUITE, lists read; sets
# DEB_MIRROR to the first mirror that has the suite.
deb_apt_root() {
	local root=$1 mirror
	mkdir -p "$root"/{lists/partial,cache/archives/partial,etc/apt.conf.d,etc/preferences.d}
	DEB_MIRROR=
	while read -r mirror; do
		if curl --silent --fail --head --max-time 20 "$mirror/dists/$SUITE/Release" >/dev/null; then
			DEB_MIRROR=$mirror
			break
		fi
	done < <(family_mirrors)
	[[ -n $DEB_MIRROR ]] ||
		die "no mirror that has $SUITE can be reached; tried: $(family_mirrors | paste -sd ' ')"
	printf 'deb [signed-by=%s] %s %s main\n' \
		/usr/share/keyrings/debian-archive-keyring.gpg "$DEB_MIRROR" "$SUITE" >"$root/etc/sources.list"
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
	EOF
	APT_CONFIG=$root/apt.conf run apt-get update
}

# family_lock: the whole lock of the target that was read, on standard output.  Needs network.
family_lock() {
	local root=$TMP/apt stage essential
	local -a toolchain vm
	deb_apt_root "$root"
	essential="?narrow(?or(?archive(^$SUITE\$),?codename(^$SUITE\$)),?architecture(amd64),?essential)"
	# shellcheck disable=SC2153 # the keys of the target
	read -ra toolchain <<<"$TOOLCHAIN $KERNEL_DEVEL"
	read -ra vm <<<"$VM"
	deb_closure "$root" "$essential" >"$TMP/base"
	deb_closure "$root" "$essential" "${toolchain[@]}" | comm -13 "$TMP/base" - >"$TMP/toolchain"
	deb_alone "$root" "$SOURCE" >"$TMP/source"
	{
		[[ -z $KERNEL_IMAGE ]] || deb_alone "$root" "$KERNEL_IMAGE"
		[[ -z $VM ]] || deb_closure "$root" "$essential" "${vm[@]}" | comm -13 "$TMP/base" -
	} >"$TMP/vm"
	for stage in base toolchain source vm; do
		[[ -s $TMP/$stage || ($stage == vm && -z $KERNEL_IMAGE$VM) ]] ||
			die "$DEB_MIRROR does not have what the stage $stage of '$TARGET' needs"
		sed "s/^/$stage /" "$TMP/$stage" | sort -k3
	done
}

# deb_offline COMMAND...: runs it as root of a network namespace that has no device but loopback;
# who is not root is so in a user namespace, as podman maps it.
deb_offline() {
	if [[ $(id -u) -eq 0 ]]; then
		unshare --net "$@"
	else
		podman unshare unshare --net "$@"
	fi
}

# family_base PKGDIR IMAGE: makes the base image IMAGE from the packages in PKGDIR, without
# network.
family_base() {
	local dir=$1 image=$2
	(cd "$dir" && apt-ftparchive packages . >Packages)
	# mmdebstrap refuses a suite's name with a flat repository, so the suite is "./"
	run deb_offline mmdebstrap --mode=root --variant=essential --format=tar --skip=cleanup/tmp \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		"" "$dir/base.tar" "deb [trusted=yes] copy:${dir// /%20} ./"
	run podman import --quiet "$dir/base.tar" "$image"
	rm -f "$dir/base.tar"
}

# family_unpack PKGDIR ROOTDIR: what is in the packages, without running anything of them.
family_unpack() {
	local file
	for file in "$1"/*.deb; do
		dpkg-deb --extract "$file" "$2" || return 1
	done
}

# ---- inside the container (no lib.sh there) -------------------------------------------

# family_install PKGDIR: installs all packages of PKGDIR.
family_install() {
	dpkg --install --force-unsafe-io \
		--path-exclude='/usr/share/doc/*' --path-exclude='/usr/share/man/*' \
		--path-exclude='/usr/share/locale/*' "$1"/*.deb
}

# family_kernel_devel RELEASE: the folder of the kernel's own build tree.
family_kernel_devel() {
	printf '/usr/src/linux-headers-%s\n' "$1"
}

# family_source FILE: the kernel source as an uncompressed tar on standard output.
family_source() {
	dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | xz -dc
}
