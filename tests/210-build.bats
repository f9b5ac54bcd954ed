#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# make artifacts: its output, and its reaction to interruption, damage and a network that cannot be switched off.

load lib/helpers

KERNEL=5.10.0-32-amd64

artifacts() { run_cmd "$1" "$ROOT_DIR/scripts/artifacts.sh" "$TARGET_NAME"; }

setup_file() {
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="$TARGET_NAME"
}

# own_out: Use an OUT of the test's own, which the test may damage.
own_out() { export OUT=$BATS_TEST_TMPDIR/out; }

# own_copy: Use an OUT of the test's own that has what was built, and is up to date.
own_copy() {
	local built=$OUT
	own_out
	mkdir -p "$OUT/.made"
	cp -r "$built/$KERNEL" "$OUT/"
	cp "$built/.made/$TARGET_NAME" "$OUT/.made/"
}

# outputs: Print the files in the current directory without bundles, which make bundle puts there.
outputs() { find . -type f ! -name 'wireguard-*.tar*' -printf '%P\n' | sort; }

@test "the output is the modules in the kernel's layout, debug data, checksums, reasons, provenance, wgkmod" {
	cd "$OUT/$KERNEL"
	outputs >"$BATS_TEST_TMPDIR/is"
	{
		for module in arch/x86/crypto/{chacha,curve25519,poly1305}-x86_64 drivers/net/wireguard/wireguard \
			lib/crypto/{libchacha,libchacha20poly1305,libcurve25519-generic}; do
			printf 'modules/kernel/%s.ko\ndebug/kernel/%s.ko.debug\n' "$module" "$module"
		done
		printf '%s\n' SHA256SUMS explain.txt provenance.json sbom.spdx.json wgkmod
	} | sort >"$BATS_TEST_TMPDIR/should"
	diff "$BATS_TEST_TMPDIR/should" "$BATS_TEST_TMPDIR/is"
	assert_equal "$(stat -c %a modules/kernel/drivers/net/wireguard/wireguard.ko)" 644
	assert_equal "$(stat -c %a wgkmod)" 755
}

@test "SHA256SUMS lists every file except itself, sorted, with the right digests" {
	cd "$OUT/$KERNEL"
	run_cmd 0 sha256sum --check --strict --quiet SHA256SUMS
	diff <(sed 's/^[0-9a-f]*  //' SHA256SUMS) <(outputs | grep -vx SHA256SUMS)
}

@test "modules are stripped, their debug data has the same build-id, and no path of the build is in either" {
	local ko debug
	cd "$OUT/$KERNEL"
	while read -r ko; do
		debug=debug/${ko#modules/}.debug
		output=$(readelf --section-headers --wide "$ko")
		refute_line ' \.debug_'
		output=$(readelf --section-headers --wide "$debug")
		assert_line ' \.debug_info '
		assert_equal "$(readelf --notes "$ko" | grep 'Build ID')" "$(readelf --notes "$debug" | grep 'Build ID')"
		output=$(strings -a "$ko")
		refute_line '/build/|/usr/src/|wgkmod'
		output=$(strings -a "$debug" | grep -v '^/build/src/.*\.o$') # the assembler's own object files
		refute_line '/build/|wgkmod'
	done < <(find modules -name '*.ko')
}

@test "every module carries symbol versions, module_layout's among them" {
	local ko
	while read -r ko; do
		output=$(modprobe --dump-modversions "$ko")
		assert_line $'^0x[0-9a-f]{8}\tmodule_layout$'
	done < <(find "$OUT/$KERNEL/modules" -name '*.ko')
}

@test "the provenance is a SLSA statement: every output and every input by its digest, no time" {
	local file=$OUT/$KERNEL/provenance.json
	assert_equal "$(jq -r ._type "$file")" https://in-toto.io/Statement/v1
	assert_equal "$(jq -r .predicateType "$file")" https://slsa.dev/provenance/v1
	diff <(jq -r '.subject[] | "\(.digest.sha256)  \(.name)"' "$file" | sort) \
		<(grep -v ' provenance.json$' "$OUT/$KERNEL/SHA256SUMS" | sort)
	diff <(jq -r '.predicate.buildDefinition.resolvedDependencies[] | "\(.digest.sha256) \(.uri)"' "$file" |
		grep ' pool/' | sort) \
		<(awk '/^(base|toolchain|source) / { print $2, $3 }' "$ROOT_DIR/targets/$TARGET_NAME.lock" | sort)
	output=$(jq -r '.predicate.buildDefinition.resolvedDependencies[].uri' "$file")
	assert_line '^build.sh$'
	assert_line '^scripts/bundle.sh$'
	assert_line '^crypto/Kbuild.filter$'
	assert_line '^src/check.c$'
	output=$(jq -r '[paths | map(tostring) | join(".")] | .[]' "$file")
	refute_line '[Tt]ime|[Dd]ate|startedOn|finishedOn'
}

@test "make explain has a line for each symbol, with the kernel's value, the decision and the reason" {
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory explain TARGET="$TARGET_NAME"
	assert_line '^WIREGUARD +n +m +built: drivers/net/wireguard/wireguard.ko; asked for$'
	local unused='not delivered, as WireGuard uses no symbol of it'
	assert_line "^CRYPTO_LIB_CURVE25519 +n +m +$unused: lib/crypto/libcurve25519.ko; selected by WIREGUARD$"
	assert_line '^NET_UDP_TUNNEL +m +m +not built: the kernel has it \(net/ipv4/udp_tunnel.ko\).*; selected by WIREGUARD$'
	assert_line '^DST_CACHE +y +y +not built: the kernel has it; selected by WIREGUARD'
	output=$(grep -v '^#' "$OUT/$KERNEL/explain.txt" | grep -Ev '; (asked for|selected by .+|by its default)$') ||
		output=
	assert_equal "$output" ''
}

@test "a second run of artifacts does nothing, says that all is up to date, and keeps a bundle" {
	local before bundle=$OUT/$KERNEL/wireguard-$KERNEL.tar
	run_cmd 0 "$ROOT_DIR/scripts/bundle.sh" "$TARGET_NAME"
	before=$(stat -c %Y.%i "$OUT/$KERNEL")
	artifacts 0
	assert_line '^build +.* is up to date'
	assert_equal "$(wc -l <<<"$output")" 1
	assert_equal "$(stat -c %Y.%i "$OUT/$KERNEL")" "$before"
	assert -f "$bundle"
}

@test "a damaged output, with FULL=1 a missing one, is built again, bit for bit" {
	own_copy
	artifacts 0
	assert_line 'up to date'
	cp "$OUT/$KERNEL/SHA256SUMS" "$BATS_TEST_TMPDIR/sums"
	flip "$OUT/$KERNEL/modules/kernel/drivers/net/wireguard/wireguard.ko" 5000
	artifacts 0
	refute_line 'up to date'
	cmp "$OUT/$KERNEL/SHA256SUMS" "$BATS_TEST_TMPDIR/sums"
	(cd "$OUT/$KERNEL" && sha256sum --check --quiet SHA256SUMS)
	[[ -n ${FULL:-} ]] || return 0
	rm "$OUT/$KERNEL/modules/kernel/lib/crypto/libchacha.ko"
	artifacts 0
	refute_line 'up to date'
	(cd "$OUT/$KERNEL" && sha256sum --check --quiet SHA256SUMS)
}

@test "a build killed before any step of its publishing leaves no partial output, and the next run completes" {
	local n=7 step=12
	[[ -z ${FULL:-} ]] || n=1 step=1
	own_out
	for (( ; ; n += step)); do
		kill_at "$n" 'mv rm tar' "$ROOT_DIR/scripts/artifacts.sh" "$TARGET_NAME"
		[[ -n $KILLED ]] || break
		if [[ -d $OUT/$KERNEL ]]; then
			(cd "$OUT/$KERNEL" && sha256sum --check --quiet --strict SHA256SUMS && [[ -x wgkmod ]])
		fi
		rm -f "$OUT/.made/$TARGET_NAME" # so that the next run builds again
	done
	assert "$n" -gt 6
	(cd "$OUT/$KERNEL" && sha256sum --check --quiet --strict SHA256SUMS)
	assert_equal "$(find "$OUT" -maxdepth 1 -type d -name '.?*' ! -name .made)" ''
}

@test "a source that changes during the build stops it, and nothing is published" {
	own_out
	clone "$BATS_TEST_TMPDIR/clone"
	mkdir "$BATS_TEST_TMPDIR/bin"
	cat >"$BATS_TEST_TMPDIR/bin/tar" <<-EOF
		#!/bin/bash
		echo '# changed' >>"$BATS_TEST_TMPDIR/clone/build.sh"
		exec $(command -v tar) "\$@"
	EOF
	chmod +x "$BATS_TEST_TMPDIR/bin/tar"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run_cmd 1 "$BATS_TEST_TMPDIR/clone/scripts/artifacts.sh" "$TARGET_NAME"
	assert_line 'the sources of wgkmod or the target changed during the build; build again$'
	assert_absent "$OUT/$KERNEL"
}

@test "a directory named by TMP in the environment is not removed" {
	mkdir "$BATS_TEST_TMPDIR/victim"
	TMP=$BATS_TEST_TMPDIR/victim run_cmd 0 "$ROOT_DIR/scripts/image.sh" "$TARGET_NAME"
	assert -d "$BATS_TEST_TMPDIR/victim"
}

@test "two runs at once make the same output, once" {
	own_out
	"$ROOT_DIR/scripts/artifacts.sh" "$TARGET_NAME" >"$BATS_TEST_TMPDIR/other" 2>&1 3>&- 4>&- &
	artifacts 0
	wait $!
	cat "$BATS_TEST_TMPDIR/other" >>"$BATS_TEST_TMPDIR/both"
	printf '%s\n' "$output" >>"$BATS_TEST_TMPDIR/both"
	assert_equal "$(grep -c '^build .* modules in ' "$BATS_TEST_TMPDIR/both")" 1
	assert_equal "$(grep -c '^build .* is up to date' "$BATS_TEST_TMPDIR/both")" 1
	(cd "$OUT/$KERNEL" && sha256sum --check --quiet --strict SHA256SUMS)
}

@test "a full disk during a build is reported, and the old output stays" {
	needs_root 'to mount where podman can run too'
	own_copy
	run_cmd 1 unshare --mount bash -c '
		mkdir "$OUT/small"
		mount -t tmpfs -o size=3m,mode=755 none "$OUT/small"
		OUT=$OUT/small "$1" "$2"' full "$ROOT_DIR/scripts/artifacts.sh" "$TARGET_NAME"
	assert_line "the file system of '.*/small.*' is full"
	assert_line 'wgkmod: the log of the phase build is '
	(cd "$OUT/$KERNEL" && sha256sum --check --quiet SHA256SUMS)
}

@test "the build's container has no network, no capability, and a read-only root" {
	local image
	image=$("$ROOT_DIR/scripts/image.sh" "$TARGET_NAME" --name)
	run_cmd 0 env IMAGE="$image" TARGET="$TARGET_NAME" bash -c '
		. "$ROOT_DIR/scripts/lib.sh"; . "$ROOT_DIR/scripts/lib/podman.sh"; LOG=/dev/null
		podman_probe "$IMAGE"
		sealed "$IMAGE" bash -c "
			echo net: /sys/class/net/*
			grep -E ^Cap /proc/self/status
			touch /x 2>/dev/null || echo read-only
			touch /kernel/x 2>/dev/null || echo read-only"'
	assert_line '^net: /sys/class/net/lo$'
	assert_equal "$(grep -cE $'^Cap(Inh|Prm|Eff|Bnd|Amb):\t0000000000000000$' <<<"$output")" 5
	assert_equal "$(grep -c '^read-only$' <<<"$output")" 2
}

@test "a network that cannot be switched off stops the build" {
	own_out
	mkdir "$BATS_TEST_TMPDIR/bin"
	cat >"$BATS_TEST_TMPDIR/bin/podman" <<-EOF
		#!/bin/bash
		exec $(command -v podman) "\${@/--network=none/--network=host}"
	EOF
	chmod +x "$BATS_TEST_TMPDIR/bin/podman"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run_cmd 1 "$ROOT_DIR/scripts/artifacts.sh" "$TARGET_NAME"
	assert_line "podman cannot switch off the network of a container here: the container has [a-z].*"
	assert_absent "$OUT/$KERNEL"
	# Making an image fails too.  Another HIDE gives the image another name, so that it must be made.
	mkdir "$BATS_TEST_TMPDIR/targets"
	cp "$ROOT_DIR/targets/$TARGET_NAME.lock" "$BATS_TEST_TMPDIR/targets/"
	sed 's/ crypto_safexcel$/ crypto_other/' "$ROOT_DIR/targets/$TARGET_NAME" >"$BATS_TEST_TMPDIR/targets/$TARGET_NAME"
	TARGET_DIR=$BATS_TEST_TMPDIR/targets PATH=$BATS_TEST_TMPDIR/bin:$PATH \
		run_cmd 1 "$ROOT_DIR/scripts/image.sh" "$TARGET_NAME"
	assert_line 'podman cannot switch off the network of a container here: the container has [a-z].*'
}

@test "the builder holds no full kernel source" {
	local image
	image=$("$ROOT_DIR/scripts/image.sh" "$TARGET_NAME" --name)
	run_cmd 0 env IMAGE="$image" TARGET="$TARGET_NAME" bash -c '
		. "$ROOT_DIR/scripts/lib.sh"; . "$ROOT_DIR/scripts/lib/podman.sh"; LOG=/dev/null
		podman_probe "$IMAGE" >/dev/null
		sealed "$IMAGE" bash -c "find /kernel /usr/src /usr/lib /tmp -name \*.c; ls -d /kernel/slice/*/*"'
	assert_line '^/kernel/slice/drivers/net/wireguard/main.c$'
	assert_equal "$(grep '^/kernel/slice/[a-z]*/[a-z0-9]*$' <<<"$output" | paste -sd ' ')" \
		'/kernel/slice/arch/x86 /kernel/slice/drivers/net /kernel/slice/lib/crypto'
	output=$(grep '\.c$' <<<"$output" |
		grep -vE -e '^/kernel/slice/(arch/x86/crypto|drivers/net/wireguard|lib/crypto)/' \
			-e '^/usr/src/linux-headers-[^/]*/.*/scripts/[^/]*$') || [[ $? -eq 1 ]]
	assert_equal "$output" ''
}
