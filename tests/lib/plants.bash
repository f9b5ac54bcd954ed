# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Causes of differing bits, to plant into a copy of the project.  Each is a line, of which a "\" at the end and
# the indentation after it are dropped:
#
#	NAME | VARIATION | FILE | FILE-TO-CHANGE | SED-SCRIPT [| FILE-TO-CHANGE | SED-SCRIPT]...
#
# VARIATION is the one that makes the bits differ ("-": two builds in the same environment differ already).
# FILE is the file that the comparison must name.

plants() {
	sed -e ':a' -e '/\\$/{N;s/\\\n\t*//;ba' -e '}' <<'EOF'
no-prefix-map|path|modules/kernel/drivers/net/wireguard/wireguard.ko|build.sh|s,map="-ffile-prefix-map=.*",map=,
tar-unsorted|order|wireguard-KERNEL.tar|scripts/bundle.sh|s,-printf '%P\\n' . sort),-printf '%P\\n'),
gzip-with-time|-|explain.txt|build.sh|\
	s,^prove$,gzip "$out/explain.txt"; sleep 2; mv "$out/explain.txt.gz" "$out/explain.txt"; prove,
xz-all-processors|cpus|explain.txt|build.sh|s,^prove$,xz -T0 -c "$out/wgkmod" >"$out/explain.txt"; prove,
date-in-source|cache|wgkmod|src/main.c|$a static const char built[] __attribute__((used)) = __DATE__ " " __TIME__;
locale-sort|locale|wireguard-KERNEL.tar|scripts/lib.sh|s,^export LC_ALL=C TZ=UTC,export TZ=UTC,
host-name|host|provenance.json|scripts/provenance.sh|s,urn:wgkmod:builder:containerfile,'$(uname -n)',
umask-in-mode|umask|wireguard-KERNEL.tar|scripts/lib.sh|s,^umask 022,,|scripts/bundle.sh|\
	s,^\t\tinstall -D .*,\t\tmkdir -p "$(dirname "$to/$file")"; cp "$from/$file" "$to/$file",
owner-in-tar|user|wireguard-KERNEL.tar|scripts/bundle.sh|s,--owner=0,,;s,--group=0,,
time-in-tar|clock|wireguard-KERNEL.tar|scripts/bundle.sh|s,--mtime=@0,,
random-build-id|-|modules/kernel/lib/crypto/libchacha.ko|build.sh|s,-j"\$((,LDFLAGS_MODULE=--build-id=uuid &,
clone-in-file|path|provenance.json|scripts/provenance.sh|\
	s,urn:wgkmod:builder:containerfile,'$(printf %s "$TOP" \| base64 -w0)',
home-in-file|home|provenance.json|scripts/provenance.sh|s,urn:wgkmod:builder:containerfile,'$HOME',
time-zone|timezone|provenance.json|scripts/lib.sh|s,^export LC_ALL=C TZ=UTC,export LC_ALL=C,|\
	scripts/provenance.sh|s,urn:wgkmod:builder:containerfile,'$(date -d @0 +%H:%M)',
environment|env|provenance.json|scripts/provenance.sh|s,urn:wgkmod:builder:containerfile,'${SOURCE_DATE_EPOCH:-0}',
jobs-in-file|cpus|explain.txt|build.sh|s,^prove$,nproc >>"$out/explain.txt"; prove,
order-of-readdir|order|explain.txt|build.sh|s,^prove$,find "$out" -type f -printf "%P\\n" >>"$out/explain.txt"; prove,
year|clock|explain.txt|build.sh|s,^prove$,date +%Y >>"$out/explain.txt"; prove,
file-system|fs|explain.txt|build.sh|s,^prove$,stat -f -c %T "$out" >>"$out/explain.txt"; prove,
time-in-image|cache|explain.txt|builder/closure.sh|$a date +%s%N >>/kernel/explain.txt
ar-with-times|clock|explain.txt|build.sh|s,^prove$,(cd "$out" \&\& \
	ar rcU debug.a $(find debug -name "*.debug" \| sort) \&\& mv debug.a explain.txt); prove,
hash-order|-|explain.txt|build.sh|\
	s,^prove$,perl -e 'my %h = map { $_ => 1 } 1 .. 50; print join " "\, keys %h' >>"$out/explain.txt"; prove,
EOF
}

# plant NAME DIR: Change the copy DIR by the plant; set VARIATION and DIFFERS.  Fail if the plant changes
# nothing.
plant() {
	local file script before
	local -a words
	IFS='|' read -ra words < <(plants | grep "^$1|" | sed 's/\\|/\x01/g')
	[[ ${#words[@]} -ge 5 ]] || fail "there is no plant '$1'"
	# shellcheck disable=SC2034 # for the test
	VARIATION=${words[1]} DIFFERS=${words[2]}
	words=("${words[@]:3}")
	while [[ ${#words[@]} -gt 0 ]]; do
		file=$2/${words[0]} script=${words[1]//$'\x01'/|}
		before=$(sha256sum <"$file")
		sed -i "$script" "$file"
		[[ $(sha256sum <"$file") != "$before" ]] || fail "the plant '$1' changed nothing in '$file'"
		words=("${words[@]:2}")
	done
}

# image_forget COPY: Remove the image of a copy of the project, unless the project itself has the same one.
image_forget() {
	local image
	image=$("$1/scripts/image.sh" "$TARGET_NAME" --name)
	[[ $image == "$("$ROOT_DIR/scripts/image.sh" "$TARGET_NAME" --name)" ]] ||
		podman image rm --force --ignore "$image" >/dev/null
}
