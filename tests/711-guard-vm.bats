#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# wgkmod guard against the truth: Debian's GRUB and systemd-boot, in QEMU with UEFI, boot one of two kernels of
# Debian, whose only program prints uname -r.  What guard says of the same files before is compared with it.  When a
# kernel comes, the hook installs the stored bundle for it, and the next boot has a tunnel.

load lib/helpers
load lib/modules
load lib/bundle

OLD=5.10.0-32-amd64
NEW=5.10.0-32-cloud-amd64
LOADER=4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
EFI=sys/firmware/efi/efivars

setup_file() {
	local kernel target init=$BATS_FILE_TMPDIR/init members
	export KERNELS=$BATS_FILE_TMPDIR/kernels
	mkdir -p "$KERNELS" "$init"/{bin,dev,proc,sys}
	for target in "debian11-$OLD" "debian11-$NEW"; do
		run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$target" vm
		mkdir "$BATS_FILE_TMPDIR/$target"
		stage "$target" vm "$BATS_FILE_TMPDIR/$target"
		members=('./boot/vmlinuz*' '*/efivarfs.ko')
		[[ $target != *"$NEW" ]] || members+=("./lib/modules/$NEW")
		dpkg-deb --fsys-tarfile "$BATS_FILE_TMPDIR/$target"/linux-image-*.deb |
			tar -x -C "$KERNELS" --wildcards "${members[@]}"
		deb_extract "$BATS_FILE_TMPDIR/$target"/wireguard-tools_*.deb "$BATS_FILE_TMPDIR" ./usr/bin/wg
		deb_extract "$BATS_FILE_TMPDIR/$target"/busybox-static_*.deb "$init" ./bin/busybox
		rm -r "${BATS_FILE_TMPDIR:?}/$target"
	done
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
		if [ -d /run/vm/guest ]; then
			$b --install -s /bin
			/usr/bin/bash /run/vm/guest/update.sh 5>/dev/ttyS0
		fi
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
			linux	/vmlinuz-$OLD console=ttyS0 quiet panic=-1 no_timer_check
			initrd	/initrd
		}
		submenu 'Advanced options' --id 'advanced' {
			menuentry 'Debian, with Linux $NEW' --id 'new' {
				linux	/vmlinuz-$NEW console=ttyS0 quiet panic=-1 no_timer_check
				initrd	/initrd
			}
			menuentry 'Debian, with Linux $OLD' --id 'old' {
				linux	/vmlinuz-$OLD console=ttyS0 quiet panic=-1 no_timer_check
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
		'options console=ttyS0 quiet panic=-1 no_timer_check' "linux /id/$1/linux" 'initrd /initrd' \
		>"$root/boot/loader/entries/id-$1.conf"
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

# kernel_unpacked: NEW's modules are on the host as its package brings them, but without WireGuard and its libraries.
kernel_unpacked() {
	local name
	rm -r "$root/lib/modules/$NEW"
	cp -a "$KERNELS/lib/modules/$NEW" "$root/lib/modules/"
	while read -r name; do
		find "$root/lib/modules/$NEW" -name "$name.ko" -delete
	done < <(sed -n '/^HIDE/,/^$/p' "$ROOT_DIR/targets/debian11-$NEW" | tr ' ' '\n')
	depmod -b "$root" "$NEW"
}

# comes: Do what the package of the kernel NEW does at the end of its installation, with our script for Debian.
comes() {
	local bin=$BATS_TEST_TMPDIR/bin unshare=(unshare --mount)
	[[ $EUID -eq 0 ]] || unshare+=(--map-root-user)
	install -D "$ROOT_DIR/hooks/debian" "$root/etc/kernel/postinst.d/wgkmod"
	mkdir -p "$bin"
	printf '#!/bin/sh\nexec "%s" "$1" --root "%s" "$2" "$3"\n' "$WGKMOD" "$root" >"$bin/wgkmod"
	chmod +x "$bin/wgkmod"
	run_cmd 0 "${unshare[@]}" sh -euc 'mount --bind "$0" /usr/local/sbin
		exec run-parts --arg="$1" --arg="/boot/vmlinuz-$1" "$2"' "$bin" "$NEW" "$root/etc/kernel/postinst.d"
}

# program FILE...: Put programs of this machine, and their libraries, into the guest.
program() {
	local file library
	for file; do
		install -D "$file" "$INIT/usr/bin/${file##*/}"
		while read -r library; do
			install -D "$library" "$INIT$library"
		done < <(ldd "$file" | grep -o '/[^ ]*')
	done
}

# tunnel yes|none: Boot NEW with the modules that the host has for it; fail unless the guest reports that.
tunnel() {
	INIT=$BATS_TEST_TMPDIR/init
	rm -rf "$INIT"
	cp -a "$BATS_FILE_TMPDIR/init" "$INIT"
	mkdir -p "$INIT"/{run/vm,var,tmp,sbin,lib/modules/"$NEW"}
	ln -s /run "$INIT/var/run"
	cp -r "$ROOT_DIR/tests/vm/guest" "$INIT/run/vm/"
	program "$(command -v bash)" "$(command -v ip)" "$(command -v kmod)" "$BATS_FILE_TMPDIR/usr/bin/wg"
	ln -s /usr/bin/kmod "$INIT/sbin/modprobe"
	(cd "$root/lib/modules/$NEW" && find . -type f \( -path './modules.*' -o -path '*/crypto/*' -o -name '*udp_tunnel.ko' \
		-o -name veth.ko -o -path '*/wireguard/*' \) | cpio --quiet -pdm "$INIT/lib/modules/$NEW")
	initrd_make "$root/boot/initrd"
	boot
	assert_equal "$booted" "$NEW"
	output=$(tr -d '\r' <"$BATS_TEST_TMPDIR/serial")
	assert_line "^tunnel $1$"
}

@test "a kernel comes: without a bundle guard says no, and the next boot has no WireGuard; with one there is a tunnel" {
	local key=$BATS_TEST_TMPDIR/key
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="debian11-$NEW"
	RELEASE=$NEW TARGET_NAME=debian11-$NEW bundle_make "$OUT/$NEW" "$BATS_TEST_TMPDIR/bundle.tar"
	key_make "$key"
	key_sign "$key" "$BATS_TEST_TMPDIR/bundle.tar"
	install -D -m 644 "$key.pub" "$root/etc/wgkmod/keys.d/key.pub"
	kernel_unpacked
	grub '1>0'

	comes
	assert_line "^wgkmod: hook: $NEW: no bundle for it is in the store: it has no WireGuard$"
	assert_line "^wgkmod: $NEW boots next \(.*\), and has no WireGuard$"
	run_cmd 3 "$WGKMOD" guard --root "$root"
	tunnel none

	run_cmd 0 "$WGKMOD" store --root "$root" add "$BATS_TEST_TMPDIR/bundle.tar"
	kernel_unpacked
	comes
	assert_line "^wgkmod: hook: $NEW: the stored bundle is installed$"
	run_cmd 0 "$WGKMOD" guard --root "$root"
	assert_line "^wgkmod: $NEW boots next \(.*\), and has WireGuard, installed by wgkmod$"
	tunnel yes
}
