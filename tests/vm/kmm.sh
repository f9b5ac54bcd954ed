#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: kmm.sh TARGET [without-kernel]
#
# Make the target's image for Kernel Module Management (delivery/oci.sh), boot the target's own kernel without its
# WireGuard, and run there what KMM runs: the two shell lines of its init container in the image, and the modprobe
# lines of its worker.  Then two peers use the tunnel.  wgkmod installs nothing.
#
# With "without-kernel", run depmod again without the kernel's own modules, as a careless image does: modules.dep then
# lacks those, modprobe on a fresh boot cannot load wireguard, and this test must fail.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

# unpack_image LAYOUT DIR: Unpack the layers of the layout's image over each other.
unpack_image() {
	local manifest blob
	manifest=$(jq --raw-output '.manifests[0].digest | ltrimstr("sha256:")' "$1/index.json")
	mkdir "$2"
	for blob in $(image_blobs "$1/blobs/sha256/$manifest" | tail -n +2); do
		tar --extract --directory="$2" --file="$1/blobs/sha256/$blob"
	done
}

main() {
	local tree
	[[ $# -eq 1 || ($# -eq 2 && $2 == without-kernel) ]] || die "usage: kmm.sh TARGET [without-kernel]"
	read_target "$1"
	# shellcheck source=tests/vm/vm.sh
	. "$TOP/tests/vm/vm.sh"
	vm_require
	make_tmp "$OUT/vm"
	phase_begin kmm
	require_output
	run "$TOP/scripts/bundle.sh" "$TARGET"
	run "$TOP/delivery/oci.sh" kmm "$OUT/$RELEASE" "$TMP/layout"
	unpack_image "$TMP/layout" "$TMP/image"
	tree=$TMP/image/opt/lib/modules/$RELEASE
	if [[ ${2:-} == without-kernel ]]; then
		rm "$tree/host"
		run depmod --basedir "$TMP/image/opt" "$RELEASE"
		ln -s "/lib/modules/$RELEASE" "$tree/host"
	fi
	vm_payload "$OUT/$RELEASE" image
	vm_disk
	vm_start kmm
	vm_wait
	[[ $VM_VERDICT == pass ]] || die "the image for KMM does not work: $VM_WHY"
	say kmm "$RELEASE: modprobe -vd /tmp/opt loaded $(vm_figure insmods) modules," \
		"$(vm_figure in_tree) of them the kernel's own: $(vm_figure in_tree_names)"
	say kmm "8 MiB over TCP in $(vm_figure tcp_s) s, sha256 equal; modprobe -rvd unloaded wireguard"
	phase_end "passed"
}

main "$@"
