#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: tunnel.sh TARGET
#
# Boot the target's own stock kernel in QEMU, without its own WireGuard and the modules that the target hides.
# wgkmod installs the build there, and two peers in two network namespaces shake hands, ping each other and send
# 8 MiB over TCP through the tunnel.  Exit with 0 only if the guest reports success on its channel.  Needs no
# root, no KVM and no network.
#
# Reads out/RELEASE/ (make artifacts) and the cache.  The disk stays in out/vm/, the console's log in out/log/.
#
#   VM_SHELL=1     start a shell on the guest's console after the test, also after a failure; exit ends
#                  the guest
#   VM_TIMEOUT=N   seconds that the guest may take (300)
#   VM_ACCEL=X     QEMU's accelerator (tcg,thread=multi)
#   V=1            show the commands and the console

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

# tell NAME TEXT...: Print a line of the result, and keep it as a figure of the documents.
tell() {
	say tunnel "${*:2}"
	"$TOP/tests/run/figures.sh" "tunnel $1 $TARGET" "${*:2}"
}

# figures: Print the guest's figures.
figures() {
	local versions
	versions="$(vm_figure symbol_versions) symbol versions checked"
	[[ $versions != '0 '* ]] || versions+=' (this kernel has none)'
	say tunnel "$RELEASE booted in $(vm_figure boot_s) s, tainted before: $(vm_figure taint_before)"
	tell install "wgkmod install in $(vm_figure install_s) s, modprobe in $(vm_figure modprobe_s) s"
	say tunnel "$(vm_figure loaded) of $(vm_figure built) built modules loaded, as modules.dep says:" \
		"$(vm_figure modules)"
	tell proof "all of them ours, $versions, taint $(vm_figure taint)"
	say tunnel "handshake and first reply in $(vm_figure handshake_ms) ms;" \
		"ping $(vm_figure ping4_ms) ms, IPv6 $(vm_figure ping6_ms) ms"
	tell speed "8 MiB over TCP in $(vm_figure tcp_s) s ($(vm_figure tcp_mib_s) MiB/s), sha256 equal"
	say tunnel "interfaces deleted, $(vm_figure unloaded) modules unloaded;" \
		"permanent in this kernel: $(vm_figure permanent)"
}

# keep_figures: Write the guest's figures to out/proofs/boot-TARGET, for the table of all targets.
keep_figures() {
	mkdir -p "$OUT/proofs"
	sed -n 's/^\([a-z0-9_]*\) \(.*\)$/\1=\2/p' "$VM_CHANNEL" | grep -v '^verdict=' >"$OUT/proofs/boot-$TARGET"
}

main() {
	[[ $# -eq 1 && $1 != -* ]] || die "usage: tunnel.sh TARGET"
	read_target "$1"
	# shellcheck source=tests/vm/vm.sh
	. "$TOP/tests/vm/vm.sh"
	vm_require
	make_tmp "$OUT/vm"
	phase_begin tunnel
	vm_payload "$OUT/$RELEASE"
	vm_disk
	vm_start tunnel
	vm_wait
	[[ $VM_VERDICT == pass ]] || die "the tunnel test failed: $VM_WHY"
	figures
	keep_figures
	phase_end "passed"
}

main "$@"
