#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031 # each test is a subshell
#
# The registry: what is pushed, when nothing is, and what happens when the registry refuses or dies.

load lib/helpers
load lib/servers
load lib/delivery
load lib/registry

A=5.10.1-a+b-amd64
TAG=5.10.1-a_b-amd64

setup_file() {
	delivery_setup
	fixture_kernel "$A"
	tls_make "$BATS_FILE_TMPDIR/tls"
}

setup() {
	DEST=$BATS_TEST_TMPDIR/www
	export TARGET_DIR=$BATS_FILE_TMPDIR/targets OUT=$BATS_TEST_TMPDIR/out
	cp -r "$BATS_FILE_TMPDIR/out" "$OUT"
	mkdir "$BATS_TEST_TMPDIR/registry"
	cp "$BATS_FILE_TMPDIR/tls"/* "$BATS_TEST_TMPDIR/registry/"
	export SSL_CERT_FILE=$BATS_FILE_TMPDIR/tls/ca.crt
}

teardown() {
	servers_stop 2>/dev/null && rm -f "$BATS_FILE_TMPDIR/servers"
	! mountpoint --quiet "$BATS_TEST_TMPDIR/registry/storage" || umount --lazy "$BATS_TEST_TMPDIR/registry/storage"
}

# registry [LINES]: Start the registry of this test, and log in.
registry() {
	registry_tls "$BATS_TEST_TMPDIR/registry" "$@"
	login "$BATS_TEST_TMPDIR/auth.json" secret-of-the-registry
	export REGISTRY=$REGISTRY_HOST/wg
}

# unpacked DIR: Unpack the layers of a "dir:" layout over each other to DIR/root.
unpacked() {
	local blob
	mkdir "$1/root"
	for blob in $(jq -r '.layers[].digest | ltrimstr("sha256:")' "$1/manifest.json"); do
		tar -xf "$1/$blob" -C "$1/root"
	done
}

# assert_refused REGEX: The publication that just failed said this alone, and DEST was not made.
assert_refused() {
	assert_line "^wgkmod: $1"
	assert_equal "$(grep -c '^wgkmod:' <<<"$output")" 1
	assert_absent "$DEST"
}

@test "what is pushed is what the index names; the artifact gives back the signed bundle; again, nothing is written" {
	local dir=$BATS_TEST_TMPDIR before kind
	registry
	publish 0 "$A"
	for kind in bundle kmm; do
		run_cmd 0 skopeo inspect --raw "docker://$REGISTRY/$kind:$TAG"
		assert_equal "sha256:$(skopeo inspect --raw "docker://$REGISTRY/$kind:$TAG" | sha256sum | cut -d ' ' -f 1)" \
			"$(jq -r ".kernels[0].oci.$kind" "$DEST/index.json")"
	done
	assert_equal "$(jq -r .registry "$DEST/index.json")" "$REGISTRY"
	run_cmd 0 skopeo --insecure-policy copy "docker://$REGISTRY/bundle:$TAG" "dir:$dir/pulled"
	assert_equal "$(jq -r .artifactType "$dir/pulled/manifest.json")" application/vnd.wgkmod.bundle.v1
	while read -r digest title; do
		cp "$dir/pulled/$digest" "$dir/pulled/$title"
	done < <(jq -r '.layers[] | "\(.digest | ltrimstr("sha256:")) \(.annotations["org.opencontainers.image.title"])"' \
		"$dir/pulled/manifest.json")
	run_cmd 0 minisign -V -p "$KEY.pub" -m "$dir/pulled/wireguard-$A.tar"
	cmp "$dir/pulled/wireguard-$A.tar" "$DEST/$A/wireguard-$A.tar"
	assert_valid "$DEST"
	before=$(writes)
	[[ $before -gt 0 ]]
	state "$DEST/" >"$dir/before"
	publish 0 "$A"
	assert_equal "$output" ''
	assert_equal "$(writes)" "$before"
	diff "$dir/before" <(state "$DEST/")
}

@test "the image for KMM runs KMM's two shell lines, and its modules.dep names the kernel's own modules" {
	needs_root 'chroot'
	local dir=$BATS_TEST_TMPDIR tree
	registry
	publish 0 "$A"
	run_cmd 0 skopeo --insecure-policy copy "docker://$REGISTRY/kmm:$TAG" "dir:$dir/pulled"
	unpacked "$dir/pulled"
	run_cmd 0 env -i /usr/sbin/chroot "$dir/pulled/root" /bin/sh -c 'exit 0'
	run_cmd 0 env -i /usr/sbin/chroot "$dir/pulled/root" /bin/sh -c \
		"mkdir -p /tmp/opt/lib/modules; cp -R /opt/lib/modules/$A /tmp/opt/lib/modules;"
	tree=$dir/pulled/root/tmp/opt/lib/modules/$A
	assert_equal "$(readlink "$tree/host")" "/lib/modules/$A"
	output=$(grep '^wireguard.ko:' "$tree/modules.dep")
	assert_line ' host/kernel/net/ipv4/udp_tunnel.ko'
	assert_line ' host/kernel/net/ipv6/ip6_udp_tunnel.ko'
	assert_line ' chacha-x86_64.ko'
}

@test "the layouts have the same bits under another umask, time, locale and TAR_OPTIONS" {
	local first kind
	publish 0 "$A"
	for kind in bundle kmm; do
		run_cmd 0 "$ROOT_DIR/delivery/oci.sh" "$kind" "$DEST/$A" "$BATS_TEST_TMPDIR/1-$kind"
		first=$(tail -n 1 <<<"$output")
		find -L "$DEST" -type f -exec touch -d 2001-02-03 {} +
		(
			umask 077
			TAR_OPTIONS=--format=gnu GZIP=-1 LC_ALL=C.UTF-8 TZ=Asia/Tokyo \
				run_cmd 0 "$ROOT_DIR/delivery/oci.sh" "$kind" "$DEST/$A" "$BATS_TEST_TMPDIR/2-$kind"
		)
		diff -r "$BATS_TEST_TMPDIR/1-$kind" "$BATS_TEST_TMPDIR/2-$kind"
		[[ $first =~ ^sha256:[0-9a-f]{64}$ ]]
	done
}

@test "make kmm prints a Module resource that KMM's schema allows: one literal a kernel, by digest" {
	local crd=${KMM_CRD:-$ROOT_DIR/../shared/kmm/modules.crd.yaml}
	registry
	publish 0 "$A"
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory kmm DEST="$DEST"
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/module.yaml"
	assert_line "^        - literal: \"${A//+/\\+}\"$"
	assert_line "^          containerImage: \"$REGISTRY/kmm@$(jq -r '.kernels[0].oci.kmm' "$DEST/index.json")\"$"
	refute_line 'regexp'
	python3 - "$BATS_TEST_TMPDIR/module.yaml" "$crd" <<-'EOF'
		import sys, os, yaml, jsonschema
		module = yaml.safe_load(open(sys.argv[1]))
		assert module["spec"]["moduleLoader"]["container"]["modprobe"]["moduleName"] == "wireguard"
		if os.path.exists(sys.argv[2]):
		    schema = yaml.safe_load(open(sys.argv[2]))["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
		    def close(node):
		        if isinstance(node, dict):
		            if "properties" in node and "additionalProperties" not in node:
		                node["additionalProperties"] = False
		            for value in node.values():
		                close(value)
		    metadata = schema["properties"]["metadata"]
		    close(schema)
		    metadata.pop("additionalProperties", None)
		    jsonschema.validate(module, schema)
		    module["spec"]["moduleLoader"]["container"]["modprobe"]["dirname"] = "/opt"
		    try:
		        jsonschema.validate(module, schema)
		    except jsonschema.ValidationError:
		        sys.exit(0)
		    sys.exit("the schema takes anything")
	EOF
	run_cmd 2 make -C "$ROOT_DIR" --no-print-directory kmm DEST="$BATS_TEST_TMPDIR/none"
	assert_line "^wgkmod: there is no index '"
}

@test "a wrong password, an unknown authority, an expired certificate: one sentence each, nothing is published" {
	registry
	login "$BATS_TEST_TMPDIR/auth.json" wrong
	publish 1 "$A"
	assert_refused "the registry does not answer for '$REGISTRY/.*: .*(unauthorized|authentication)"
	login "$BATS_TEST_TMPDIR/auth.json" secret-of-the-registry
	SSL_CERT_FILE=/dev/null publish 1 "$A"
	assert_refused "the registry does not answer for '$REGISTRY/.*x509: "
	rm -r "$BATS_TEST_TMPDIR/registry"
	tls_make "$BATS_TEST_TMPDIR/registry" 0
	registry
	SSL_CERT_FILE=$BATS_TEST_TMPDIR/registry/ca.crt publish 1 "$A"
	assert_refused "the registry does not answer for '$REGISTRY/.*expired"
	assert_equal "$(writes)" 0
	REGISTRY='not a name' publish 1 "$A"
	assert_refused "REGISTRY 'not a name' is not HOST/REPOSITORY"
}

@test "a published kernel whose target cannot be read stops the push: it does not go without its image" {
	publish 0 "$A"
	cp -r "$TARGET_DIR" "$BATS_TEST_TMPDIR/targets"
	export TARGET_DIR=$BATS_TEST_TMPDIR/targets
	echo 'NO_SUCH_KEY = x' >>"$TARGET_DIR/$A"
	registry
	publish 1
	assert_line "NO_SUCH_KEY"
	assert_equal "$(jq -c '[.generation, .registry, .kernels[0].oci]' "$DEST/index.json")" '[1,null,null]'
}

@test "a published kernel whose target was removed since does not stop the push" {
	publish 0 "$A"
	cp -r "$TARGET_DIR" "$BATS_TEST_TMPDIR/targets"
	export TARGET_DIR=$BATS_TEST_TMPDIR/targets
	rm "$TARGET_DIR/$A"{,.lock}
	registry
	publish 0
	assert_equal "$(jq -c '[.generation, (.kernels[0].oci | .bundle != null, .kmm)]' "$DEST/index.json")" '[2,true,null]'
}

@test "a registry that is read-only: one sentence, nothing is published" {
	registry 'maintenance: {readonly: {enabled: true}}'
	publish 1 "$A"
	assert_refused "'$REGISTRY/bundle:$TAG' was not pushed: "
}

@test "a registry whose disk is full, at any size: one sentence, nothing is published, and with room it completes" {
	needs_root 'a small tmpfs'
	local size storage=$BATS_TEST_TMPDIR/registry/storage
	mkdir "$storage"
	mount -t tmpfs -o size=64k tmpfs "$storage"
	registry
	# it holds no upload, some blobs, the artifact and not the image for KMM
	for size in 64k 1000k 2m; do
		mount -o remount,size=$size "$storage"
		publish 1 "$A"
		assert_refused "'$REGISTRY/.*:$TAG' was not pushed: .*500 Internal Server Error; the registry may be full: its log"
		grep -q 'no space left on device' "$REGISTRY_LOG"
	done
	mount -o remount,size=64m "$storage"
	publish 0 "$A"
	assert_whole "$DEST"
	assert_equal "$(jq -c '[.kernels[0].oci | .bundle, .kmm | type]' "$DEST/index.json")" '["string","string"]'
}

@test "a tag with another digest stops the publication, with both digests; REPLACE=1 moves it" {
	local kind=bundle
	registry
	publish 0 "$A"
	old=$(jq -r '.kernels[0].oci.bundle' "$DEST/index.json")
	rm -r "$DEST" "$DEST.versions"
	echo more >>"$OUT/$A/explain.txt"
	fixture_bundle "$A"
	before=$(writes)
	publish 1 "$A"
	assert_refused "'$REGISTRY/bundle:$TAG' has $old, and this publication sha256:[0-9a-f]{64}; REPLACE=1 moves the tag$"
	assert_equal "$(writes)" "$before"
	REPLACE=1 publish 0 "$A"
	assert_equal "sha256:$(skopeo inspect --raw "docker://$REGISTRY/$kind:$TAG" | sha256sum | cut -d ' ' -f 1)" \
		"$(jq -r ".kernels[0].oci.$kind" "$DEST/index.json")"
	assert_whole "$DEST"
}

@test "killed before a call of skopeo (FULL=1: any), or the registry dies in the middle: the next run completes" {
	local n killed=0 calls=(1 3)
	[[ -z ${FULL:-} ]] || calls=({1..5})
	registry
	# two ask at once and two push; of the two, the stand-in may count none as the first
	for n in "${calls[@]}"; do
		kill_at "$n" skopeo "$ROOT_DIR/delivery/publish.sh" "$DEST" "$A"
		if [[ -n $KILLED ]]; then
			killed=$((killed + 1))
			assert_absent "$DEST"
		else
			assert_whole "$DEST"
			rm -r "$DEST" "$DEST.versions" "$BATS_TEST_TMPDIR/registry/storage"
		fi
	done
	[[ $killed -ge 1 ]]
	rm -rf "$DEST" "$DEST.versions" "$BATS_TEST_TMPDIR/registry/storage"
	kill "$REGISTRY_PID"
	registry
	(
		wait_until 60 grep -q 'method=PATCH\|"PATCH' "$REGISTRY_LOG"
		kill -KILL "$REGISTRY_PID"
	) 3>&- &
	publish 1 "$A"
	assert_refused "'$REGISTRY/.*:$TAG' was not pushed: "
	registry
	publish 0 "$A"
	assert_whole "$DEST"
}
