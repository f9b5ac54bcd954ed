# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Helpers for tests that run a part of the build inside the real builder image, on a changed kernel-devel or
# source.  Load after helpers.

# builder_setup: Make the image if it is missing.  Write three tar files to BATS_FILE_TMPDIR/fixtures: the part of
# the kernel source that the closure and the build read, what kernel-source.sh makes of it, and the packaged version
# of each file of kernel-devel that making the image changed.
# shellcheck disable=SC2154 # run_cmd sets output
builder_setup() {
	local fixtures=$BATS_FILE_TMPDIR/fixtures devel=$BATS_FILE_TMPDIR/devel changed
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory image TARGET="$TARGET_NAME"
	BUILDER=$("$ROOT_DIR/scripts/image.sh" "$TARGET_NAME" --name)
	export BUILDER
	mkdir -p "$fixtures"
	stage "$TARGET_NAME" source "$BATS_FILE_TMPDIR/source"
	stage "$TARGET_NAME" toolchain "$BATS_FILE_TMPDIR/toolchain"
	cp "$BATS_FILE_TMPDIR"/toolchain/linux-headers-5.10.0-32-amd64_*.deb "$fixtures/kernel-devel.deb"
	mkdir "$BATS_FILE_TMPDIR/tree"
	(
		# shellcheck source=builder/families/deb.sh
		. "$ROOT_DIR/builder/families/deb.sh"
		family_source "$BATS_FILE_TMPDIR"/source/*
	) | tar -x -C "$BATS_FILE_TMPDIR/tree" --wildcards '*/Kconfig*' '*/Makefile*' '*/Kbuild*' \
		'linux-source-*/scripts' '*/drivers/net/wireguard' '*/lib/crypto' '*/arch/x86/crypto'
	tar -C "$BATS_FILE_TMPDIR/tree" -cf "$fixtures/source.tar" linux-source-5.10
	run_cmd 0 bash -c 'in_builder_run "$1"' changed 'dpkg-deb --fsys-tarfile /fixtures/kernel-devel.deb |
		tar --compare -C / 2>&1 | sed -n "s,^\./\(usr/src/.*\): \(Contents\|Size\) differs*\$,./\1,p
			/\/include\/config\//! s,^tar: \./\(usr/src/.*\): Warning: Cannot stat.*,./\1,p" | sort -u'
	mapfile -t changed < <(grep '^\./' <<<"$output")
	[[ ${#changed[@]} -ge 3 ]]
	mkdir "$devel"
	dpkg-deb --fsys-tarfile "$fixtures/kernel-devel.deb" | tar -x -C "$devel" "${changed[@]}"
	tar -C "$devel" -cf "$fixtures/devel.tar" "${changed[@]}"
	in_builder_run "$builder_prelude"'
		bash /wgkmod/kernel-source.sh /fixtures /build/kernel-source >&2
		tar -C /build -c kernel-source' >"$fixtures/kernel-source.tar"
	rm -rf "$BATS_FILE_TMPDIR/tree" "$BATS_FILE_TMPDIR/toolchain" "$BATS_FILE_TMPDIR/source" "$devel"
}

# What in_builder runs before its script.
builder_prelude='
	set -euo pipefail
	rm -rf /kernel
	tar -x -f /fixtures/devel.tar -C /
	devel=/usr/src/linux-headers-5.10.0-32-amd64 release=5.10.0-32-amd64 source=/fixtures
	cp /repo/build.sh /repo/builder/*.{awk,c,sh} /wgkmod/
	cp -r /repo/crypto /wgkmod/
	cp /repo/builder/families/deb.sh /wgkmod/family.sh
	echo "family_source() { cat \"\${1%/*}\"/source.tar; }" >>/wgkmod/family.sh
	edit_source() {
		if [[ $source == /fixtures ]]; then
			source=/build/source
			mkdir -p /build/tree $source
			tar -xf /fixtures/source.tar -C /build/tree
		fi
		sed -i "$1" /build/tree/linux-source-5.10/"$2"
	}
	closure() {
		if [[ $source == /fixtures ]]; then
			tar -xf /fixtures/kernel-source.tar -C /build
		else
			tar -C /build/tree -cf $source/source.tar linux-source-5.10
			bash /wgkmod/kernel-source.sh $source /build/kernel-source
		fi
		bash /wgkmod/closure.sh $release /build/kernel-source "$@"
	}
	build() {
		bash /wgkmod/build.sh >/build/made.tar
		tar -tf /build/made.tar | sed -n "s,^./modules/kernel/\(.*\).ko\$,\1,p" | sort
	}
'

# in_builder STATUS SCRIPT: Run the bash script in a container of the builder image, with the packaged
# kernel-devel, the repository in /repo and the fixtures in /fixtures.  The script may use:
#
#	$devel                the kernel's build tree
#	closure HIDE...       run kernel-source.sh on the changed source, if edit_source made one, and closure.sh
#	build                 run build.sh, after closure; list the modules delivered
#	edit_source SED FILE  change a file of the source
in_builder() {
	# one stream: podman copies two beside each other, and may mix their lines
	script="exec 2>&1;$builder_prelude$2" run_cmd "$1" bash -c 'in_builder_run "$script"'
}

in_builder_run() {
	(
		# shellcheck source=scripts/lib.sh
		. "$ROOT_DIR/scripts/lib.sh"
		# shellcheck source=scripts/lib/podman.sh
		. "$ROOT_DIR/scripts/lib/podman.sh"
		LOG=/dev/null
		podman_probe "$BUILDER" >&2
		"${PODMAN[@]}" run --rm --network=none --pull=never "${PODMAN_LIMITS[@]}" \
			--security-opt=label=disable --volume "$ROOT_DIR:/repo:ro" \
			--volume "$BATS_FILE_TMPDIR/fixtures:/fixtures:ro" --tmpfs /build:rw,exec,size=2g \
			--tmpfs /tmp:rw,exec \
			"$BUILDER" bash -c "$1"
	)
}
export -f in_builder_run
