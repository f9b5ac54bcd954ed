# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# rpm.sh - all that is particular to Alibaba Cloud Linux and its relatives.
#
# The base is the distribution's own container image, by digest; packages come from the
# repositories that the target names, and a lock names them by their path below one.  Their
# signatures are checked when the lock is made; from then on the digests decide.

# shellcheck disable=SC2034 # for read_target
family_keys='!IMAGE !REPOS !KEY'
family_programs='skopeo'
family_lock_programs='podman jq skopeo curl'

# ---- on the host ----------------------------------------------------------------------

# family_mirrors: the repositories to try, one a line, in order.
family_mirrors() {
	local -a repos
	read -ra repos <<<"${MIRROR:-$REPOS}"
	printf '%s\n' "${repos[@]//\$basearch/$ARCH}"
}

# rpm_image_digest: the digest of IMAGE's manifest for ARCH, as its registry has it now.
rpm_image_digest() {
	# shellcheck disable=SC2153 # the key of the target
	skopeo inspect --raw "docker://$IMAGE" >"$TMP/manifest" || return
	if jq --exit-status '.manifests' "$TMP/manifest" >/dev/null; then
		jq --raw-output '.manifests[] | select(.platform.os == "linux" and .platform.architecture == "amd64")
			| .digest' "$TMP/manifest" | head -n1 | sed 's/^sha256://'
	else
		sha256sum <"$TMP/manifest" | cut -d ' ' -f 1
	fi
}

# rpm_why: why rpm_resolve failed, by the first word on it of dnf, or of rpmkeys, since the last
# command of the log.
rpm_why() {
	awk '/^\+ / { why = "" }
		why == "" && /^(\[MIRROR\] |  - (Curl error|Status code)|Package .* is not signed|Public key for |No match for argument|Error:|[^ ]+\.rpm: )/ { why = $0 }
		END { print why == "" ? "see the log" : why }' "$LOG" |
		sed 's/^\[MIRROR\] //; s/^  - //; s/^No match for argument: /no repository has /'
}

# rpm_path FILE LOCATIONS: the path of the package below the repositories that have it, of a list of
# where dnf has found the packages; fails where it is another in each of them.
rpm_path() {
	local url repo path found=
	while read -r url; do
		[[ ${url##*/} == "$1" ]] || continue
		path=
		while read -r repo; do
			[[ $url != "${repo%/}"/* ]] || path=${url#"${repo%/}/"}
		done < <(family_mirrors)
		[[ -n $path && (-z $found || $path == "$found") ]] || return 1
		found=$path
	done <"$2"
	[[ -n $found ]] && printf '%s\n' "$found"
}

# rpm_resolve STAGE IMAGE WORDS...: lock lines for what installing WORDS into IMAGE downloads; the
# signature of each package is checked with KEY alone, and not with what keys the image has.
rpm_resolve() {
	local stage=$1 image=$2 dir=$TMP/resolve-$1 repo n=0 file path
	shift 2
	mkdir -p "$dir/repos" "$dir/packages"
	curl --silent --show-error --fail --location --max-time "$PATIENCE" --output "$dir/key" "$KEY" ||
		die "the key '$KEY' cannot be fetched"
	while read -r repo; do
		printf '[wgkmod-%d]\nname=wgkmod %d\nbaseurl=%s\nenabled=1\ngpgcheck=1\ngpgkey=file:///resolve/key\nskip_if_unavailable=0\n' \
			$((++n)) "$n" "$repo"
	done < <(family_mirrors) >"$dir/repos/wgkmod.repo"
	run "${PODMAN[@]}" run --rm --network=host --pull=never "${PODMAN_LIMITS[@]}" \
		--security-opt=label=disable --volume "$dir:/resolve" "$image" bash -euc '
			patience=$1
			shift
			dnf=(dnf --setopt=reposdir=/resolve/repos --setopt=timeout="$patience" --setopt=minrate=1024 --setopt=retries=2)
			"${dnf[@]}" --assumeyes --setopt=install_weak_deps=False \
				install --downloadonly --downloaddir=/resolve/packages "$@"
			mkdir /resolve/keys
			rpmkeys=(rpmkeys --define "_dbpath /resolve/keys")
			"${rpmkeys[@]}" --import /resolve/key
			for file in /resolve/packages/*.rpm; do
				if said=$("${rpmkeys[@]}" --checksig "$file" 2>&1) && [[ $said == *"signatures OK" ]]; then continue; fi
				printf "%s, by the key of the target\n" "${said##*/}"
				exit 1
			done
			cd /resolve/packages
			set -- *.rpm
			"${dnf[@]}" --quiet --cacheonly repoquery --location "${@%.rpm}" >/resolve/locations' \
		resolve "$PATIENCE" "$@" ||
		die "the packages of the stage $stage cannot be had: $(rpm_why)"
	for file in "$dir"/packages/*.rpm; do
		path=$(rpm_path "${file##*/}" "$dir/locations") ||
			die "where '${file##*/}' is below the repositories cannot be told: $(grep -F "/${file##*/}" "$dir/locations" | paste -sd ' ')"
		printf '%s %s %s\n' "$stage" "$(sha256sum <"$file" | cut -d ' ' -f 1)" "$path"
	done
}

# family_lock: the whole lock of the target that was read, on standard output.  Needs network.
family_lock() {
	local digest name base
	local -a words
	digest=$(rpm_image_digest) || die "the registry of '$IMAGE' cannot be reached"
	[[ $digest =~ ^[0-9a-f]{64}$ ]] || die "'$IMAGE' has no image for $ARCH"
	name=${IMAGE%:*}
	printf 'base %s docker://%s@sha256:%s\n' "$digest" "$name" "$digest"
	base=localhost/wgkmod-lock:${digest:0:16}
	run skopeo copy "docker://$name@sha256:$digest" "containers-storage:$base"
	# shellcheck source=scripts/lib/podman.sh
	. "$TOP/scripts/lib/podman.sh"
	podman_probe "$base" >&2
	read -ra words <<<"$KERNEL_DEVEL $TOOLCHAIN"
	rpm_resolve toolchain "$base" "${words[@]}"
	curl --silent --show-error --fail --location --output "$TMP/source" "$SOURCE"
	printf 'source %s %s\n' "$(sha256sum <"$TMP/source" | cut -d ' ' -f 1)" "$SOURCE"
	read -ra words <<<"$KERNEL_IMAGE $VM"
	[[ ${#words[@]} -eq 0 ]] || rpm_resolve vm "$base" "${words[@]}"
}

# family_base STAGEDIR IMAGE: loads the base image IMAGE out of the files of the stage base.
family_base() {
	run skopeo copy "dir:$1/image" "containers-storage:$2"
}

# family_unpack PKGDIR ROOTDIR: what is in the packages, without running anything of them.
family_unpack() {
	local file
	for file in "$1"/*.rpm; do
		rpm2cpio "$file" | (cd "$2" && cpio --extract --make-directories --no-absolute-filenames --quiet) || return 1
	done
}

# family_root ROOT BASEDIR VMDIR: the root of a host, for the VM: the base image with the packages of
# VMDIR, which rpm knows of.  Their scripts are not run: the kernel's would look for a boot loader.
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
		bash -c 'rpm --install --noscripts --notriggers /packages/*.rpm') || exit
	run "${PODMAN[@]}" start --attach "$container" &&
		"${PODMAN[@]}" export "$container" | tar -x --numeric-owner -C "$1"
)

# ---- inside the container (no lib.sh there) -------------------------------------------

# family_install PKGDIR: installs all packages of PKGDIR.
family_install() {
	dnf --assumeyes --disablerepo='*' --setopt=install_weak_deps=False --setopt=tsflags=nodocs \
		install "$1"/*.rpm
	dnf clean all
}

# family_kernel_devel RELEASE: the folder of the kernel's own build tree.
family_kernel_devel() {
	printf '/usr/src/kernels/%s\n' "$1"
}

# family_source FILE: the kernel source as an uncompressed tar on standard output.
family_source() {
	xz -dc "$1"
}
