# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Inside a container: prints each network device that is up, but for loopback; 1 if there is one.
# (A device that is down is not a network: some kernels put tunl0 or sit0 into every namespace.)

up=
for device in /sys/class/net/*; do
	flags=$(cat "$device/flags")
	if [ "${device##*/}" != lo ] && [ $((flags & 1)) -ne 0 ]; then # IFF_UP, linux/if.h
		up="$up ${device##*/}"
	fi
done
if [ -n "$up" ]; then
	printf 'wgkmod: the network of a container cannot be switched off here: it sees%s\n' "$up" >&2
	exit 1
fi
