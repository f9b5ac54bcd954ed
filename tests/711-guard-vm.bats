#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# wgkmod guard against the truth: Debian's GRUB and systemd-boot, in QEMU with UEFI, boot one of two kernels of
# Debian, whose only program prints uname -r.  What guard says of the same files before is compared with it.

load lib/helpers

OLD=5.10.0-32-amd64
NEW=5.10.0-32-cloud-amd64
LOADER=4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
EFI=sys/firmware/efi/efivars

setup_file() {
	local kernel target init=$BATS_FILE_TMPDIR/init
	export KERNELS=$BATS_FILE_TMPDIR/kernels
	mkdir -p "$KERNELS" "$init"/{bin,dev,proc,sys}
	for target in "debian11-$OLD" "debian11-$NEW"; do
		run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$target" vm
		mkdir "$BATS_FILE_TMPDIR/$target"
		stage "$target" vm "$BATS_FILE_TMPDIR/$target"
		dpkg-deb --fsys-tarfile "$BATS_FILE_TMPDIR/$target"/linux-image-*.deb |
			tar -x -C "$KERNELS" --wildcards './boot/vmlinuz*' '*/efivarfs.ko'
		rm -r "${BATS_FILE_TMPDIR:?}/$target"
	done
	cp /bin/busybox "$init/bin/"
	for kernel in "$OLD" "$NEW"; do
		cp "$KERNELS/lib/modules/$kernel/kernel/fs/efivarfs/efivarfs.ko" "$init/efivarfs-$kernel.ko"
	done
	cat >"$init/init" <<-'INIT'
		#!/bin/busybox sh
		b=/bin/busybox
		$b mount -t proc proc /proc
		$b mount -t sysfs sysfs /sys
		$b mount -t devtmpfs devtmpfs /dev
		echo "booted $($b uname -r)" >/dev/ttyS0
		if [ -d /variables ]; then
			$b insmod /efivarfs-$($b uname -r).ko
			$b mount -t efivarfs efivarfs /sys/firmware/efi/efivars
			$b cp /variables/* /sys/firmware/efi/efivars/ && echo 'variables set' >/dev/ttyS0
		fi
		$b sync
		$b poweroff -f
	INIT
	chmod +x "$init/init"
	export INIT=$init
	initrd_make "$BATS_FILE_TMPDIR/initrd"
}

# initrd_make FILE: pack $INIT.
initrd_make() { (cd "$INIT" && find . | cpio -o -H newc --quiet | gzip -1) >"$1"; }

# The root that guard reads; its /boot is the EFI system partition.
setup() {
	root=$BATS_TEST_TMPDIR/root
	mkdir -p "$root/boot/EFI/BOOT" "$root/lib/modules"/{$OLD,$NEW}/kernel "$root/var/lib/wgkmod/bundles"
	touch "$root/var/lib/wgkmod/bundles/wireguard-$OLD.tar" # so that guard is concerned
	cp "$BATS_FILE_TMPDIR/initrd" "$root/boot/"
	cp /usr/share/OVMF/OVMF_VARS.fd "$BATS_TEST_TMPDIR/vars"
}

# boot: boot the machine; set booted to what uname -r said there.
boot() {
	local serial=$BATS_TEST_TMPDIR/serial
	: >"$serial"
	TIMEOUT=240 run_cmd 0 qemu-system-x86_64 -nodefaults -no-user-config -display none -nic none -no-reboot -machine q35 \
		-accel tcg,thread=multi -cpu max -m 512 -serial "file:$serial" \
		-drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd \
		-drive "if=pflash,format=raw,file=$BATS_TEST_TMPDIR/vars" \
		-drive "format=raw,snapshot=on,file=fat:$root/boot"
	booted=$(tr -d '\r' <"$serial" | sed -n 's/^.*booted //p')
	[[ -n $booted ]] || fail "no kernel said anything: $(tr -cd '[:print:]\n' <"$serial")"
}

# same RELEASE: guard says that this kernel boots next, and it does.
same() {
	local status=0 said
	said=$("$WGKMOD" guard --root "$root" --porcelain) || status=$?
	[[ $status -eq 3 ]]
	boot
	assert_equal "$(sed -n 's/^next\t\([^\t]*\)\t.*/\1/p' <<<"$said")" "$booted"
	assert_equal "$booted" "$1"
}

# grub DEFAULT [VARIABLE=VALUE...]: Debian's GRUB with a menu as Debian's; OLD is first, NEW in a submenu.
grub() {
	mkdir -p "$root/boot/grub"
	[[ -e $root/boot/EFI/BOOT/BOOTX64.EFI ]] || {
		grub-mkimage -O x86_64-efi -p /grub -o "$root/boot/EFI/BOOT/BOOTX64.EFI" \
			fat part_msdos normal linux loadenv test echo configfile search boot
		cp "$KERNELS/boot"/vmlinuz-* "$root/boot/"
	}
	cat >"$root/boot/grub/grub.cfg" <<-CFG
		set timeout=0
		if [ -s \$prefix/grubenv ]; then
		  load_env
		fi
		if [ "\${next_entry}" ] ; then
		   set default="\${next_entry}"
		   set next_entry=
		   save_env next_entry
		   set boot_once=true
		else
		   set default="$1"
		fi
		menuentry 'Debian' --class debian --id 'simple' {
			linux	/vmlinuz-$OLD console=ttyS0 quiet panic=-1
			initrd	/initrd
		}
		submenu 'Advanced options' --id 'advanced' {
			menuentry 'Debian, with Linux $NEW' --id 'new' {
				linux	/vmlinuz-$NEW console=ttyS0 quiet panic=-1
				initrd	/initrd
			}
			menuentry 'Debian, with Linux $OLD' --id 'old' {
				linux	/vmlinuz-$OLD console=ttyS0 quiet panic=-1
				initrd	/initrd
			}
		}
	CFG
	rm -f "$root/boot/grub/grubenv"
	grub-editenv "$root/boot/grub/grubenv" create
	[[ $# -eq 1 ]] || grub-editenv "$root/boot/grub/grubenv" set "${@:2}"
}

@test "GRUB: nine settings of the default, of the saved and of the next entry" {
	grub 0
	same "$OLD"
	grub '1>0'
	same "$NEW"
	grub 1
	same "$NEW"
	grub "Advanced options>Debian, with Linux $NEW"
	same "$NEW"
	grub '${saved_entry}'
	same "$OLD"
	grub '${saved_entry}' 'saved_entry=advanced>new'
	same "$NEW"
	grub '${saved_entry}' 'saved_entry=advanced>new' 'next_entry=advanced>old'
	same "$OLD"
	# an entry of a submenu is not found without the way to it
	grub '${saved_entry}' 'saved_entry=new'
	same "$OLD"
	grub '${saved_entry}' 'saved_entry=advanced>gone'
	same "$NEW"
}

# systemd_boot LINE...: Debian's systemd-boot; loader.conf has the LINEs.
systemd_boot() {
	local kernel
	mkdir -p "$root/boot/loader/entries"
	cp /usr/lib/systemd/boot/efi/systemd-bootx64.efi "$root/boot/EFI/BOOT/BOOTX64.EFI"
	printf '%s\n' 'timeout 0' "$@" >"$root/boot/loader/loader.conf"
	for kernel in "$OLD" "$NEW"; do
		mkdir -p "$root/boot/id/$kernel"
		cp "$KERNELS/boot/vmlinuz-$kernel" "$root/boot/id/$kernel/linux"
		entry "$kernel" debian
	done
}

entry() { # RELEASE SORT-KEY
	printf '%s\n' 'title Debian' "version $1" 'machine-id 0123456789abcdef0123456789abcdef' "sort-key $2" \
		'options console=ttyS0 quiet panic=-1' "linux /id/$1/linux" 'initrd /initrd' >"$root/boot/loader/entries/id-$1.conf"
}

# efi NAME TEXT: set the EFI variable of systemd-boot in the machine, and in the root.
efi() {
	rm -rf "$INIT/variables"
	mkdir -p "$INIT/variables" "$root/$EFI"
	{
		printf '\007\000\000\000'
		printf '%s\0' "$2" | iconv -t UTF-16LE
	} >"$INIT/variables/$1-$LOADER"
	initrd_make "$root/boot/initrd"
	boot
	grep -q 'variables set' "$BATS_TEST_TMPDIR/serial"
	cp "$BATS_FILE_TMPDIR/initrd" "$root/boot/initrd"
	cp "$INIT/variables/$1-$LOADER" "$root/$EFI/"
}

@test "systemd-boot: seven settings of the order, of loader.conf and of the EFI variables" {
	systemd_boot
	same "$NEW"
	entry "$NEW" zzz
	same "$OLD"
	systemd_boot "default id-$OLD.conf"
	same "$OLD"
	systemd_boot 'default id-*-32-amd64*'
	same "$OLD"
	systemd_boot 'default gone.conf'
	same "$NEW"
	efi LoaderEntryDefault "id-$OLD.conf"
	same "$OLD"
	efi LoaderEntryOneShot "id-$NEW.conf"
	same "$NEW"
}
