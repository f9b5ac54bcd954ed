#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# install --compatible in the VM, with two kernels of one ABI: Debian's, for which the bundle is, and the same kernel
# under the name of the next release, as an update of its package that changes no symbol version.

load lib/helpers
load lib/modules
load lib/bundle

OTHER=5.10.0-33-amd64

setup_file() {
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="$TARGET_NAME"
	run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME" base vm toolchain
}

# kernel_renamed FILE: The target's kernel under the name OTHER, unpacked: QEMU boots an ELF file by its PVH entry.
kernel_renamed() {
	local debs=$BATS_TEST_TMPDIR/debs packed=$BATS_TEST_TMPDIR/vmlinuz at
	mkdir "$debs"
	stage "$TARGET_NAME" vm "$debs"
	dpkg-deb --fsys-tarfile "$debs"/linux-image-*.deb | tar -x -O "./boot/vmlinuz-$RELEASE" >"$packed"
	at=$(LC_ALL=C grep -obUaP '\xfd7zXZ\x00' "$packed" | head -n 1 | cut -d : -f 1)
	tail -c "+$((at + 1))" "$packed" | xz --decompress --stdout --single-stream --quiet |
		LC_ALL=C sed "s/${RELEASE//./\\.}/$OTHER/g" >"$1"
}

@test "a kernel of the same ABI loads what --compatible took; one other symbol version: wgkmod and kernel refuse" {
	local extra=$BATS_TEST_TMPDIR/extra own bad=$BATS_TEST_TMPDIR/bad ko=modules/kernel/drivers/net/wireguard/wireguard.ko
	mkdir "$extra"
	kernel_renamed "$BATS_TEST_TMPDIR/vmlinux"
	stage "$TARGET_NAME" toolchain "$BATS_TEST_TMPDIR/debs"
	dpkg-deb --fsys-tarfile "$BATS_TEST_TMPDIR"/debs/linux-headers-"$RELEASE"_*.deb |
		tar -x -O "./usr/src/linux-headers-$RELEASE/Module.symvers" >"$BATS_TEST_TMPDIR/Module.symvers"
	# a kernel without WireGuard has no versions of what ours are
	mapfile -t own < <(cd "$OUT/$RELEASE/modules/kernel" && find . -name '*.ko' -printf '%P\n' | sed 's/\.ko$//')
	symvers_without "$BATS_TEST_TMPDIR/Module.symvers" "${own[@]}" >"$extra/Module.symvers"
	cp -r "$OUT/$RELEASE" "$bad"
	crc_change "$bad/$ko" skb_push
	payload_sums "$bad"
	bundle_make "$bad" "$extra/bad.tar"
	cp "$bad/$ko" "$extra/bad.ko"
	VM_EXTRA=$extra VM_KERNEL=$BATS_TEST_TMPDIR/vmlinux TIMEOUT=600 \
		run_cmd 0 "$ROOT_DIR/tests/vm/test.sh" "$TARGET_NAME" compatible
	assert_line "^kernel $OTHER$"
	assert_line "^built_for $RELEASE$"
	assert_line '^symbol_versions_equal [1-9][0-9]+$'
	assert_line '^ping4_ms '
	assert_line '^refused wgkmod kernel$'
}
