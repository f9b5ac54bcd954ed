#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: powercut.sh TARGET [FS...]
#
# Cut the power at random moments of "wgkmod install" on ext4, xfs and btrfs, in the VM with the target's stock
# kernel.  Kill QEMU, and drop a part of the writes that the guest had not flushed (tests/vm/replay.c says which).
# Boot the kernel again with the resulting disks.  Each must mount; its kernel's directory must be the old or the
# new one, and the new one if wgkmod had ended; the kernel must load modules from it, and the next install must
# complete.
#
# Also make half as many cuts between two writes of an install that was not interrupted; the first of them is
# after its last write.
#
#   POWERCUT_COUNT=N  moments on each file system (10)
#   POWERCUT_SEED=N   seed of the moments and of the lost writes (1)
#
# The simulated disk keeps every write that was flushed.  A disk that lies about a flush, or that damages older
# data, is not simulated.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

COUNT=${POWERCUT_COUNT:-10}
SEED=${POWERCUT_SEED:-1}
CUTS=$(((COUNT + 1) / 2))
VM_TIMEOUT=${VM_TIMEOUT:-1800}

# The sector size of replay.c: a power cut never tears a sector.
SECTOR=4096
SECTORS=logical_block_size=$SECTOR,physical_block_size=$SECTOR

# make_disk FS FILE: Make an empty file system that every kernel from 5.10 on can read.
make_disk() {
	truncate -s 400M "$2"
	case $1 in
	ext4) run mke2fs -q -F -t ext4 -b $SECTOR -O metadata_csum "$2" ;;
	xfs) run mkfs.xfs -q -s size=$SECTOR -m bigtime=0,inobtcount=0 "$2" ;;
	btrfs) run mkfs.btrfs -q "$2" ;;
	*) die "powercut knows ext4, xfs and btrfs, not '$1'" ;;
	esac
}

# start FS STEP [OPTION...]: Boot the guest for a step of guest/powercut.sh.
start() {
	VM_OPTIONS="vm.fs=$1 vm.step=$2" vm_start powercut "${@:3}"
}

# disk_option FILE [SERIAL]: Set disk to QEMU's options for a disk.
disk_option() {
	local serial=${2:-data}
	disk=(-drive "if=none,id=$serial,format=raw,file=${1//,/,,}"
		-device "virtio-blk-pci,drive=$serial,serial=$serial,$SECTORS")
}

# passed WHAT: Wait for the guest; exit unless its test passed.
passed() {
	vm_wait
	[[ $VM_VERDICT == pass ]] || die "$1: $VM_WHY"
}

# prepare FS: Set BASE to a disk before the install, OLD and NEW to the digests of the kernel's directory before
# and after it, and TOOK to the install's time in ms.
prepare() {
	local fs=$1 disk
	BASE=$TMP/$fs.img
	make_disk "$fs" "$BASE"
	disk_option "$BASE"
	start "$fs" fill "${disk[@]}"
	passed "$fs, filling the disk"
	OLD=$(vm_figure old) FILES=$(vm_figure files)
	cp --sparse=always "$BASE" "$TMP/whole.img"
	disk_option "$TMP/whole.img"
	start "$fs" install "${disk[@]}"
	passed "$fs, an undisturbed install"
	NEW=$(vm_figure new) TOOK=$(vm_figure took_ms)
	rm "$TMP/whole.img"
	[[ -n $OLD && -n $NEW && $OLD != "$NEW" && $TOOK -gt 0 ]] || die "$fs: the install changes nothing"
}

# announced WORD: Return 0 if the guest reported the word.
announced() { grep -qx "$1" "$VM_CHANNEL"; }

# logged_install FS MS: Install on a copy of BASE, and log its writes to TMP/writes.  Kill QEMU MS after the
# begin, or with "end" after the end.  Set DONE to 1 if the install had ended, else to nothing.
logged_install() {
	local fs=$1 moment=$2 log=$TMP/writes options device=driver=blklogwrites,node-name=data
	cp --sparse=always "$BASE" "$TMP/disk"
	: >"$log"
	device+=,log-sector-size=$SECTOR,file.driver=file,file.filename=${TMP//,/,,}/disk
	device+=,log.driver=file,log.filename=${log//,/,,}
	# shellcheck disable=SC2054 # the commas are QEMU's
	options=(-blockdev "$device"
		-device "virtio-blk-pci,drive=data,serial=data,$SECTORS")
	start "$fs" cut "${options[@]}"
	await installing
	if [[ $moment == end ]]; then
		await installed
	else
		sleep "$((moment / 1000)).$(printf %03d $((moment % 1000)))"
	fi
	DONE=
	if announced installed; then DONE=1; fi
	kill -KILL "$(<"$TMP/qemu.pid")" || die "$fs: QEMU was gone before it was killed"
	vm_wait 2>/dev/null # without bash's message that it was killed
	[[ $VM_WHY == 'QEMU was killed by signal 9'* ]] || die "$fs: $VM_WHY"
	rm "$TMP/disk"
}

# await WORD: Wait until the guest reports the word or QEMU ends.
await() {
	until announced "$1" || [[ -z $(jobs -pr) ]]; do sleep 0.05; done
}

# add_image FS REPLAY-OPTION...: Replay TMP/writes into one more disk for the guest to check.
add_image() {
	local fs=$1 n=${#ended[@]} figures disk
	cp --sparse=always "$BASE" "$TMP/$fs-$n.img"
	figures=$("$TMP/replay" "$TMP/writes" "$TMP/$fs-$n.img" $((SEED + n)) "${@:2}") ||
		die "$fs: the log of writes cannot be replayed"
	read -ra figures <<<"$figures"
	ended[n]=$DONE kept=$((kept + figures[1])) lost=$((lost + figures[2])) torn=$((torn + figures[3]))
	disk_option "$TMP/$fs-$n.img" "data$n"
	options+=("${disk[@]}")
}

# random LIMIT: Set RANDOM_BELOW to a random number below LIMIT.
random() { RANDOM_BELOW=$(((RANDOM << 15 | RANDOM) % $1)); }

# killed FS: Kill QEMU at a random moment of an install, COUNT times.
killed() {
	local n
	for ((n = 0; n < COUNT; n++)); do
		random $((TOOK * 11 / 10))
		logged_install "$1" "$RANDOM_BELOW"
		add_image "$1"
	done
}

# between_writes FS: Make CUTS disks of one install that was not interrupted: one with all its writes, the others
# cut after a random write.  Most writes happen in a short time, which killed seldom hits.
between_writes() {
	local n entries
	logged_install "$1" end
	entries=$("$TMP/replay" "$TMP/writes")
	add_image "$1"
	DONE=
	for ((n = 1; n < CUTS; n++)); do
		random "$entries"
		add_image "$1" "$RANDOM_BELOW"
	done
}

# judge FS N: Judge the guest's report on the disk of moment N.
judge() {
	local fs=$1 n=$2 tree=other bad=
	case $(vm_figure "tree $n") in
	"$OLD") tree=old ;;
	"$NEW") tree=new ;;
	unmountable) tree=unmountable bad=1 ;;
	*) bad=1 ;;
	esac
	[[ -z ${ended[n]} || $tree == new ]] || bad=1
	[[ $(vm_figure "kernel $n") == yes && $(vm_figure "next $n") == yes && $(vm_figure "after $n") == "$NEW" ]] ||
		bad=1
	[[ -z $bad ]] || {
		wrong=$((wrong + 1))
		say powercut "$fs, moment $n: the $tree tree${ended[n]:+ after the end}, the kernel's modules load:" \
			"$(vm_figure "kernel $n"), the next run completes: $(vm_figure "next $n")"
	}
	trees[$tree]=$((${trees[$tree]:-0} + 1))
}

powercut() { # FS
	local fs=$1 n wrong=0 kept=0 lost=0 torn=0 options=()
	local -a ended=()
	local -A trees=()
	RANDOM=$SEED
	prepare "$fs"
	killed "$fs"
	between_writes "$fs"
	start "$fs" look "${options[@]}"
	passed "$fs, booted again"
	for ((n = 0; n < ${#ended[@]}; n++)); do
		judge "$fs" "$n"
	done
	rm "$TMP/$fs"*.img "$TMP/writes"
	say powercut "$fs: $((n - wrong)) of $n right ($COUNT moments, $CUTS cuts between writes): ${trees[old]:-0} old," \
		"${trees[new]:-0} new, ${trees[other]:-0} other, ${trees[unmountable]:-0} not mounted;" \
		"writes not flushed: $kept kept, $lost lost, $torn torn" \
		"($FILES modules, $TOOK ms, seed $SEED)"
	"$TOP/tests/run/figures.sh" "powercut $fs" \
		"$fs $((n - wrong)) of $n: $COUNT cuts at random moments, $CUTS between two writes"
	failed=$((failed + wrong)) all=$((all + n))
}

main() {
	local fs failed=0 all=0
	[[ $# -ge 1 && $1 != -* ]] || die "usage: powercut.sh TARGET [FS...]"
	read_target "$1"
	shift
	[[ $# -gt 0 ]] || set -- ext4 xfs btrfs
	[[ $FAMILY == deb ]] || die "this test is only for the family deb; '$TARGET' is of the family $FAMILY"
	[[ $COUNT =~ ^([1-9]|10)$ ]] || die "POWERCUT_COUNT '$COUNT' is not a number from 1 to 10"
	[[ $SEED =~ ^[0-9]+$ ]] || die "POWERCUT_SEED '$SEED' is not a number"
	# shellcheck source=tests/vm/vm.sh
	. "$TOP/tests/vm/vm.sh"
	vm_require
	make_tmp "$OUT/vm"
	phase_begin powercut
	run cc -std=gnu11 -O2 -Wall -Wextra -o "$TMP/replay" "$TOP/tests/vm/replay.c"
	vm_payload "$OUT/$RELEASE"
	vm_disk
	# Use a copy: another run may need another disk, and remove this one.
	cp -al "$VM_DISK" "$TMP/vm-disk"
	VM_DISK=$TMP/vm-disk
	for fs; do
		powercut "$fs"
	done
	[[ $failed -eq 0 ]] || die "after the power cuts $failed of $all disks are wrong"
	phase_end "$all of $all"
}

main "$@"
