#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The provenance names every input of a build, and a bundle can be made again from it; the bill of materials.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/opened

KERNEL=5.10.0-32-amd64
DEVEL=/usr/src/linux-headers-$KERNEL

setup_file() {
	TIMEOUT=1500 run_cmd 0 make -C "$ROOT_DIR" --no-print-directory bundle TARGET="$TARGET_NAME"
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory image TARGET="$TARGET_NAME"
	run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME" base toolchain source
	"$ROOT_DIR/scripts/install-deps.sh" strace git diffoscope
}

setup() { PROVENANCE=$OUT/$KERNEL/provenance.json; }

@test "every file that the build opens has a digest in the provenance" {
	local builder
	builder=$("$ROOT_DIR/scripts/image.sh" "$TARGET_NAME" --name)
	contents "$BATS_TEST_TMPDIR"
	TIMEOUT=900 opened "$builder" 'exec bash /wgkmod/build.sh >/build/made.tar' "$BATS_TEST_TMPDIR"
	[[ $(wc -l <"$BATS_TEST_TMPDIR/opened") -gt 500 ]] ||
		fail "only $(wc -l <"$BATS_TEST_TMPDIR/opened") files were seen"
	grep -q "^$DEVEL/include/generated/autoconf.h " "$BATS_TEST_TMPDIR/opened"
	grep -q '^/wgkmod/build.sh ' "$BATS_TEST_TMPDIR/opened"
	output=$(unexplained "$BATS_TEST_TMPDIR" "$PROVENANCE" "$DEVEL")
	cat "$BATS_TEST_TMPDIR/count"
	assert_equal "$output" ''
	figure opened "$(wc -l <"$BATS_TEST_TMPDIR/opened") files opened:" \
		"$(awk '{ printf "%s%s %d", sep, $1, $2; sep = ", " }' "$BATS_TEST_TMPDIR/count"), unexplained 0"
}

@test "every file that the closure and the compile of wgkmod open has a digest in the provenance" {
	full_only
	local dir=$BATS_TEST_TMPDIR builder hide
	hide=$(bash -c '. "$0/scripts/lib.sh"; read_target "$1"; echo "$HIDE"' "$ROOT_DIR" "$TARGET_NAME")
	builder=$("$ROOT_DIR/scripts/image.sh" "$TARGET_NAME" --name)
	stage "$TARGET_NAME" source "$dir/fixtures"
	stage "$TARGET_NAME" toolchain "$dir/toolchain"
	mkdir "$dir/devel"
	mv "$dir/toolchain/linux-headers-$KERNEL"_*.deb "$dir/devel/kernel-devel.deb"
	rm -r "$dir/toolchain"
	contents "$dir"
	# Run the commands of the Containerfile, on a kernel-devel without their changes.
	TIMEOUT=1500 opened "$builder" "
		rm -rf /kernel
		dpkg-deb --extract /traced/devel/kernel-devel.deb /
		cp -r '/host$ROOT_DIR/src' '/host$ROOT_DIR/VERSION' /wgkmod/
		cp -r /traced/fixtures /build/source
		bash /wgkmod/kernel-source.sh /build/source /build/kernel-source
		bash /wgkmod/closure.sh $KERNEL /build/kernel-source $hide
		. /wgkmod/family.sh
		make -C /wgkmod/src O=/tmp/o CC=\"\$(family_compiler)\" PKG_CONFIG=true libs='-lkmod -lcrypto -lz -llzma'
		strip -o /tmp/o/stripped /tmp/o/wgkmod; cmp /tmp/o/stripped /wgkmod/wgkmod" "$dir"
	grep -q '^/wgkmod/closure.sh ' "$dir/opened"
	grep -q '^/wgkmod/src/main.c ' "$dir/opened"
	grep -q '^/usr/include/lzma.h ' "$dir/opened"
	output=$(unexplained "$dir" "$OUT/$KERNEL/provenance.json" "$DEVEL")
	cat "$dir/count"
	assert_equal "$output" ''
}

@test "a file that is neither a package's nor the project's is reported" {
	local builder
	builder=$("$ROOT_DIR/scripts/image.sh" "$TARGET_NAME" --name)
	mkdir "$BATS_TEST_TMPDIR/packages" "$BATS_TEST_TMPDIR/source"
	opened "$builder" 'echo x >/usr/lib/extra
		cat /usr/lib/extra /wgkmod/build.sh /kernel/cc >/dev/null' "$BATS_TEST_TMPDIR"
	output=$(unexplained "$BATS_TEST_TMPDIR" "$PROVENANCE" "$DEVEL")
	assert_line '^/usr/lib/extra$'
	assert_line '^/usr/bin/cat$|^/bin/cat$' # no packages are unpacked here
	refute_line '^/wgkmod/build.sh$|^/kernel/cc$'
	sed -i 's,^\(/wgkmod/build.sh\) .*,\1 0000,' "$BATS_TEST_TMPDIR/opened"
	output=$(unexplained "$BATS_TEST_TMPDIR" "$PROVENANCE" "$DEVEL")
	assert_line '^/wgkmod/build.sh$'
}

@test "the provenance names every file of the project that a build reads on the host" {
	full_only
	local dir=$BATS_TEST_TMPDIR/clone
	clone "$dir"
	OUT=$dir/out TIMEOUT=600 run_cmd 0 strace -f -z -qq --seccomp-bpf -e trace=open,openat,openat2,execve \
		-o "$BATS_TEST_TMPDIR/trace" \
		bash -c '"$1/scripts/artifacts.sh" "$2" && "$1/scripts/bundle.sh" "$2"' host "$dir" "$TARGET_NAME"
	grep -o '"[^"]*"' "$BATS_TEST_TMPDIR/trace" | tr -d '"' | sort -u | while read -r file; do
		[[ $file == /* && -f $file ]] || continue
		file=$(realpath "$file")
		[[ $file != "$dir"/* || $file == "$dir"/out/* ]] || printf '%s\n' "${file#"$dir"/}"
	done | sort -u >"$BATS_TEST_TMPDIR/read"
	grep -qx 'scripts/artifacts.sh' "$BATS_TEST_TMPDIR/read"
	grep -qx 'scripts/sbom.jq' "$BATS_TEST_TMPDIR/read"
	# The provenance has the target's keys and lock themselves, and a refused kernel has no build.
	output=$(jq -r '.predicate.buildDefinition.resolvedDependencies[] | select(.annotations.stage == null) | .uri' \
		"$dir/out/$KERNEL/provenance.json" | sort | comm -13 - "$BATS_TEST_TMPDIR/read" |
		grep -vxF -e "targets/$TARGET_NAME" -e "targets/$TARGET_NAME.lock" -e targets/ships-wireguard) || [[ $? -eq 1 ]]
	assert_equal "$output" ''
	cmp "$dir/out/$KERNEL/provenance.json" "$PROVENANCE"
}

@test "compare.sh names each difference between directories and between bundles" {
	local dir=$BATS_TEST_TMPDIR
	mkdir -p "$dir/a/x" "$dir/out"
	printf 'one\n' >"$dir/a/x/file"
	printf 'two\n' >"$dir/a/program"
	cp -r "$dir/a" "$dir/b"
	export OUT=$dir/out
	run_cmd 0 "$ROOT_DIR/scripts/compare.sh" "$dir/a" "$dir/b"
	chmod +x "$dir/b/program"
	printf 'three\n' >"$dir/b/x/file"
	printf 'new\n' >"$dir/b/new"
	run_cmd 3 "$ROOT_DIR/scripts/compare.sh" "$dir/a" "$dir/b" "$dir/report"
	assert_equal "$output" $'only in the second: new\nmode differs: program\ndiffers: x/file'
	grep -qxF -- '-one' "$dir/report"
	grep -qxF -- '+three' "$dir/report"
	tar -c -C "$dir/a" -f "$dir/a.tar" x program
	tar -c -C "$dir/a" -f "$dir/b.tar" program x
	run_cmd 3 "$ROOT_DIR/scripts/compare.sh" "$dir/a.tar" "$dir/b.tar"
	assert_equal "$output" 'differs: the archive itself, all files in it are equal'
	run_cmd 1 "$ROOT_DIR/scripts/compare.sh" "$dir/a.tar" "$dir/nothing"
}

@test "a bundle that cannot be made again is refused, and nothing is built" {
	local dir=$BATS_TEST_TMPDIR bundle=$BATS_TEST_TMPDIR/bundle.tar
	export OUT=$dir/out
	mkdir -p "$dir/$KERNEL" "$dir/out"
	run_cmd 1 "$ROOT_DIR/scripts/rebuild.sh" "$dir/nothing"
	assert_line "^wgkmod: there is no bundle '$dir/nothing'$"
	printf 'no tar' >"$bundle"
	run_cmd 1 "$ROOT_DIR/scripts/rebuild.sh" "$bundle"
	assert_line "^wgkmod: '$bundle' is no bundle"
	changed() { # JQ-FILTER REGEX
		jq "$1" "$PROVENANCE" >"$dir/$KERNEL/provenance.json"
		tar -c -C "$dir" -f "$bundle" "$KERNEL/provenance.json"
		run_cmd 1 "$ROOT_DIR/scripts/rebuild.sh" "$bundle"
		assert_line "$2"
		refute_line '^(image|build) '
	}
	changed '.predicate.buildDefinition.buildType = "urn:other"' 'does not say how it was made in a way known here$'
	changed 'del(.predicate.buildDefinition.internalParameters.target)' 'does not say how it was made in a way known here$'
	changed '.predicate.buildDefinition.internalParameters.target.HIDE = "a\nSOURCE = b"' 'does not say how it was made'
	changed '(.predicate.buildDefinition.resolvedDependencies[] | select(.uri == "build.sh")).digest.sha256 = ("0" * 64)' \
		'made by a version of wgkmod that this clone does not have: .* other than named: build\.sh\)$'
	changed '(.predicate.buildDefinition.resolvedDependencies[] | select(.uri == "build.sh")).uri = "../build.sh"' \
		'does not say how it was made in a way known here$'
	changed '.predicate.buildDefinition.externalParameters.target = "../x"' "names no target, but '../x'$"
}

# spdx_validate FILE: Run the SPDX project's own validator, which prints errors and returns 1, or prints nothing.
spdx_validate() {
	PYTHONPATH=$BATS_FILE_TMPDIR/spdx/usr/lib/python3/dist-packages \
		/usr/bin/python3 -m spdx_tools.spdx.clitools.pyspdxtools --infile "$1" --version SPDX-2.3
}

# spdx_tools: Fetch the validator by digest; its libraries are Debian's packages.
spdx_tools() {
	local dir=$BATS_FILE_TMPDIR file
	[[ ! -d $dir/spdx ]] || return 0
	"$ROOT_DIR/scripts/install-deps.sh" /usr/lib/python3/dist-packages/rdflib
	mkdir "$dir/targets"
	sed 's/^RELEASE .*/RELEASE = spdx-tools/' "$ROOT_DIR/targets/$TARGET_NAME" >"$dir/targets/spdx-tools"
	cp "$ROOT_DIR/tests/lib/spdx-tools.lock" "$dir/targets/"
	TARGET_DIR=$dir/targets run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" spdx-tools
	TARGET_DIR=$dir/targets run_cmd 0 "$ROOT_DIR/scripts/stage.sh" spdx-tools vm "$dir/packages"
	for file in "$dir"/packages/*.deb; do dpkg-deb --extract "$file" "$dir/spdx"; done
}

@test "the bill of materials is valid SPDX 2.3, says the SPDX project's own validator" {
	local sbom=$OUT/$KERNEL/sbom.spdx.json broken=$BATS_TEST_TMPDIR/broken.spdx.json
	spdx_tools
	export -f spdx_validate
	run_cmd 0 bash -c 'spdx_validate "$1"' validate "$sbom"
	assert_equal "$output" ''
	for change in 'del(.creationInfo.created)' '.files[0].licenseConcluded = "GPL-9000"' \
		'.relationships[3].relatedSpdxElement = "SPDXRef-nothing"' 'del(.files[1].checksums)' \
		'.packages[0].downloadLocation = "nowhere"' '.files[2].SPDXID = .files[3].SPDXID'; do
		jq "$change" "$sbom" >"$broken"
		run_cmd 1 bash -c 'spdx_validate "$1"' validate "$broken"
	done
}

@test "the bill of materials has every file made, every source by its digest, every package of the lock" {
	local sbom=$OUT/$KERNEL/sbom.spdx.json dir=$BATS_TEST_TMPDIR sha256 wireguard=drivers-47-net-47-wireguard-47
	local crypto=arch-47-x86-47-crypto-47
	sha256='.checksums[] | select(.algorithm == "SHA256").checksumValue'
	diff <(jq -r '.relationships[] | select(.relationshipType == "CONTAINS") | .relatedSpdxElement' "$sbom" | sort) \
		<(jq -r '.files[] | select(.SPDXID | startswith("SPDXRef-file-")) | .SPDXID' "$sbom" | sort)
	diff <(jq -r '.files[] | select(.SPDXID | startswith("SPDXRef-file-")) |
		"\('"$sha256"')  \(.fileName[2:])"' "$sbom" | sort) \
		<(grep -v -e ' provenance.json$' -e ' sbom.spdx.json$' "$OUT/$KERNEL/SHA256SUMS" | sort)
	diff <(jq -r '.packages[1:][] | "\(.checksums[0].checksumValue) \(.packageFileName)"' "$sbom" | sort) \
		<(awk '/^(base|toolchain|source) / { print $2, $3 }' "$ROOT_DIR/targets/$TARGET_NAME.lock" | sort)
	contents "$dir"
	jq -r '.files[] | select(.SPDXID | startswith("SPDXRef-source-")) |
		"\('"$sha256"')  \(.fileName)"' "$sbom" >"$dir/sums"
	assert "$(wc -l <"$dir/sums")" -ge 40
	(cd "$dir/source" && sha256sum --check --quiet --strict "$dir/sums")
	output=$(jq -r '.relationships[] | select(.relationshipType == "GENERATED_FROM") |
		"\(.spdxElementId) \(.relatedSpdxElement)"' "$sbom")
	assert_line "^SPDXRef-file-modules-47-kernel-47-$wireguard-wireguard.ko SPDXRef-source-$wireguard-noise.c$"
	assert_line "^SPDXRef-file-modules-47-.*poly1305-x86-95-64.ko SPDXRef-source-$crypto-poly1305-x86-95-64-cryptogams.pl$"
	assert_line '^SPDXRef-file-wgkmod SPDXRef-project-src-47-main.c$'
	assert_equal "$(jq -r .creationInfo.created "$sbom")" 1970-01-01T00:00:00Z
}

@test "the bill of materials is in the bundle, and wgkmod accepts it" {
	local bundle=$OUT/$KERNEL/wireguard-$KERNEL.tar
	tar --extract --to-stdout -f "$bundle" "$KERNEL/sbom.spdx.json" | cmp - "$OUT/$KERNEL/sbom.spdx.json"
	run_cmd 3 "$WGKMOD" verify --allow-unsigned --kernel 0.0.0 --root "$BATS_TEST_TMPDIR" "$bundle"
	assert_line "it has no modules for 0.0.0, but for $KERNEL$"
}
