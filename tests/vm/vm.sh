# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# vm.sh - run a target's own kernel and userland in QEMU, for the tests that need a running kernel.
# Sourced after scripts/lib.sh, read_target, make_tmp and phase_begin, never run.  Call in this order:
#
#   vm_disk                     make the target's root disk, or use the one in out/vm/
#   vm_payload DIR [NAME...]    pack the files for this run: the build's output, guest/, the bundle, signed
#                               with a key made for this run, the files NAME of TMP, and VM_EXTRA
#   vm_start TEST [OPTION...]   boot, and run guest/TEST.sh in the guest; OPTIONs go to QEMU
#   vm_wait                     wait for QEMU; set VM_VERDICT (pass or fail) and VM_WHY
#   vm_figure KEY               print the guest's value of KEY
#
# The guest has two serial ports.  The first is its console: it goes to the phase's log and is only shown.  The
# second is the channel: lines "KEY VALUE", the last of them the verdict with the nonce of this run.  A test
# passes only by that line.
#
# Environment:
#   VM_SHELL=1     start a shell on the console after the test, also after a failure; no time limit
#   VM_TIMEOUT=N   seconds that the guest may take (300)
#   VM_ACCEL=X     QEMU's accelerator (tcg,thread=multi; KVM is not needed)
#   VM_EXTRA=DIR   a directory to copy to the guest, as /run/vm/extra
#   VM_OPTIONS=X   more words for the kernel's command line
#   VM_KERNEL=FILE the kernel to boot (the target's own)

VM_SHELL=${VM_SHELL:-}
VM_TIMEOUT=${VM_TIMEOUT:-300}
VM_ACCEL=${VM_ACCEL:-tcg,thread=multi}
VM_EXTRA=${VM_EXTRA:-}
VM_OPTIONS=${VM_OPTIONS:-}
VM_KERNEL=${VM_KERNEL:-}
VM_HOME=$TOP/tests/vm

# vm_require: Exit if a program is missing.
vm_require() {
	local program missing=()
	for program in "qemu-system-$ARCH" mke2fs depmod modprobe cpio minisign timeout; do
		command -v "$program" >/dev/null || missing+=("$program")
	done
	[[ $EUID -eq 0 ]] || command -v fakeroot >/dev/null || missing+=(fakeroot)
	[[ ${#missing[@]} -eq 0 ]] || die "the VM test needs ${missing[*]}, which is not installed"
	[[ $VM_TIMEOUT =~ ^[1-9][0-9]*$ ]] || die "VM_TIMEOUT '$VM_TIMEOUT' is not a number of seconds"
}

# vm_disk_digest: Print the digest of all inputs of the root disk.
vm_disk_digest() {
	local i
	{
		printf '%s\n' "$RELEASE" "$HIDE"
		for i in "${!LOCK_SHA256[@]}"; do
			printf '%s %s\n' "${LOCK_STAGE[i]}" "${LOCK_SHA256[i]}"
		done
		declare -f family_root family_base family_unpack
		cat "$VM_HOME/disk.sh" "$VM_HOME/guest/initramfs.sh"
	} | sha256sum | cut -c 1-16
}

# vm_disk: Set VM_DISK to a directory with root.img, vmlinuz and initramfs; make them if they are missing.
vm_disk() {
	local digest new=$TMP/disk start as_root=() old
	read_lock "$TARGET" base vm
	require_complete_lock "$TARGET"
	[[ " ${LOCK_STAGE[*]} " == *' vm '* ]] ||
		die "the lock of '$TARGET' names no kernel image and userland for a VM"
	digest=$(vm_disk_digest)
	VM_DISK=$OUT/vm/$TARGET-$digest
	[[ ! -d $VM_DISK ]] || return 0

	start=$(now_ms)
	mkdir "$new" "$TMP/base" "$TMP/vm"
	run "$TOP/scripts/stage.sh" "$TARGET" base "$TMP/base" || die "the base packages cannot be staged"
	run "$TOP/scripts/stage.sh" "$TARGET" vm "$TMP/vm" || die "the VM's packages cannot be staged"
	[[ $EUID -eq 0 ]] || as_root=(fakeroot)
	LOG=$LOG run "${as_root[@]}" "$VM_HOME/disk.sh" "$TARGET" "$new" "$TMP/base" "$TMP/vm" ||
		die "the VM's root disk cannot be made"
	for old in "$OUT/vm/$TARGET"-*; do # another run that has it open can still read it
		[[ ! -d $old ]] || rm -rf "$old"
	done
	mv -T "$new" "$VM_DISK" || die "cannot create '$VM_DISK'"
	say vm "root disk with the stock kernel $RELEASE made, its WireGuard left out ($(seconds_since "$start"))"
}

# vm_sign FILE: Sign FILE with a new key; write its public key to TMP/run.pub.
vm_sign() {
	run minisign -G -f -W -p "$TMP/run.pub" -s "$TMP/run.key"
	run minisign -S -s "$TMP/run.key" -m "$1" -t 'made for one run of the VM'
}

# vm_payload DIR [NAME...]: Pack guest/, the build's output DIR, its bundle, the target's HIDE, VM_EXTRA and the
# files NAME of TMP into a tar.  The guest reads it from a disk of its own, without file system and mount.
vm_payload() {
	local out=$1 file
	shift
	for file in SHA256SUMS wgkmod modules; do
		[[ -e $out/$file ]] || die "there is no '$out/$file'; run: make artifacts TARGET=$TARGET"
	done
	run "$TOP/scripts/bundle.sh" "$TARGET"
	cp "$out/wireguard-$RELEASE.tar" "$TMP/bundle.tar"
	vm_sign "$TMP/bundle.tar"
	printf '%s\n' "$HIDE" >"$TMP/hide"
	mkdir "$TMP/extra"
	[[ -z $VM_EXTRA ]] || cp -r "$VM_EXTRA/." "$TMP/extra"
	tar --create --file="$TMP/payload.tar" --owner=0 --group=0 --numeric-owner --mode=u+rwX,go=rX \
		--exclude='wireguard-*.tar*' --transform='s,^\.,out,' --directory="$out" . \
		--directory="$VM_HOME" guest --directory="$TMP" hide bundle.tar bundle.tar.minisig run.pub extra "$@" ||
		die "cannot pack '$out' for the guest"
}

# vm_start TEST [OPTION...]: Start QEMU; set VM_PID, VM_NONCE, VM_CHANNEL and VM_START.
vm_start() {
	local test=$1 limit=$VM_TIMEOUT console qemu words
	shift
	console=(-chardev "file,id=console,append=on,path=${LOG//,/,,}")
	if [[ -n $VM_SHELL ]]; then
		limit=0
		console=(-chardev "stdio,id=console,signal=off,logappend=on,logfile=${LOG//,/,,}")
	fi
	VM_NONCE=$(od -An -N16 -tx8 /dev/urandom | tr -d ' ')
	VM_CHANNEL=$TMP/channel
	: >"$VM_CHANNEL"
	# no_timer_check: on a busy host the emulated timer is late, and a kernel would take it for a broken one.
	words="console=ttyS0 panic=-1 no_timer_check random.trust_cpu=on vm.nonce=$VM_NONCE vm.test=$test"
	words+=" vm.shell=$VM_SHELL $VM_OPTIONS"
	# shellcheck disable=SC2054 # the commas are QEMU's
	qemu=(
		"qemu-system-$ARCH" -nodefaults -no-user-config -no-reboot -display none -nic none
		-machine pc -accel "$VM_ACCEL" -cpu max -smp 2 -m 768
		-pidfile "$TMP/qemu.pid"
		"${console[@]}" -serial chardev:console
		-chardev "file,id=channel,path=${VM_CHANNEL//,/,,}" -serial chardev:channel
		-drive "if=none,id=root,format=raw,snapshot=on,file=${VM_DISK//,/,,}/root.img"
		-device virtio-blk-pci,drive=root,serial=root
		-drive "if=none,id=payload,format=raw,readonly=on,file=${TMP//,/,,}/payload.tar"
		-device virtio-blk-pci,drive=payload,serial=payload
		-kernel "${VM_KERNEL:-$VM_DISK/vmlinuz}" -initrd "$VM_DISK/initramfs"
		-append "$words"
		"$@"
	)
	printf '+ %s\n' "${qemu[*]@Q}" | logged
	trap vm_exit EXIT
	VM_START=$(now_ms)
	# timeout also ends a guest whose test was killed.  Without <&0, bash would take /dev/null as standard input.
	TMPDIR=$TMP timeout --foreground --kill-after=5 "$limit" "${qemu[@]}" <&0 2>>"$LOG" &
	VM_PID=$!
	[[ -z $V || -n $VM_SHELL ]] || tail -n +2 -f --pid="$VM_PID" "$LOG" >&2 &
}

# vm_exit: End a running QEMU, then do what on_exit of lib.sh does; for the EXIT trap.
vm_exit() {
	local status=$?
	set +e
	if [[ -n ${VM_PID:-} ]]; then
		kill -TERM "$VM_PID"
		wait "$VM_PID"
	fi
	(exit "$status") # on_exit reads the status
	on_exit
}

# vm_wait: Wait for QEMU; set VM_VERDICT to pass or fail, and VM_WHY to the reason of a failure.
# shellcheck disable=SC2034 # for those who source this file
vm_wait() {
	local status=0 why panic
	wait "$VM_PID" || status=$?
	VM_PID=
	VM_TOOK=$(($(now_ms) - VM_START))
	sed -i 's/\r//g' "$LOG"
	sed 's/^/channel: /' "$VM_CHANNEL" >>"$LOG"

	VM_VERDICT=fail
	why=$(vm_figure why)
	panic=$(grep -m 1 -o 'Kernel panic - .*' "$LOG" || [[ $? -eq 1 ]])
	if [[ -n $why ]]; then
		VM_WHY="the guest says: $why"
	elif [[ -n $panic ]]; then
		VM_WHY="the guest's kernel panicked: ${panic#Kernel panic - not syncing: }"
	elif [[ $status -ne 0 && -z $VM_SHELL ]] && ((VM_TOOK >= VM_TIMEOUT * 1000)); then
		VM_WHY="the guest did not end within $VM_TIMEOUT s"
	elif [[ $status -gt 128 ]]; then
		VM_WHY="QEMU was killed by signal $((status - 128)) while the test ran"
	elif [[ $status -ne 0 ]]; then
		VM_WHY="QEMU ended with status $status"
	elif ! tail -n 1 "$VM_CHANNEL" | grep -qxF "verdict $VM_NONCE pass"; then
		VM_WHY="the guest ended without a verdict"
	else
		VM_VERDICT=pass VM_WHY=
	fi
}

# vm_figure KEY: Print the guest's last value of KEY, if any.
vm_figure() {
	sed -n "s/^$1 //p" "$VM_CHANNEL" | tail -n 1
}
