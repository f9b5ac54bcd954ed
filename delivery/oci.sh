#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: oci.sh bundle|kmm DIR LAYOUT
#
# Write an OCI image layout (https://github.com/opencontainers/image-spec, image-layout.md) to the new directory
# LAYOUT, and print the digest of its manifest.  DIR is the published directory of one kernel.  The same files give
# the same bits on any machine: no tool of containers writes the manifests, and no layer is compressed.
#
#   bundle   an artifact: the bundle, its signature, provenance and bill of materials, each a layer
#   kmm      an image that Kernel Module Management loads wireguard from: one layer with the sh, mkdir and cp that
#            its init container runs, one with the modules in /opt/lib/modules/RELEASE.  modules.dep names the
#            kernel's own modules below "host", which is a link to the host's /lib/modules/RELEASE.  So depmod needs
#            these modules, from the target's KERNEL_IMAGE; exit with 3 if the target has none.

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 3 && $1 =~ ^(bundle|kmm)$ ]] || die "usage: oci.sh bundle|kmm DIR LAYOUT"
kind=$1 dir=$2 layout=$3

# The target whose lock has the busybox of all images.
BUSYBOX_OF=debian12-6.1.0-50-amd64

# blob FILE: Move the file into the layout, and print its descriptor without mediaType.
blob() {
	local sha
	sha=$(digest_of "$1")
	jq --null-input --arg digest "sha256:$sha" --argjson size "$(stat -c %s "$1")" '{$digest, $size}'
	mv "$1" "$layout/blobs/sha256/$sha"
}

# finish MANIFEST: Write the layout's files around the manifest, and print its digest.
finish() {
	local descriptor
	descriptor=$(blob "$1")
	jq --null-input --argjson manifest "$descriptor" --arg name "$release" '{schemaVersion: 2, manifests: [$manifest + {
		mediaType: "application/vnd.oci.image.manifest.v1+json",
		annotations: {"org.opencontainers.image.ref.name": "latest"}}]}' >"$layout/index.json"
	printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
	jq --raw-output .digest <<<"$descriptor"
}

# labels: Print the labels of both kinds as JSON.
labels() {
	jq --null-input --arg release "$release" --arg inputs "$inputs" --arg version "$(<"$TOP/VERSION")" '{
		"org.opencontainers.image.title": "WireGuard modules for \($release)",
		"org.opencontainers.image.version": $version,
		"org.opencontainers.image.licenses": "GPL-2.0-only",
		"io.wgkmod.release": $release, "io.wgkmod.inputs": $inputs}'
}

# layer DIR: Print the files of DIR as a tar without this machine's times, owners and order.
layer() {
	(cd "$1" && find . -mindepth 1 -printf '%P\n' | sort) >"$TMP/list"
	tar --create --format=ustar --blocking-factor=20 --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=a+rX,go-w \
		--directory="$1" --no-recursion --verbatim-files-from --files-from="$TMP/list"
}

# ---- the artifact ---------------------------------------------------------------------

write_bundle() {
	local file type layers='[]'
	while read -r file type; do
		cp "$dir/$file" "$TMP/layer"
		layers=$(jq --argjson blob "$(blob "$TMP/layer")" --arg type "$type" --arg title "$file" '. + [$blob + {
			mediaType: $type, annotations: {"org.opencontainers.image.title": $title}}]' <<<"$layers")
	done <<-EOF
		wireguard-$release.tar application/x-tar
		wireguard-$release.tar.minisig application/vnd.wgkmod.minisig
		provenance.json application/vnd.in-toto+json
		sbom.spdx.json application/spdx+json
	EOF
	printf '{}' >"$TMP/config"
	jq --null-input --sort-keys --argjson config "$(blob "$TMP/config")" --argjson layers "$layers" \
		--argjson labels "$(labels)" '{
		schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
		artifactType: "application/vnd.wgkmod.bundle.v1",
		config: ($config + {mediaType: "application/vnd.oci.empty.v1+json", data: "e30="}),
		$layers, annotations: $labels}' >"$TMP/manifest"
}

# ---- the image ------------------------------------------------------------------------

# stage_busybox DIR: Unpack busybox to DIR, with links for the programs that KMM runs.
stage_busybox() {
	local root=$1 name targets=$TMP/targets
	mkdir -p "$targets" "$root/bin" "$root/tmp"
	cp "$TOP/targets/$BUSYBOX_OF" "$targets/busybox"
	grep '/busybox-static_' "$TOP/targets/$BUSYBOX_OF.lock" >"$targets/busybox.lock"
	TARGET_DIR=$targets "$TOP/scripts/fetch.sh" busybox vm >&2
	TARGET_DIR=$targets "$TOP/scripts/stage.sh" busybox vm "$TMP/busybox"
	dpkg-deb --fsys-tarfile "$TMP/busybox"/*.deb | tar --extract --to-stdout ./bin/busybox >"$root/bin/busybox"
	chmod 755 "$root/bin/busybox"
	for name in sh mkdir cp; do ln -s busybox "$root/bin/$name"; done
}

# names_of FILE: Print the names of the modules that the module depends on, one a line, with "_".
names_of() { modinfo -F depends "$1" | tr ',' '\n' | tr - _ | sed '/^$/d'; }

# stage_needed TREE KERNEL: Copy those of the kernel's own modules in KERNEL that the modules in TREE need to
# TREE/host, with their paths; also those that these need.
stage_needed() {
	local tree=$1 kernel=$2 name file path
	local -a queue=("$tree"/*.ko)
	local -A own=() seen=() path_of=()
	for file in "$tree"/*.ko; do name=${file##*/} name=${name%.ko} && own[${name//-/_}]=1; done
	while IFS= read -r path; do
		name=${path##*/} name=${name%%.ko*}
		path_of[${name//-/_}]=$path
	done < <(cd "$kernel" && find kernel -name '*.ko*' | sort)
	while [[ ${#queue[@]} -gt 0 ]]; do
		file=${queue[0]} queue=("${queue[@]:1}")
		for name in $(names_of "$file"); do
			[[ -z ${own[$name]:-}${seen[$name]:-} ]] || continue
			[[ -n ${path_of[$name]:-} ]] || die "${file##*/} needs the module $name, which the package of $release does not have"
			seen[$name]=1 path=${path_of[$name]}
			install -D -m 644 "$kernel/$path" "$tree/host/$path"
			queue+=("$tree/host/$path")
		done
	done
}

# stage_modules ROOT: Make ROOT/opt/lib/modules/RELEASE.
stage_modules() {
	local tree=$1/opt/lib/modules/$release kernel
	mkdir -p "$tree" "$TMP/unpacked" "$TMP/kernel" "$TMP/no-config"
	tar --extract --no-same-owner --strip-components=1 --directory="$TMP/unpacked" --file="$dir/wireguard-$release.tar"
	find "$TMP/unpacked/modules" -name '*.ko' -exec install -m 644 -t "$tree" {} +
	"$TOP/scripts/fetch.sh" "$TARGET" kernel >&2
	"$TOP/scripts/stage.sh" "$TARGET" kernel "$TMP/packages"
	family_unpack "$TMP/packages" "$TMP/kernel"
	for kernel in "$TMP/kernel"{,/usr}/lib/modules/*; do [[ ! -d $kernel/kernel ]] || break; done
	stage_needed "$tree" "$kernel"
	# depmod warns if one of these is not there
	touch "$tree"/modules.{order,builtin,builtin.modinfo}
	depmod --config "$TMP/no-config" --basedir "$1/opt" "$release" 2>"$TMP/depmod" || die "depmod: $(<"$TMP/depmod")"
	[[ ! -s $TMP/depmod ]] || die "depmod does not like the modules of $release: $(head -n 1 "$TMP/depmod")"
	rm -rf "$tree/host"
	ln -s "/lib/modules/$release" "$tree/host"
}

write_kmm() {
	local busybox modules diff_ids
	stage_busybox "$TMP/root1"
	stage_modules "$TMP/root2"
	layer "$TMP/root1" >"$TMP/layer1"
	layer "$TMP/root2" >"$TMP/layer2"
	busybox=$(blob "$TMP/layer1") modules=$(blob "$TMP/layer2")
	diff_ids=$(jq --slurp 'map(.digest)' <<<"$busybox$modules")
	jq --null-input --sort-keys --argjson labels "$(labels)" --argjson diff_ids "$diff_ids" '{
		architecture: "amd64", os: "linux", config: {Labels: $labels}, rootfs: {type: "layers", $diff_ids}}' >"$TMP/config"
	jq --null-input --sort-keys --argjson config "$(blob "$TMP/config")" --argjson labels "$(labels)" \
		--argjson layers "$(jq --slurp . <<<"$busybox$modules")" '{
		schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
		config: ($config + {mediaType: "application/vnd.oci.image.config.v1+json"}),
		layers: [$layers[] + {mediaType: "application/vnd.oci.image.layer.v1.tar"}], annotations: $labels}' >"$TMP/manifest"
}

[[ -f $dir/provenance.json ]] || die "'$dir' is not the published directory of a kernel: there is no provenance.json"
release=$(jq --raw-output .predicate.buildDefinition.internalParameters.target.RELEASE "$dir/provenance.json")
inputs=$(inputs_of_provenance "$dir/provenance.json")
if [[ $kind == kmm ]]; then
	read_target "$(jq --raw-output .predicate.buildDefinition.externalParameters.target "$dir/provenance.json")"
	status=0
	has_kernel "$TARGET" || status=$?
	[[ $status -ne 3 ]] || not_equal
	[[ $status -eq 0 ]] || exit 1
fi
make_tmp "$OUT"
mkdir -p "$layout/blobs/sha256"
"write_$kind"
finish "$TMP/manifest"
