# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Exit with 1 and name the devices if a network device other than loopback is up.  Runs inside a container.
# A device that is down is no network: some kernels put tunl0 or sit0 into every namespace.

up=
for device in /sys/class/net/*; do
	flags=$(cat "$device/flags")
	if [ "${device##*/}" != lo ] && [ $((flags & 1)) -ne 0 ]; then # IFF_UP, linux/if.h
		up="$up ${device##*/}"
	fi
done
if [ -n "$up" ]; then
	printf 'wgkmod: podman cannot switch off the network of a container here: the container has%s\n' "$up" >&2
	exit 1
fi
