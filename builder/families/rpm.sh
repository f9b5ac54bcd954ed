# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# rpm.sh - everything that is particular to Alibaba Cloud Linux and its relatives.
#
# The base is the distribution's own container image, by digest; packages come from the
# repositories that the target names, and a lock names them by their path below one.  Their
# signatures are checked when the lock is made (scripts/lib/lock-rpm.sh); from then on the digests decide.
#
# KERNEL_DEVEL is one or more words that are tried in order: a package's NAME-VERSION-RELEASE.ARCH, which
# is looked for in the metadata of the repositories and then as a file below each of them, or an address.

# shellcheck disable=SC2034 # for read_target
family_keys='!IMAGE !REPOS !KEY'
family_programs='skopeo'
family_lock_programs='podman jq skopeo curl gpg'

# ---- on the host ----------------------------------------------------------------------

# family_mirrors: Print the repositories to try, one a line, in order.
family_mirrors() {
	local -a repos
	read -ra repos <<<"${MIRROR:-$REPOS}"
	printf '%s\n' "${repos[@]//\$basearch/$ARCH}"
}

# family_lock: Print the whole lock of the target that was read.  Needs network.
family_lock() {
	# shellcheck source=scripts/lib/lock-rpm.sh
	. "$TOP/scripts/lib/lock-rpm.sh"
	rpm_lock
}

# family_is_devel FILE: Return 0 if the package is of one kernel: its build tree.
family_is_devel() { [[ $1 == kernel*-devel-* ]]; }

# family_base STAGEDIR IMAGE: Load the base image IMAGE from the files of the stage base.
family_base() {
	run skopeo copy "dir:$1/image" "containers-storage:$2"
}

# family_unpack PKGDIR ROOTDIR: Unpack the packages into ROOTDIR; run none of their scripts.
family_unpack() {
	local file
	for file in "$1"/*.rpm; do
		rpm2cpio "$file" | (cd "$2" && cpio --extract --make-directories --no-absolute-filenames --quiet) || return 1
	done
}

# family_root ROOT BASEDIR VMDIR: Make the root of a host for the VM: the base image with the packages of VMDIR, in
# rpm's database too.  Run none of their scripts: the kernel's would look for a boot loader.  The dependencies of the
# kernel's package, firmware and a boot loader, are not among them.
family_root() (
	image=localhost/wgkmod-vm:$BASHPID container=
	# shellcheck source=scripts/lib/podman.sh
	. "$TOP/scripts/lib/podman.sh"
	# An image of two names keeps its container when one of them goes.
	trap '[[ -z $container ]] || run podman rm --force --ignore "$container"
		run podman image rm --force --ignore "$image"' EXIT
	family_base "$2" "$image" || exit
	podman_probe "$image"
	container=$("${PODMAN[@]}" create --network=none --pull=never "${PODMAN_LIMITS[@]}" \
		--security-opt=label=disable --volume "$3:/packages:ro" "$image" \
		bash -c 'rpm --upgrade --oldpackage --nodeps --noscripts --notriggers /packages/*.rpm') || exit
	run "${PODMAN[@]}" start --attach "$container" &&
		"${PODMAN[@]}" export "$container" | tar -x --numeric-owner -C "$1"
)

# ---- inside the container (no lib.sh there) -------------------------------------------

# family_install PKGDIR: Install all packages of PKGDIR.  Upgrade or downgrade one that the base image has in
# another version.
family_install() {
	rpm --upgrade --oldpackage --excludedocs "$1"/*.rpm
}

# family_install_devel PKGDIR: Install the kernel's packages in PKGDIR.
family_install_devel() { family_install "$1"; }

# family_compiler: Print the name of the compiler that is installed.
family_compiler() { echo gcc; }

# family_kernel_devel RELEASE: Print the directory of the kernel's build tree.
family_kernel_devel() {
	printf '/usr/src/kernels/%s\n' "$1"
}

# family_source FILE: Print the kernel source as an uncompressed tar.
family_source() {
	xz -dc "$1"
}
