#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: install-deps.sh PROGRAM...
#
# Sees to it that the programs are there: as root it installs what is missing with the system's
# package manager and says so in a line; otherwise it prints the command to run and exits 1.
# A word with a slash is a file that must exist, one that starts with "lib", and zlib, a
# package of headers, by the name that pkg-config knows it by.

set -euo pipefail

# The package of each program, with apt and with dnf.
packages='
apt-get          apt                apt
bats             bats               bats
buildah          buildah            buildah
cc               gcc                gcc
clang            clang,libclang-rt-dev clang,compiler-rt
clang-format     clang-format       clang-tools-extra
clang-tidy       clang-tidy         clang-tools-extra
cppcheck         cppcheck           cppcheck
column           bsdextrautils      util-linux
cpio             cpio               cpio
createrepo_c     createrepo-c       createrepo_c
curl             curl,ca-certificates curl
depmod           kmod               kmod
diffoscope       diffoscope-minimal diffoscope
disorderfs       disorderfs         disorderfs
dkms             dkms               dkms
docker-registry  docker-registry    docker-distribution
dpkg-deb         dpkg               dpkg
faketime         faketime           libfaketime
fakeroot         fakeroot           fakeroot
git              git                git
flock            util-linux         util-linux
gpg              gpg,gpg-agent      gnupg2
jq               jq                 jq
libcrypto        libssl-dev         openssl-devel
libelf           libelf-dev         elfutils-libelf-devel
libkmod          libkmod-dev        kmod-devel
liblzma          liblzma-dev        xz-devel
localedef        libc-bin           glibc-common
minisign         minisign           minisign
mke2fs           e2fsprogs          e2fsprogs
mkfs.btrfs       btrfs-progs        btrfs-progs
mkfs.xfs         xfsprogs           xfsprogs
openssl          openssl            openssl
pkg-config       pkg-config         pkgconf-pkg-config
podman           podman,runc,uidmap podman,runc,shadow-utils
pkill            procps             procps-ng
python3          python3            python3
readelf          binutils           binutils
rpmbuild         rpm                rpm-build
rpmsign          rpm                rpm-sign
setpriv          util-linux         util-linux
qemu-system-x86_64 qemu-system-x86  qemu-kvm
rpm2cpio         rpm2cpio           rpm
shellcheck       shellcheck         ShellCheck
skopeo           skopeo             skopeo
strace           strace             strace
useradd          passwd             shadow-utils
tar              tar                tar
taskset          util-linux         util-linux
unshare          util-linux         util-linux
valgrind         valgrind           valgrind
xz               xz-utils           xz
zlib             zlib1g-dev         zlib-devel
/usr/lib/python3/dist-packages/rdflib python3-click,python3-license-expression,python3-ply,python3-rdflib,python3-semantic-version,python3-uritools,python3-xmltodict,python3-yaml python3-rdflib
/usr/share/i18n/locales/en_US locales glibc-locale-source
/usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring debian-keyring
'

# have PROGRAM: whether it is there.
have() { command -v "$1" >/dev/null || [[ -x /usr/sbin/$1 || -x /sbin/$1 ]]; }

# is_there WORD: whether the program, file or library is there; and with clang what
# -fsanitize=fuzzer links, with podman what maps the users of who is not root, with gpg its agent,
# which the package of the program itself need not bring.
is_there() {
	case $1 in
	/*) [[ -e $1 ]] ;;
	lib* | zlib) pkg-config --exists "$1" 2>/dev/null ;;
	clang) have clang && compgen -G "$(clang -print-resource-dir)/lib/*/libclang_rt.fuzzer*.a" >/dev/null ;;
	gpg) have gpg && have gpg-agent ;;
	podman) have podman && have newuidmap ;;
	*) have "$1" ;;
	esac
}

missing=()
for word in "$@"; do
	is_there "$word" || missing+=("$word")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if command -v apt-get >/dev/null; then
	column=2 update='apt-get update && ' manager=(apt-get install --yes --no-install-recommends)
elif command -v dnf >/dev/null; then
	column=3 update='' manager=(dnf --assumeyes install)
else
	printf 'wgkmod: missing here: %s; install them (neither apt-get nor dnf is here to do it)\n' \
		"${missing[*]}" >&2
	exit 1
fi
install=()
for word in "${missing[@]}"; do
	package=$(awk -v w="$word" -v c="$column" '$1 == w { print $c }' <<<"$packages")
	[[ -n $package ]] || {
		printf 'wgkmod: missing here: %s, and its package is not known\n' "$word" >&2
		exit 1
	}
	install+=("${package//,/ }")
done
mapfile -t install < <(tr ' ' '\n' <<<"${install[*]}" | sort -u)

if [[ $(id -u) -ne 0 ]]; then
	printf 'wgkmod: missing here: %s; run as root:\n\n    %s%s %s\n\n' \
		"${missing[*]}" "$update" "${manager[*]}" "${install[*]}" >&2
	exit 1
fi
printf '%-9s %s\n' install "${install[*]} (for ${missing[*]})"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
if ! {
	[[ ${manager[0]} != apt-get ]] || apt-get update
	"${manager[@]}" "${install[@]}"
} >"$log" 2>&1 </dev/null; then
	tail -n 15 "$log" >&2
	printf 'wgkmod: the package manager could not install %s\n' "${install[*]}" >&2
	exit 1
fi
for word in "${missing[@]}"; do
	is_there "$word" || {
		printf 'wgkmod: %s was installed, but %s is still not there\n' "${install[*]}" "$word" >&2
		exit 1
	}
done
