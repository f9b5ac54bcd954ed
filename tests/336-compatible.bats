#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# Modules of another release that fit by each symbol version: install says so, and takes them only with
# --compatible.

load lib/helpers
load lib/modules
load lib/bundle
load sweep/tools
load lib/install

OTHER=5.10.0-31-amd64

# The bundle has modules for OTHER alone, whose versions are those of RELEASE.
setup() {
	local module
	host_make
	MODULES=$ROOT/lib/modules/$RELEASE BUNDLE=$BATS_TEST_TMPDIR/bundle.tar
	mkdir "$MODULES/build"
	cp "$BARE" "$MODULES/build/Module.symvers"
	for module in "${SET[@]}"; do
		modinfo_sed "$PAYLOAD/modules/kernel/$module.ko" "s/^vermagic=$RELEASE /vermagic=$OTHER /"
	done
	bundle_other
	before=$(tree_print "$ROOT")
}

bundle_other() {
	payload_sums "$PAYLOAD"
	rm -rf "$BATS_TEST_TMPDIR/tree"
	mkdir "$BATS_TEST_TMPDIR/tree"
	cp -r "$PAYLOAD" "$BATS_TEST_TMPDIR/tree/$OTHER"
	rm -r "$BATS_TEST_TMPDIR/tree/$OTHER/debug" "$BATS_TEST_TMPDIR/tree/$OTHER/explain.txt"
	payload_sums "$BATS_TEST_TMPDIR/tree/$OTHER"
	(cd "$BATS_TEST_TMPDIR/tree" && find . -type f -printf '%P\n' | LC_ALL=C sort |
		tar --format=ustar --owner=0 --group=0 --numeric-owner -T - -cf "$BUNDLE")
}

compatible() { # STATUS [OPTION...]
	run_cmd "$1" "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "${@:2}" "$BUNDLE"
}

@test "another release whose each version is equal: install says so, and takes nothing" {
	compatible 3
	assert_line "^wgkmod: cannot install '.*': it has no modules for $RELEASE, but for $OTHER$"
	assert_line "^wgkmod: the modules for $OTHER fit $RELEASE: [0-9]+ symbol versions equal, none different, and the" \
		"vermagic is equal but for the release$"
	assert_line '^wgkmod: --compatible takes them$'
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT")
}

@test "with --compatible they are installed; status and doctor show what they were built for; remove takes them out" {
	compatible 0 --compatible
	assert_line "^wgkmod: 12 modules for $RELEASE installed: "
	refute_line '^wgkmod: cannot'
	status_it 0
	assert_line "^  built for $OTHER: they fit by each symbol version$"
	status_it 0 --porcelain
	assert_line "^compatible"$'\t'"$RELEASE"$'\t'"$OTHER$"
	# the state records it: no module has to be there to say so
	grep -qx "built-for $OTHER" "$MODULES/.wgkmod/installed"
	run_cmd 0 "$WGKMOD" doctor --root "$ROOT" --kernel "$RELEASE" --porcelain
	assert_line "^note"$'\t'"compatible"$'\t'"install --compatible took the modules for $OTHER"$'\t'
	compatible 0 --compatible
	assert_line 'are installed already'
	cp -r "$MODULES/kernel" "$BATS_TEST_TMPDIR/kernel"
	find "$MODULES/kernel" -name 'wireguard.ko' -delete
	status_it 1
	assert_line "^  built for $OTHER: they fit by each symbol version$"
	rm -r "$MODULES/kernel"
	mv "$BATS_TEST_TMPDIR/kernel" "$MODULES/"
	remove_it 0
	assert_equal "$(tree_print "$MODULES/kernel")" \
		"$(cd "$BATS_TEST_TMPDIR" && root_make other >/dev/null && tree_print "other/lib/modules/$RELEASE/kernel")"
}

@test "one version differs: not offered, and refused with --compatible" {
	crc_change "$PAYLOAD/modules/kernel/drivers/net/wireguard/wireguard.ko" skb_push
	bundle_other
	for option in '' --compatible; do
		compatible 3 $option
		assert_line "it has no modules for $RELEASE, and those for other kernels do not fit it$"
		refute_line 'takes them'
	done
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT")
}

@test "without the kernel's symbol table, or with another vermagic behind the release: refused" {
	local module
	mv "$MODULES/build" "$BATS_TEST_TMPDIR/build"
	compatible 3 --compatible
	mv "$BATS_TEST_TMPDIR/build" "$MODULES/"
	for module in "${SET[@]}"; do
		modinfo_sed "$PAYLOAD/modules/kernel/$module.ko" 's/^\(vermagic=.*\) SMP /\1 SMP preempt_rt /'
	done
	bundle_other
	compatible 3 --compatible
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT")
}

@test "the kernel's own modules in their place: nothing records another kernel any more; a damaged record is refused" {
	compatible 0 --compatible
	sed -i 's,^built-for .*,built-for ../x,' "$MODULES/.wgkmod/installed"
	status_it 4
	assert_line "installed: line [0-9]+: '../x' is no release$"
	sed -i "s,^built-for .*,built-for $OTHER," "$MODULES/.wgkmod/installed"
	rm -r "$PAYLOAD"
	payload_make "$PAYLOAD"
	install_it 0
	status_it 0
	refute_line 'built for'
	run_cmd 1 grep built-for "$MODULES/.wgkmod/installed"
}

@test "a bundle that has the kernel itself is taken as always, --compatible or not" {
	rm -r "$PAYLOAD"
	payload_make "$PAYLOAD"
	bundle_make "$PAYLOAD" "$BUNDLE"
	compatible 0 --compatible
	status_it 0
	refute_line 'built for'
}
