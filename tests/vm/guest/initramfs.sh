#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
#
# /init of the VM's initramfs: load the modules that the root disk needs, unpack the payload to /run/vm, and
# start guest/init.sh.  If a command fails, init ends, the kernel panics, and QEMU ends without a verdict.

set -eu
export PATH=/bin
/bin/busybox --install -s /bin

# disk SERIAL: Print the device with this serial number.
disk() {
	for block in /sys/block/vd*; do
		if [ "$(cat "$block/serial")" = "$1" ]; then
			printf '/dev/%s\n' "${block##*/}"
			return
		fi
	done
	printf 'initramfs: there is no disk with the serial number %s\n' "$1" >&2
	return 1
}

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
	insmod "/modules/$module"
done </modules/order
root=$(disk root)
payload=$(disk payload)
mount -t ext4 -o noatime "$root" /root
mount -t tmpfs -o mode=755 run /root/run
mkdir /root/run/vm
tar -x -f "$payload" -C /root/run/vm
mount -o move /dev /root/dev
mount -o move /proc /root/proc
mount -o move /sys /root/sys
exec switch_root /root /bin/bash /run/vm/guest/init.sh
