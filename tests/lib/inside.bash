# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A system of wgkmod's own, for the tests of what it finds of the running kernel: only there / is our root, and
# /sys, /proc/sys, modprobe and the kernel's answers are ours.  Load after helpers, modules, sweep/tools and
# install.

# A root that can be /. Its modprobe does what $ROOT/bin/modprobe says; the kernel was booted with what
# /fake/cmdline says, has the keys of /fake/keys and in each keyring those of /fake/ring-SERIAL.
inside_make() {
	local program lib programs=("$WGKMOD" /bin/sh)
	plain_only
	mapfile -t -O 2 programs < <(type -P env mkdir cat rm cp depmod)
	mkdir -p "$ROOT"/{proc,bin/real,dev,etc,tmp,sys/module,fake}
	echo 1 >"$ROOT/fake/one"
	cp -L "$(type -P modprobe)" "$ROOT/bin/real/"
	for program in "${programs[@]}"; do
		cp -L "$program" "$ROOT/bin/"
		ldd "$program" | grep -o '/[^ ]*' | sort -u | while read -r lib; do
			[[ -e $ROOT$lib ]] || install -D "$lib" "$ROOT$lib"
		done
	done
	cp "$TOOLS/preload" "$ROOT/bin/"
	cp -r "$PAYLOAD" "$ROOT/out"
	: >"$ROOT/dev/null"
	printf '6,1,1,-;an old word\n' >"$ROOT/dev/kmsg"
	modprobe_says 'cp -r /fake/* /sys/module/'
	fake_module wireguard "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko"
	fake_module udp_tunnel "$PAYLOAD/modules/kernel/net/ipv4/udp_tunnel.ko"
}

modprobe_says() { # COMMANDS
	# What it would load is asked of the real one.
	printf '#!/bin/sh\ncase $* in *--show-depends*) exec /bin/real/modprobe "$@" ;; esac\n%s\n' "$1" >"$ROOT/bin/modprobe"
	chmod +x "$ROOT/bin/modprobe"
}

# What /sys has of a module once modprobe has loaded it.
fake_module() { # NAME FILE
	mkdir -p "$ROOT/fake/$1/notes"
	echo live >"$ROOT/fake/$1/initstate"
	objcopy -O binary --only-section=.note.gnu.build-id --set-section-flags .note.gnu.build-id=alloc \
		"$2" "$ROOT/fake/$1/notes/.note.gnu.build-id"
}

# inside STATUS ARGUMENT...: run wgkmod there.  INSIDE_AS: another user's number.  NO_IPV6: IPv6 is off.
inside() {
	local map=(--map-root-user)
	[[ -z ${INSIDE_AS:-} ]] || map=()
	NO_IPV6=${NO_IPV6:-} INSIDE_AS=${INSIDE_AS:-} run_cmd "$1" unshare "${map[@]}" --mount sh -euc '
		mount --rbind /proc "$1/proc"
		for file in cmdline keys; do
			[ ! -e "$1/fake/$file" ] || mount --bind "$1/fake/$file" "$1/proc/$file"
		done
		[ -z "$NO_IPV6" ] || mount --bind "$1/fake/one" "$1/proc/sys/net/ipv6/conf/all/disable_ipv6"
		root=$1 release=$2
		shift 2
		exec chroot ${INSIDE_AS:+--userspec="$INSIDE_AS:$INSIDE_AS"} "$root" env -i PATH=/bin LD_PRELOAD=/bin/preload FAKE_RELEASE="$release" /bin/wgkmod "$@"' - "$ROOT" "$RELEASE" "${@:2}"
}
