#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Process 1 of the guest: run the test that the kernel's command line names, write the verdict to the channel
# (the second serial port), and power off.

# shellcheck source=tests/vm/guest/lib.sh
. /run/vm/guest/lib.sh

ln -s /proc/self/fd /dev/fd
stty -F /dev/ttyS1 raw -echo
exec 5>/dev/ttyS1
trap_errors
test=$(kernel_option vm.test)
read -r uptime _ </proc/uptime
busybox mount -t tmpfs tmp /tmp
ip link set lo up
report boot_s "$uptime"

verdict=pass
bash "/run/vm/guest/$test.sh" || verdict=fail

if [[ -n $(kernel_option vm.shell) ]]; then
	printf '\nThe test ended: %s.  Its scripts and the build are in /run/vm; exit ends the guest.\n' "$verdict"
	HOME=/root setsid --ctty --wait bash -i </dev/ttyS0 >/dev/ttyS0 2>&1 || printf 'status %s\n' $?
fi

busybox mount -o remount,ro /
report verdict "$(kernel_option vm.nonce)" "$verdict"
exec 5>&-
busybox poweroff -f
sleep 60
