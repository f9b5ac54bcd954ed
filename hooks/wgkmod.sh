# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# For /etc/profile.d: say at login that the next boot ends the tunnel, as wgkmod-guard.service found.  Some shells read
# this for scp too, which is not interactive.
case $- in
*i*) if [ -r /run/wgkmod/guard ]; then head -n 1 /run/wgkmod/guard >&2; fi ;;
esac
