#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: make.sh
#
# Makes the distribution that stands for Alibaba Cloud Linux 3, out of Debian 11's packages and
# kernel source, without network once those are in the cache.  Kept in CACHE/al8/, each part by the
# digest of what it is made of:
#
#	kernels-*/   what kernels.sh compiles, and al8.pem, the key that the kernels trust
#	mirror-*/    alinux/3/{os,updates,plus,module,powertools}, and other/ for the kernel of the other
#	             structure: signed packages and their repositories; RPM-GPG-KEY-ALINUX-3; the sources of
#	             the kernels; and beside them, not to be served: gnupg/, which has the key that signs
#	             packages, and image/, packages that the image alone has
#	image-*/     the container image, as an OCI layout: an index of two architectures
#
# It is as unkind as the real one can be: the newest compiler is not the kernel's; a stream of a module
# that nobody turned on has a newer make; the image has packages that are newer, and one that is
# older, than the repositories'; the metadata do not know an old kernel-devel that is still there; the
# kernel's package asks for what there is not.
#
# Prints the three directories: "kernels DIRECTORY" and so on.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=scripts/lib/podman.sh
. "$TOP/scripts/lib/podman.sh"
AL8=$TOP/tests/al8
TARGET_DIR=$AL8/targets
export TARGET_DIR
demo=debian11-5.10.0-32-amd64

# part NAME: reads what the part NAME is made of from standard input, sets directory, and makes the part
# unless it is there; what all parts are made of is staged before.
part() {
	local stage
	directory=$CACHE/al8/$1-$(sha256sum | cut -c 1-16)
	if [[ ! -d $directory ]]; then
		[[ -d $TMP/base ]] || "$TOP/scripts/fetch.sh" base
		for stage in base toolchain source vm; do
			[[ -d $TMP/$stage ]] || "$TOP/scripts/stage.sh" base "$stage" "$TMP/$stage"
		done
		"make_$1"
	fi
	printf '%s %s\n' "$1" "$directory" >&3
}

# keep DIR: DIR becomes the directory of the part.
keep() {
	sync -f "$1"
	mv -T "$1" "$directory"
}

# lock_lines STAGE...: the base's lock, of these stages.
lock_lines() { grep -E "^($(IFS='|' && printf '%s' "$*")) " "$TARGET_DIR/base.lock"; }

# ---- kernels ----------------------------------------------------------------------------

# module_key FILE NAME: a key for signing modules, with its certificate, as the kernel's own
# certs/Makefile has it made.
module_key() {
	run openssl req -new -nodes -utf8 -sha256 -days 36500 -batch -x509 -newkey rsa:2048 \
		-subj "/O=wgkmod/CN=$2" -addext basicConstraints=critical,CA:FALSE \
		-addext keyUsage=digitalSignature -addext subjectKeyIdentifier=hash \
		-keyout "$TMP/key.pem" -out "$TMP/cert.pem"
	cat "$TMP/key.pem" "$TMP/cert.pem" >"$1"
	chmod 600 "$1"
}

# source_archive: the kernel source as the package has it, a compressed tar.
source_archive() {
	dpkg-deb --fsys-tarfile "$TMP"/source/* | tar -xO --wildcards './usr/src/linux-source-*.tar.xz'
}

make_kernels() {
	local builder work=$TMP/kernels
	TARGET_DIR=$TOP/targets "$TOP/scripts/fetch.sh" "$demo" base toolchain source >&2
	TARGET_DIR=$TOP/targets "$TOP/scripts/image.sh" "$demo" >&2
	builder=$(TARGET_DIR=$TOP/targets "$TOP/scripts/image.sh" "$demo" --name)
	podman_probe "$builder" >&2
	mkdir "$work"
	module_key "$work/al8.pem" 'kernels of the stand-in'
	source_archive >"$work/linux.tar.xz"
	run "${PODMAN[@]}" run --rm --network=none --pull=never "${PODMAN_LIMITS[@]}" \
		--security-opt=label=disable --volume "$work:/kernels" --volume "$AL8:/al8:ro" \
		"$builder" bash /al8/kernels.sh
	rm -rf "$work"/linux "$work"/linux.tar* "$work"/devel.list
	keep "$work"
}

# ---- the container image ----------------------------------------------------------------

# in_image IMAGE COMMAND: IMAGE after the shell's COMMAND, with the packages in /packages.
in_image() {
	local container
	container=$("${PODMAN[@]}" create --network=none --pull=never "${PODMAN_LIMITS[@]}" --security-opt=label=disable \
		--volume "$TMP/all:/packages:ro" "$1" bash -euc "$2")
	run podman start --attach "$container"
	run podman commit "$container" "$1"
	run podman rm "$container"
}

# add_blob TEXT: sets blob to the digest of the TEXT, which is a blob of the image's layout from here
# on, and size to its size.
add_blob() {
	blob=$(printf '%s' "$1" | sha256sum | cut -d ' ' -f 1) size=${#1}
	printf '%s' "$1" >"$TMP/image/blobs/sha256/$blob"
}

# make_index: the image's layout becomes that of an index, in which another architecture stands first.
make_index() {
	local first manifest config blob size entry
	first=$(jq --compact-output '.manifests[0] + {platform: {architecture: "amd64", os: "linux"}} | del(.annotations)' \
		"$TMP/image/index.json")
	manifest=$TMP/image/blobs/sha256/$(jq --raw-output '.digest | sub("sha256:"; "")' <<<"$first")
	config=$TMP/image/blobs/sha256/$(jq --raw-output '.config.digest | sub("sha256:"; "")' "$manifest")
	add_blob "$(jq --compact-output '.architecture = "arm64"' "$config")"
	add_blob "$(jq --compact-output --arg d "sha256:$blob" --argjson s "$size" \
		'.config += {digest: $d, size: $s}' "$manifest")"
	entry=$(jq --compact-output --arg d "sha256:$blob" --argjson s "$size" \
		'. + {digest: $d, size: $s, platform: {architecture: "arm64", os: "linux"}}' <<<"$first")
	add_blob "$(jq --null-input --compact-output --argjson a "$entry" --argjson b "$first" \
		'{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [$a, $b]}')"
	jq --null-input --arg d "sha256:$blob" --argjson s "$size" '{schemaVersion: 2,
		manifests: [{mediaType: "application/vnd.oci.image.index.v1+json", digest: $d, size: $s}]}' >"$TMP/index.json"
	mv "$TMP/index.json" "$TMP/image/index.json"
}

# make_image: the image knows by rpm what it has, and has repositories that nobody reaches.
make_image() {
	local image=localhost/wgkmod-al8:${directory##*-} name words
	mkdir "$TMP/all" "$TMP/image"
	ln "$TMP"/{base,toolchain}/*.deb "$TMP/all"
	family_base "$TMP/all" "$image"
	rm -r "$TMP/all"
	mkdir "$TMP/all"
	cp "$mirror"/image/*.rpm "$TMP/all"
	while read -r name; do
		compgen -G "$TMP/all/$name-[0-9]*" >/dev/null ||
			cp "$mirror"/www/alinux/3/*/x86_64/Packages/"$name"-[0-9]*.rpm "$TMP/all"
	done < <(awk '!/^#/ && !$4 { print $1 }' "$AL8/rpms")
	podman_probe "$image"
	# What the scripts of Debian's packages do: users, directories, compiled Python, the loader's cache.
	in_image "$image" 'cp /usr/share/base-passwd/passwd.master /etc/passwd
		cp /usr/share/base-passwd/group.master /etc/group
		mkdir -p /media /mnt /opt /srv /usr/local/bin /usr/local/sbin /var/local /var/mail /var/opt
		python3 -m compileall -q /usr/lib/python3 /usr/lib/python3.9
		ldconfig'
	in_image "$image" 'rpm --install --nodeps /packages/*.rpm
		mkdir -p /etc/yum.repos.d
		printf "%s\n" "[main]" gpgcheck=1 installonly_limit=3 clean_requirements_on_remove=True best=True \
			skip_if_unavailable=False >/etc/dnf/dnf.conf
		printf "[alinux3-os]\nname=inside\nbaseurl=http://127.0.0.1:1/\nenabled=1\n" >/etc/yum.repos.d/inside.repo'
	run skopeo copy "containers-storage:$image" "oci:$TMP/image"
	run podman image rm "$image"
	make_index
	keep "$TMP/image"
}

# ---- packages and repositories ------------------------------------------------------------

# package REPOSITORY NAME VERSION RELEASE REQUIRES TAR: builds one package, for repository().
package() {
	local repo=$1 name=$2 dir=$TMP/rpm/$2-$4 define=()
	mkdir -p "$dir" "$TMP/packages/$repo"
	tar -tf "$6" | sed -n '/[^/]$/{s,^\./,/,;s,^[^/],/&,;s/.*/"&"/p}' >"$dir/list"
	[[ -z $5 ]] || define=(--define "al8_requires $5")
	run rpmbuild -bb --quiet --target x86_64 --define "_topdir $dir" --define "al8_name $name" \
		--define "al8_version $3" --define "al8_release $4" "${define[@]}" \
		--define "al8_tar $6" --define "al8_list $dir/list" "$AL8/package.spec"
	mv "$dir"/RPMS/x86_64/*.rpm "$TMP/packages/$repo/"
	rm -r "$dir"
}

# debs PACKAGE NAME...: a tar of what the Debian packages have, for the PACKAGE; where none is named,
# the base image has it, and a note says so (rpmbuild takes no package without a file).
debs() {
	local root=$TMP/debs file name
	mkdir "$root"
	if [[ $# -eq 1 ]]; then
		mkdir -p "$root/usr/share/al8"
		printf 'The base image has it.\n' >"$root/usr/share/al8/$1"
	fi
	shift
	for name; do
		file=$(find "$TMP/vm" -name "${name}_*")
		[[ -f $file ]] || die "the lock of the stand-in has no package $name"
		printf '%s\n' "${file##*/}" >>"$TMP/packaged"
		dpkg-deb --extract "$file" "$root"
	done
	rm -rf "$root"/usr/share/{doc,man,locale,info,lintian}
	tar -C "$root" --owner=0 --group=0 -cf "$TMP/debs.tar" .
	rm -rf "$root"
}

# version_of DEB...: what the first of the Debian packages calls its version, in RPM's letters.
version_of() {
	local file
	[[ $# -gt 0 ]] || { printf '8\n' && return; }
	file=$(find "$TMP/vm" -name "$1_*" -printf '%f\n')
	file=${file#*_} file=${file%_*} file=${file%-*} file=${file%%[+~%]*}
	printf '%s\n' "${file//[^A-Za-z0-9.]/.}"
}

# repository NAME DIR: the packages made for it, signed, in DIR.  Not every repository has all of them
# in one directory: os has some in one of their own.
repository() {
	local files
	mkdir -p "$2"
	mv "$TMP/packages/$1" "$2/Packages"
	if [[ $1 == os ]]; then
		mkdir "$2/Packages/g"
		mv "$2"/Packages/g*.rpm "$2/Packages/g/"
	fi
	mapfile -t files < <(find "$2/Packages" -name '*.rpm')
	run rpmsign --define "__gpg $(command -v gpg)" --define "_gpg_path $TMP/mirror/gnupg" \
		--define '_gpg_name wgkmod stand-in' --addsign "${files[@]}"
	run createrepo_c --quiet --excludes "$forgotten*" "$2"
}

# gcc_packages REPOSITORY REVISION RELEASE: a build of the compiler, which says of itself that it is of
# that revision.
gcc_packages() {
	local version=10.2.1
	note libgomp "$version" "$3" "$1"
	debs cpp cpp-10
	package "$1" cpp "$version" "$3" '' "$TMP/debs.tar"
	debs gcc gcc-10 libgcc-10-dev libasan6 libatomic1 libcc1-0 libitm1 liblsan0 libquadmath0 libtsan0 libubsan1 \
		libisl23 libmpc3 libmpfr6
	mkdir -p "$TMP/wrapper/usr/bin"
	sed "s/REVISION/$2/" "$AL8/gcc" >"$TMP/wrapper/usr/bin/gcc"
	chmod 755 "$TMP/wrapper/usr/bin/gcc"
	tar -C "$TMP/wrapper" --owner=0 --group=0 -rf "$TMP/debs.tar" ./usr/bin/gcc
	package "$1" gcc "$version" "$3" "cpp = $version-$3, libgomp = $version-$3, binutils, glibc-devel" "$TMP/debs.tar"
}

# note NAME VERSION RELEASE REPOSITORY: a package of nothing.
note() {
	debs "$1"
	package "$4" "$1" "$2" "$3" '' "$TMP/debs.tar"
}

make_mirror() {
	local mirror=$TMP/mirror devel='findutils, perl-interpreter' core='kmod, linux-firmware, grubby, dracut' name repo \
		requires words
	local forgotten=kernel-devel-5.10.223-7.al8
	local -a list
	mkdir -p "$mirror/www" "$TMP/rpm"
	(umask 077 && mkdir "$mirror/gnupg")
	run gpg --homedir "$mirror/gnupg" --batch --passphrase '' --quick-generate-key 'wgkmod stand-in' rsa3072 sign never
	gpg --homedir "$mirror/gnupg" --batch --armor --export >"$mirror/www/RPM-GPG-KEY-ALINUX-3"

	: >"$TMP/packaged"
	while read -r name repo requires words; do
		[[ $name != '#'* ]] || continue
		read -ra list <<<"$words"
		[[ $requires != - ]] || requires=
		debs "$name" "${list[@]}"
		requires=${requires//,/, }
		package "$repo" "$name" "$(version_of "${list[@]}")" 1.al8 "${requires//=/ = }" "$TMP/debs.tar"
	done <"$AL8/rpms"
	gcc_packages os 3 3.1.al8
	gcc_packages updates 3.9 3.9.al8
	note libgomp 10.2.1 3.9.al8 image
	note xz-libs 8 2.al8 image
	note openssl-libs 7 1.al8 image
	note make 99 2.al8 module
	note linux-firmware 1 1.al8 updates
	name=$(find "$TMP/vm" -name '*.deb' -printf '%f\n' | sort | comm -23 - <({
		cat "$TMP/packaged"
		find "$TMP/toolchain" "$TMP/base" -name '*.deb' -printf '%f\n'
	} | sort))
	[[ -z $name ]] || die "no package of tests/al8/rpms takes ${name//$'\n'/ }"

	package updates kernel-core 5.10.223 9.al8 "$core" "$kernels/5.10.223-9/core.tar"
	package updates kernel-devel 5.10.223 9.al8 "$devel" "$kernels/5.10.223-9/devel.tar"
	package plus kernel-core 5.10.223 8.al8 "$core" "$kernels/5.10.223-8/core.tar"
	package plus kernel-devel 5.10.223 8.al8 "$devel" "$kernels/5.10.223-8/devel.tar"
	package plus kernel-devel 5.10.223 7.al8 "$devel" "$kernels/5.10.223-7/devel.tar"
	package other kernel-devel 5.10.223 8.al8 "$devel" "$kernels/5.10.223-8/other-devel.tar"
	for repo in os updates plus module powertools; do
		repository "$repo" "$mirror/www/alinux/3/$repo/x86_64"
	done
	run modifyrepo_c --mdtype=modules "$AL8/modules.yaml" "$mirror/www/alinux/3/module/x86_64/repodata"
	repository image "$mirror/image"
	mv "$mirror"/image/Packages/*.rpm "$mirror/image/"
	repository other "$mirror/www/other/3/plus/x86_64"
	run gpgconf --homedir "$mirror/gnupg" --kill all

	mkdir "$mirror/www/source"
	source_archive >"$mirror/www/source/linux-5.10.223.tar.xz"
	cp "$kernels/5.10.223-8/linux.tar.xz" "$mirror/www/source/linux-5.10.223-before-5.10.119.tar.xz"
	keep "$mirror"
}

exec 3>&1 >&2
read_target base
own_dir "$CACHE" "$CACHE/al8"
exec 9>"$CACHE/al8/lock"
flock 9 # a second run finds what the first made, and does not take its log away
phase_begin al8
make_tmp "$CACHE/al8"
part kernels < <(
	cat "$AL8"/{real.config,kernel.config,kernels.sh,gcc}
	grep -E '^(base|toolchain|source) ' "$TOP/targets/$demo.lock"
)
kernels=$directory
part mirror < <(
	lock_lines source vm
	printf '%s\n' "${kernels##*/}"
	cat "$AL8"/{rpms,package.spec,modules.yaml,gcc}
	declare -f package debs version_of repository gcc_packages note make_mirror
)
mirror=$directory
part image < <(
	lock_lines base toolchain
	printf '%s\n' "${mirror##*/}"
	declare -f family_base in_image make_image make_index
)
phase_end "the stand-in is in $CACHE/al8"
