# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A host of the stand-in in a directory, with its rpm and dnf, for the tests of packages.  Load after helpers,
# servers and al8; call rpm_setup in setup_file.

# rpm_setup: Build the modules of standin-8 and standin-9; make their signed bundles, two keys and the repository
# of make rpm.  Set for all tests:
#
#	$RPM_DIR     base/ (the host), keys/, dest/ (DEST of make rpm), kernels/ (a repository of kernels)
#	GNUPGHOME    has the key 'wgkmod test'
rpm_setup() {
	local standin
	export RPM_DIR=$BATS_FILE_TMPDIR/rpm
	export GNUPGHOME=$RPM_DIR/keys/gnupg
	"$ROOT_DIR/scripts/install-deps.sh" @rpm minisign >&2
	al8_setup
	al8_lock standin-9 standin-8
	for standin in standin-9 standin-8; do
		al8 0 fetch "$standin"
		al8 0 artifacts "$standin"
	done
	mkdir -p "$GNUPGHOME"
	chmod 700 "$GNUPGHOME"
	run_cmd 0 gpg --batch --passphrase '' --quick-generate-key 'wgkmod test' rsa3072 sign never
	run_cmd 0 minisign -G -f -W -p "$RPM_DIR/keys/minisign.pub" -s "$RPM_DIR/keys/minisign.key"
	make_rpm 0 "$RPM_DIR/dest" 'standin-9 standin-8' CEILING=1
	make_kernels
	make_base
}

# rpm_teardown: End what gpg started.
rpm_teardown() { gpgconf --homedir "$GNUPGHOME" --kill all; }

# make_rpm STATUS DEST TARGETS [VARIABLE=...]: make rpm with the keys of rpm_setup.
make_rpm() {
	local status=$1 dest=$2 targets=$3
	shift 3
	TIMEOUT=900 run_cmd "$status" make -C "$ROOT_DIR" --no-print-directory rpm DEST="$dest" TARGETS="$targets" \
		SIGN_KEY="$RPM_DIR/keys/minisign.key" PUBLIC_KEY="$RPM_DIR/keys/minisign.pub" \
		GPG_KEY='wgkmod test' VENDOR=acme BASE_URL=file:///srv "$@"
}

# kernel_packages NUMBER TAR DIR: Build the packages of the kernel 5.10.223-NUMBER.al8 into DIR.
kernel_packages() {
	local top=$RPM_DIR/rpmbuild libs
	libs=$(rpm --query --package --nosignature --requires "$RPM_DIR"/dest/rpm/Packages/wgkmod-0*.rpm |
		grep -E '^(lib|rtld)' | grep -v '^rpmlib' | paste -sd ' ')
	mkdir -p "$3" "$top"
	run_cmd 0 rpmbuild -bb --quiet --target x86_64 --define "_topdir $top" --define "_rpmdir $3" \
		--define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.rpm' --define "kernel_release 5.10.223-$1.al8" \
		--define "kernel_tar $2" --define "libs $libs" "$ROOT_DIR/tests/rpm/kernel.spec"
}

# make_kernels: Make the repository of the kernels 8, 9 and 10, of which 10 is one without a module for it.
make_kernels() {
	local dir=$RPM_DIR/ten release=5.10.223-10.al8.x86_64 number
	mkdir -p "$dir/lib/modules/$release/kernel" "$dir/boot"
	echo >"$dir/boot/vmlinuz-$release"
	echo >"$dir/lib/modules/$release/vmlinuz"
	tar -C "$dir" -cf "$dir.tar" .
	for number in 8 9; do
		kernel_packages "$number" "$AL8_KERNELS/5.10.223-$number/core.tar" "$RPM_DIR/kernels"
	done
	kernel_packages 10 "$dir.tar" "$RPM_DIR/kernels"
	cp "$AL8_MIRROR"/www/alinux/3/os/x86_64/Packages/kmod-*.rpm "$RPM_DIR/kernels"
	run_cmd 0 createrepo_c --quiet "$RPM_DIR/kernels"
}

# make_base: Unpack the image of the stand-in, and give it the two repositories.
# shellcheck disable=SC2154 # run_cmd sets output
make_base() {
	local image=localhost/wgkmod-rpm-test:$BASHPID container base=$RPM_DIR/base
	run_cmd 0 skopeo copy --override-arch amd64 "oci:$AL8_IMAGE" "containers-storage:$image"
	run_cmd 0 podman create "$image" true
	container=$output
	mkdir "$base"
	podman export "$container" | tar -x --numeric-owner -C "$base"
	run_cmd 0 podman rm "$container"
	run_cmd 0 podman image rm "$image"
	rm -rf "$base"/usr/share/{doc,man,locale,perl} "$base"/usr/lib/gcc "$base"/etc/yum.repos.d/*
	printf '[kernels]\nname=kernels\nbaseurl=file:///kernels\ngpgcheck=0\n' >"$base/etc/yum.repos.d/kernels.repo"
	mkdir "$base/kernels" "$base/srv/rpm"
}

# host_new: Make a host of this test's own: a copy of the base in ROOT, with the keys' package if it is signed.
host_new() {
	ROOT=$BATS_TEST_TMPDIR/root
	DEST=$RPM_DIR/dest
	cp -a "$RPM_DIR/base" "$ROOT"
	on_host 0 rpm --import "/srv/rpm/RPM-GPG-KEY-wgkmod-acme"
	on_host 0 rpm --install /srv/rpm/Packages/wgkmod-keys-acme-0.9.0-1.noarch.rpm
}

# on_host STATUS COMMAND...: Run a command in ROOT, which sees DEST as /srv and the kernels as /kernels.
# shellcheck disable=SC2016,SC2034 # expanded by the inner shell; DEST is the tests'
on_host() {
	local status=$1
	shift
	run_cmd "$status" unshare --mount --pid --fork --kill-child bash -euc '
		mount -t proc proc "$1/proc"
		mount --bind /dev "$1/dev"
		mount --bind "$2/rpm/" "$1/srv/rpm"
		mount --bind "$3/kernels" "$1/kernels"
		chroot "$1" "${@:4}" || exit $?' - "$ROOT" "$DEST" "$RPM_DIR" "$@"
}

# dnf STATUS WORD...
dnf() { on_host "$1" dnf --assumeyes "${@:2}"; }

# tree KERNEL: Print the kernel's directory: names, kinds, modes, links, digests.  Leave out modules.builtin.alias.bin:
# for the same modules, kmod 28 writes nothing or an empty index into it.
tree() {
	(cd "$ROOT/lib/modules" && find "$1" -printf '%p %y %m %l\n' &&
		find "$1" -type f ! -name modules.builtin.alias.bin -exec sha256sum {} +) | LC_ALL=C sort
}
