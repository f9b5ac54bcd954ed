#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod guard finds the kernel that boots next in the files of each boot loader, and says whether it has
# WireGuard.  What it says is compared with the kernel that really boots in 711-guard-vm.bats.

load lib/helpers
load lib/modules
load sweep/tools
load lib/install
load lib/inside

NEW=5.10.0-33-amd64
ID=0123456789abcdef0123456789abcdef
EFI=sys/firmware/efi/efivars
LOADER=4a67b082-0a4c-41cf-b6c7-440b29bb8c4f

# RELEASE has the modules, NEW has not.
setup() {
	host_make
	MODULES=$ROOT/lib/modules/$RELEASE
	install_it 0
	mkdir -p "$ROOT/lib/modules/$NEW/kernel" "$ROOT/boot"
}

guard() { run_cmd "$1" "$WGKMOD" guard --root "$ROOT" "${@:2}"; } # STATUS [OPTION...]

# next RELEASE HOW: that kernel boots next, and this said so.
next() {
	local status=0 word=covered
	[[ $1 == "$RELEASE" ]] || status=3 word=uncovered
	guard "$status" --porcelain
	assert_equal "$(grep '^next' <<<"$output")" "next"$'\t'"$1"$'\t'"$2"$'\t'"$word"
}

# unknown REGEX: it cannot be found out, for that reason.
unknown() {
	guard 1 --porcelain
	assert_line "^next"$'\t'"-"$'\t'".*$1.*"$'\t'"-$"
}

# ---- GRUB with the files of the Boot Loader Specification, as RHEL's family has it ----

grub_bls() {
	mkdir -p "$ROOT/boot/grub2" "$ROOT/boot/loader/entries"
	cat >"$ROOT/boot/grub2/grub.cfg" <<-'CFG'
		set pager=1
		if [ -f ${config_directory}/grubenv ]; then
		  load_env -f ${config_directory}/grubenv
		elif [ -s $prefix/grubenv ]; then
		  load_env
		fi
		if [ "${next_entry}" ] ; then
		   set default="${next_entry}"
		   set next_entry=
		   save_env next_entry
		   set boot_once=true
		else
		   set default="${saved_entry}"
		fi
		function savedefault {
		  if [ -z "${boot_once}" ]; then
		    saved_entry="${chosen}"
		    save_env saved_entry
		  fi
		}
		insmod blscfg
		blscfg
	CFG
	bls "$ID-$RELEASE" "Linux ($RELEASE) 3" "/vmlinuz-$RELEASE"
	bls "$ID-$NEW" "Linux ($NEW) 3" "/vmlinuz-$NEW"
	bls "$ID-0-rescue" 'Linux (0-rescue) 3' "/vmlinuz-0-rescue-$ID"
	env_block
}

bls() { # NAME TITLE LINUX [LINE...]
	printf '%s\n' "title $2" "linux $3" 'options root=/dev/vda1 ro' "${@:4}" >"$ROOT/boot/loader/entries/$1.conf"
}

# env_block VARIABLE=VALUE...: grubenv, 1024 bytes as grub-editenv makes it.
env_block() {
	{
		printf '# GRUB Environment Block\n'
		[[ $# -eq 0 ]] || printf '%s\n' "$@"
		head -c 1024 /dev/zero | tr '\0' '#'
	} | head -c 1024 >"$ROOT/$(cd "$ROOT" && echo boot/grub*)/grubenv"
}

@test "BLS: without saved_entry the first by rpm's order of names, not by text" {
	grub_bls
	next "$NEW" 'first BLS entry'
	env_block 'saved_entry='
	next "$NEW" 'first BLS entry'
	mv "$ROOT/boot/loader/entries/$ID-$NEW.conf" "$ROOT/boot/loader/entries/$ID-5.9.99-amd64.conf"
	next "$RELEASE" 'first BLS entry'
	bls "$ID-5.10.0-132-amd64" x "/vmlinuz-$NEW"
	next "$NEW" 'first BLS entry'
}

@test "control characters of a boot loader's files are escaped" {
	grub_bls
	bls "$ID-$RELEASE" $'Linux \e[31m' "/vmlinuz-$RELEASE"
	env_block $'saved_entry=Linux \e[31m'
	next "$RELEASE" "saved_entry 'Linux \\033[31m'"
	guard 0 --nagios
	assert_line "saved_entry 'Linux .033.31m'"
	assert_equal "${output//[[:print:]]/}" ''
}

@test "BLS: saved_entry is an id, a title or an index" {
	grub_bls
	env_block "saved_entry=$ID-$RELEASE"
	next "$RELEASE" "saved_entry '$ID-$RELEASE'"
	env_block "saved_entry=Linux ($RELEASE) 3"
	next "$RELEASE" "saved_entry 'Linux ($RELEASE) 3'"
	env_block 'saved_entry=1'
	next "$RELEASE" "saved_entry '1'"
	env_block 'saved_entry=0'
	next "$NEW" "saved_entry '0'"
	env_block "saved_entry=$ID-0-rescue"
	next "0-rescue-$ID" "saved_entry '$ID-0-rescue'"
}

@test "BLS: a saved_entry of an entry that is gone means the first" {
	grub_bls
	env_block "saved_entry=$ID-5.10.0-1-amd64"
	next "$NEW" 'first BLS entry'
	env_block 'saved_entry=7'
	next "$NEW" 'first BLS entry'
}

@test "BLS: next_entry, for one boot, comes before saved_entry" {
	grub_bls
	env_block "saved_entry=$ID-$NEW" "next_entry=$ID-$RELEASE"
	next "$RELEASE" "next_entry '$ID-$RELEASE'"
}

@test "BLS: an entry of another machine-id takes part by its name; an entry without kernel cannot be told" {
	grub_bls
	bls "999999999fffffffffffffffffffffff-$RELEASE" x "/vmlinuz-$RELEASE"
	next "$RELEASE" 'first BLS entry'
	bls "gggg-1" 'Memory test' '/memtest'
	env_block 'saved_entry=gggg-1'
	unknown "the entry 'Memory test' does not say which kernel it boots"
}

@test "BLS: with UEFI, RHEL 8 has grub.cfg beside its loader, and a link in /etc" {
	grub_bls
	mkdir -p "$ROOT/boot/efi/EFI/redhat" "$ROOT/etc"
	mv "$ROOT/boot/grub2"/* "$ROOT/boot/efi/EFI/redhat/"
	ln -s ../efi/EFI/redhat/grubenv "$ROOT/boot/grub2/"
	unknown 'neither boot/grub2/grub.cfg, .*, etc/grub2-efi.cfg nor '
	ln -s ../boot/efi/EFI/redhat/grub.cfg "$ROOT/etc/grub2-efi.cfg"
	next "$NEW" 'first BLS entry'
	env_block "saved_entry=$ID-$RELEASE"
	next "$RELEASE" "saved_entry '$ID-$RELEASE'"
}

@test "BLS: entries that cannot be listed to the end are no menu" {
	plain_only
	grub_bls
	run_cmd 1 strace -o "$BATS_TEST_TMPDIR/trace" -e inject=getdents64:error=EIO:when=4 \
		"$WGKMOD" guard --root "$ROOT" --porcelain
	assert_line "^next"$'\t'-$'\t'"boot/loader/entries: Input/output error"$'\t'-$
}

# ---- GRUB with the menu in grub.cfg, as Debian has it ----

grub_debian() { # DEFAULT
	mkdir -p "$ROOT/boot/grub"
	sed "s/DEFAULT/$1/; s/NEW/$NEW/g; s/OLD/$RELEASE/g" >"$ROOT/boot/grub/grub.cfg" <<-'CFG'
		if [ -s $prefix/grubenv ]; then
		  set have_grubenv=true
		  load_env
		fi
		if [ "${next_entry}" ] ; then
		   set default="${next_entry}"
		   set next_entry=
		   save_env next_entry
		   set boot_once=true
		else
		   set default="DEFAULT"
		fi
		menuentry 'Debian GNU/Linux' --class debian --class os $menuentry_id_option 'gnulinux-simple-1' {
			load_video
			linux	/boot/vmlinuz-NEW root=UUID=1 ro  quiet
			initrd	/boot/initrd.img-NEW
		}
		submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-1' {
			menuentry 'Debian GNU/Linux, with Linux NEW' --class debian $menuentry_id_option 'gnulinux-NEW-advanced-1' {
				linux	/boot/vmlinuz-NEW root=UUID=1 ro  quiet
			}
			menuentry 'Debian GNU/Linux, with Linux OLD' --class debian $menuentry_id_option 'gnulinux-OLD-advanced-1' {
				if [ x$grub_platform = xxen ]; then insmod xzio; fi
				linux	/boot/vmlinuz-OLD root=UUID=1 ro  quiet
			}
		}
		menuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' {
			fwsetup
		}
	CFG
	env_block
}

@test "grub.cfg: the first entry, an index, a way through a submenu, a title, an id" {
	local title
	grub_debian 0
	next "$NEW" "default of grub.cfg '0'"
	grub_debian '1>1'
	next "$RELEASE" "default of grub.cfg '1>1'"
	grub_debian 1
	next "$NEW" "default of grub.cfg '1'"
	title="Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux $RELEASE"
	grub_debian "${title//\//\\/}"
	next "$RELEASE" "default of grub.cfg '$title'"
	grub_debian "gnulinux-advanced-1>gnulinux-$RELEASE-advanced-1"
	next "$RELEASE" "default of grub.cfg 'gnulinux-advanced-1>gnulinux-$RELEASE-advanced-1'"
	grub_debian nonsense
	next "$NEW" 'first entry of grub.cfg'
	grub_debian 2
	unknown "the entry 'UEFI Firmware Settings' does not say which kernel it boots"
}

@test "grub.cfg: saved, next_entry for one boot, and a default that only GRUB can work out" {
	grub_debian '${saved_entry}'
	next "$NEW" 'first entry of grub.cfg'
	env_block 'saved_entry=1>1'
	next "$RELEASE" "saved_entry '1>1'"
	env_block 'saved_entry=1>1' 'next_entry=0'
	next "$NEW" "next_entry '0'"
	grub_debian '${other}'
	unknown 'set default="\$\{other\}"'
	# a grub.cfg that does not read next_entry
	grub_debian 0
	sed -i '/next_entry/d' "$ROOT/boot/grub/grub.cfg"
	env_block 'next_entry=1>1'
	next "$NEW" "default of grub.cfg '0'"
}

# ---- systemd-boot ----

systemd_boot() { # LINE-OF-LOADER.CONF...
	mkdir -p "$ROOT/boot/loader/entries"
	printf '%s\n' 'timeout 3' "$@" >"$ROOT/boot/loader/loader.conf"
	bls "$ID-$RELEASE" Debian "/$ID/$RELEASE/linux" "version $RELEASE" "machine-id $ID" 'sort-key debian'
	bls "$ID-$NEW" Debian "/$ID/$NEW/linux" "version $NEW" "machine-id $ID" 'sort-key debian'
}

efi() { # NAME GUID TEXT
	mkdir -p "$ROOT/$EFI"
	{
		printf '\007\000\000\000'
		printf '%s' "$3" | iconv -t UTF-16LE
		printf '\000\000'
	} >"$ROOT/$EFI/$1-$2"
}

@test "systemd-boot: the newest version, default of loader.conf, LoaderEntryDefault, LoaderEntryOneShot" {
	systemd_boot
	next "$NEW" 'first BLS entry'
	systemd_boot "default $ID-5.10.0-32-*"
	next "$RELEASE" "default of loader.conf '$ID-5.10.0-32-*'"
	efi LoaderEntryDefault "$LOADER" "$ID-$NEW.conf"
	next "$NEW" "LoaderEntryDefault '$ID-$NEW.conf'"
	efi LoaderEntryOneShot "$LOADER" "$ID-$RELEASE.conf"
	next "$RELEASE" "LoaderEntryOneShot '$ID-$RELEASE.conf'"
	efi LoaderEntryOneShot "$LOADER" 'gone.conf'
	next "$NEW" "LoaderEntryDefault '$ID-$NEW.conf'"
	efi LoaderEntryDefault "$LOADER" '@saved'
	unknown 'LoaderEntryDefault is @saved'
}

@test "systemd-boot: sort-key comes before the version, and an entry without one last" {
	systemd_boot
	bls "zz-$NEW" x "/zz/$NEW/linux" "version $NEW" 'sort-key zzz'
	bls "$ID-$NEW" Debian "/$ID/$NEW/linux" "version $NEW"
	next "$RELEASE" 'first BLS entry'
}

@test "of GRUB and systemd-boot the one that ran counts, as LoaderInfo says" {
	grub_bls
	systemd_boot
	env_block "saved_entry=$ID-$RELEASE"
	next "$RELEASE" "saved_entry '$ID-$RELEASE'"
	efi LoaderInfo "$LOADER" 'systemd-boot 252.39'
	next "$NEW" 'first BLS entry'
	mkdir -p "$ROOT/boot/EFI/Linux"
	touch "$ROOT/boot/EFI/Linux/x.efi"
	unknown 'unified kernel images'
	rm -r "$ROOT/boot/EFI"
	efi BootNext 8be4df61-93ca-11d2-aa0d-00e098032b8c x
	unknown 'BootNext names another boot loader'
}

# ---- the verdict ----

@test "which kernel boots next is not known: 0 if each has WireGuard, else 1" {
	unknown 'neither boot/grub2/grub.cfg, '
	rmdir "$ROOT/lib/modules/$NEW/kernel"
	guard 0
	assert_line '^wgkmod: each installed kernel has WireGuard$'
}

@test "which kernel boots next is not known, and none is installed: 1" {
	inside_make
	rm -r "$ROOT/lib/modules"/*
	mkdir -p "$ROOT/sys/module/wireguard"
	echo live >"$ROOT/sys/module/wireguard/initstate"
	inside 1 guard
	assert_line '^wgkmod: which kernel boots next cannot be found out, and none is installed: neither '
}

@test "kernels that cannot be listed: 1, and UNKNOWN for Nagios" {
	local none=$BATS_TEST_TMPDIR/none
	run_cmd 1 "$WGKMOD" guard --root "$none"
	assert_equal "$output" "wgkmod: cannot look at '$none': No such file or directory"
	run_cmd 3 bash -c '"$@" 2>/dev/null' - "$WGKMOD" guard --nagios --root "$none"
	assert_equal "$output" 'WGKMOD UNKNOWN - the kernels cannot be listed'
}

@test "a host that does not use WireGuard is not concerned" {
	grub_bls
	remove_it 0
	guard 0
	assert_equal "$output" ''
}

@test "stored, the kernel's own, another's, damaged: each is told" {
	grub_bls
	mkdir -p "$ROOT/var/lib/wgkmod/bundles"
	touch "$ROOT/var/lib/wgkmod/bundles/wireguard-$NEW.tar"
	guard 3
	assert_line "^wgkmod: $NEW boots next \(first BLS entry\), and has no WireGuard, but its bundle is in the store$"
	rm "$ROOT/var/lib/wgkmod/bundles/wireguard-$NEW.tar"
	echo kernel/drivers/net/wireguard/wireguard.ko >"$ROOT/lib/modules/$NEW/modules.builtin"
	guard 0
	assert_line "^wgkmod: $NEW has a WireGuard of its own$"
	env_block "saved_entry=$ID-$RELEASE"
	printf x >>"$MODULES/kernel/lib/crypto/libchacha.ko"
	guard 3
	assert_line "^wgkmod: $RELEASE boots next .*, and has a WireGuard that is not intact$"
	# what lies there without wgkmod is the distribution's own, and no concern
	rm -r "$MODULES/.wgkmod"
	guard 0
	assert_equal "$output" ''
}

@test "--nagios prints a line and exits as a plugin does; --prometheus prints metrics" {
	grub_bls
	guard 2 --nagios
	assert_equal "$output" "WGKMOD CRITICAL - $NEW boots next (first BLS entry), and has no WireGuard"
	guard 3 --prometheus
	assert_line '^wgkmod_next_kernel_covered 0$'
	assert_line "^wgkmod_kernel_covered\{release=\"$RELEASE\"\} 1$"
	env_block "saved_entry=$ID-$RELEASE"
	guard 0 --nagios
	assert_line '^WGKMOD OK - '
	guard 0 --prometheus
	assert_line '^wgkmod_next_kernel_covered 1$'
	rm "$ROOT/boot/grub2/grub.cfg"
	guard 3 --nagios
	assert_line '^WGKMOD UNKNOWN - which kernel boots next cannot be found out, and 1 of 2 have no WireGuard: '
	guard 1 --prometheus
	assert_line '^wgkmod_next_kernel_covered -1$'
}

@test "no file of a boot loader makes it hang, crash or read without end" {
	local file
	grub_bls
	for file in grub2/grub.cfg grub2/grubenv "loader/entries/$ID-$NEW.conf"; do
		mv "$ROOT/boot/$file" "$BATS_TEST_TMPDIR/kept"
		mkfifo "$ROOT/boot/$file"
		unknown 'not a regular file'
		rm "$ROOT/boot/$file"
		truncate -s 1G "$ROOT/boot/$file"
		unknown 'larger than|too large'
		rm "$ROOT/boot/$file"
		head -c 4096 /dev/urandom >"$ROOT/boot/$file"
		status=0
		"$WGKMOD" guard --root "$ROOT" || status=$?
		[[ $status -le 3 ]]
		mv "$BATS_TEST_TMPDIR/kept" "$ROOT/boot/$file"
	done
	# deeper and more entries than any menu has
	yes "submenu 'x' {" | head -n 100 >"$ROOT/boot/grub2/grub.cfg"
	unknown 'deeper'
	yes "menuentry 'x' { }" | head -n 2000 | sed 'a }' >"$ROOT/boot/grub2/grub.cfg"
	unknown 'more than 1000 entries'
}

@test "a kernel that cannot be looked at is not left out" {
	rm -r "$ROOT/lib/modules/$NEW/kernel"
	ln -s kernel "$ROOT/lib/modules/$NEW/kernel"
	guard 1
	assert_line "^wgkmod: $NEW has no WireGuard$"
}
