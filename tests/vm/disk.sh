#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: disk.sh TARGET DIR BASEDIR VMDIR
#
# Make the VM's root disk of TARGET in DIR: root.img, vmlinuz, and an initramfs that mounts root.img.  root.img
# (ext4) has the packages of the stages base and vm, which are in BASEDIR and VMDIR, without the modules that the
# target hides.  Run as root or under fakeroot, so that files keep the packages' owners.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

# The modules that the kernel needs to mount its root; initramfs adds their dependencies.
boot_modules=(virtio_pci virtio_blk ext4)

# module_name FILE: Print the kernel's name of the module in FILE.
module_name() {
	local name=${1##*/}
	name=${name%%.ko*}
	printf '%s\n' "${name//-/_}"
}

# unpack ROOT BASEDIR VMDIR: Unpack the packages, and make the files that their scripts would make.
unpack() {
	local root=$1
	family_root "$root" "$2" "$3" || die "cannot make a root of the packages in '$2' and '$3'"
	[[ -d $root/lib/modules/$RELEASE ]] || die "no package has /lib/modules/$RELEASE"
	rm -rf "$root"/usr/share/{doc,man,locale,info}
	[[ -e $root/bin/sh ]] || ln -s dash "$root/bin/sh"
	[[ -e $root/etc/passwd ]] || printf 'root:x:0:0:root:/root:/bin/bash\n' >"$root/etc/passwd"
	[[ -e $root/etc/group ]] || printf 'root:x:0:\n' >"$root/etc/group"
	mkdir -p "$root"/{proc,sys,dev,run,tmp,root}
}

# hide ROOT: Delete the kernel's wireguard and the modules of HIDE, and run depmod again.
hide() {
	local root=$1 modules=$1/lib/modules/$RELEASE hidden=' wireguard ' word file name
	for word in $HIDE; do
		hidden+="${word//-/_} "
	done
	while read -r file; do
		name=$(module_name "$file")
		[[ $hidden != *" $name "* ]] || die "$name is built into $RELEASE, it cannot be hidden"
	done <"$modules/modules.builtin"
	while IFS= read -r -d '' file; do
		name=${file##*/} name=${name%%.ko*} # no subshell: there are thousands
		[[ $hidden == *" ${name//-/_} "* ]] || continue
		printf 'hidden: %s\n' "${file#"$root"}"
		rm "$file"
	done < <(find "$modules" -type f -name '*.ko*' -print0)
	depmod -b "$root" "$RELEASE"
	[[ -s $modules/modules.dep ]] || die "depmod wrote no index"
}

# initramfs ROOT FILE: Make the initramfs: busybox, the boot modules in loading order, and initramfs.sh.
initramfs() {
	local root=$1 archive=$2 tree module files file name
	tree=$(mktemp -d "$archive.XXXXXX")
	mkdir -p "$tree"/{bin,dev,proc,sys,root,modules}
	cp "$root/bin/busybox" "$tree/bin/busybox"
	cp "$(dirname "$0")/guest/initramfs.sh" "$tree/init"
	chmod 755 "$tree/init" "$tree/bin/busybox"
	for module in "${boot_modules[@]}"; do
		files=$(modprobe -d "$root" -S "$RELEASE" -C /dev/null --show-depends "$module") ||
			die "the kernel $RELEASE has no module $module"
		while read -r _ file _; do
			name=$(module_name "$file")
			[[ $file == /* && ! -e $tree/modules/$name ]] || continue # built in, or had before
			plain_module "$file" >"$tree/modules/$name"
			printf '%s\n' "$name" >>"$tree/modules/order"
		done <<<"$files"
	done
	(cd "$tree" && find . | sort | cpio --quiet --create --format=newc --owner=0:0) >"$archive"
	rm -rf "$tree"
}

# image ROOT FILE: Make an ext4 image with room for a test's files.  Name all its features, as this machine's
# mke2fs.conf may have features that a 5.10 kernel cannot read.
image() {
	local root=$1 file=$2 kib features=none,has_journal,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super
	features+=,large_file,huge_file,dir_nlink,extra_isize,metadata_csum
	kib=$(du -sk "$root" | cut -f 1)
	mke2fs -q -F -t ext4 -d "$root" -m 0 -I 256 -b 4096 -E lazy_itable_init=0,root_owner=0:0 \
		-O "$features" "$file" "$((kib * 5 / 4 + 262144))k"
}

main() {
	[[ $# -eq 4 ]] || die "usage: disk.sh TARGET DIR BASEDIR VMDIR"
	local dir=$2 root=$2/root kernel
	read_target "$1"
	mkdir "$root"
	unpack "$root" "$3" "$4"
	hide "$root"
	for kernel in "$root/boot/vmlinuz-$RELEASE" "$root/lib/modules/$RELEASE/vmlinuz"; do
		[[ ! -f $kernel ]] || cp "$kernel" "$dir/vmlinuz"
	done
	[[ -f $dir/vmlinuz ]] || die "no package has the kernel $RELEASE itself"
	initramfs "$root" "$dir/initramfs"
	image "$root" "$dir/root.img"
	rm -rf "$root"
	sync -f "$dir"
}

main "$@"
