#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031 # each test is a subshell
#
# One kernel in every form, with every key: no form has a secret in it, and what is withdrawn leaves every form.

load lib/helpers
load lib/servers
load lib/delivery
load lib/registry

A=5.10.1-secrets.al8.x86_64
B=5.10.2-secrets.al8.x86_64

setup_file() {
	"$ROOT_DIR/scripts/install-deps.sh" @rpm @publish strace openssl rpm2cpio cpio >&2
	delivery_setup
	export GNUPGHOME=$BATS_FILE_TMPDIR/gnupg MODULES=$BATS_FILE_TMPDIR/modules
	mkdir -m 700 "$GNUPGHOME"
	run_cmd 0 gpg --batch --passphrase '' --quick-generate-key 'wgkmod test' rsa3072 sign never
	run_cmd 0 openssl req -new -sha256 -days 2 -batch -x509 -newkey rsa:2048 -subj /CN=modules \
		-passout pass:pin-of-the-module-key -keyout "$MODULES.pem" -out "$MODULES.crt"
	tls_make "$BATS_FILE_TMPDIR/registry"
	fixture_kernel "$A" rpm
	fixture_kernel "$B" rpm
}
teardown_file() { gpgconf --homedir "$GNUPGHOME" --kill all; }

setup() {
	DEST=$BATS_TEST_TMPDIR/www
	export TARGET_DIR=$BATS_FILE_TMPDIR/targets OUT=$BATS_TEST_TMPDIR/out
	cp -r "$BATS_FILE_TMPDIR/out" "$OUT"
	mkdir "$BATS_TEST_TMPDIR/traces"
}
teardown() { servers_stop 2>/dev/null && rm -f "$BATS_FILE_TMPDIR/servers"; }

# packages STATUS TARGET...: make rpm for bundles that are there.
packages() {
	run_cmd "$1" env PUBLIC_KEY="$KEY.pub" GPG_KEY='wgkmod test' VENDOR=acme BASE_URL=file:///srv \
		"$ROOT_DIR/delivery/rpm.sh" "$DEST" "${@:2}"
}

# traced COMMAND...: Run the command, and keep the command line of each process in traces/.
traced() {
	run_cmd 0 strace -f -qq -s 65536 -e trace=execve -e signal=none -o "$(mktemp "$BATS_TEST_TMPDIR/traces/XXXXXX")" "$@"
}

# secrets DIR: Write each secret to a file in DIR, named by what it is.
secrets() {
	mkdir "$1"
	sed -n 2p "$KEY.key" | tr -d '\n' >"$1/minisign-key"
	sed -n 5p "$MODULES.pem" | tr -d '\n' >"$1/module-key-file"
	openssl rsa -in "$MODULES.pem" -passin pass:pin-of-the-module-key -traditional -outform DER 2>/dev/null |
		tail -c 600 | head -c 64 >"$1/module-key"
	printf pin-of-the-module-key >"$1/module-key-password"
	# the agent keeps the number d in hexadecimal digits, in lines
	python3 -c 'import glob, re, sys
key = open(glob.glob(sys.argv[1] + "/private-keys-v1.d/*.key")[0]).read()
lines = re.search(r"\(d\s+#([0-9A-F\s]+)#", key)[1].split()
open(sys.argv[2] + "/gpg-key-file", "w").write(lines[1])
open(sys.argv[2] + "/gpg-key", "wb").write(bytes.fromhex("".join(lines))[8:72])' "$GNUPGHOME" "$1"
	printf secret-of-the-registry >"$1/registry-password"
	printf 'publisher:secret-of-the-registry' | base64 -w 0 >"$1/registry-login"
	assert "$(find "$1" -type f -size +0 | wc -l)" -eq 8
}

# leaks SECRETS DIR...: Print the name of each secret and each file below the directories that has it.
leaks() {
	python3 -c 'import os, sys
secrets = {name: open(os.path.join(sys.argv[1], name), "rb").read() for name in os.listdir(sys.argv[1])}
for top in sys.argv[2:]:
    assert os.listdir(top), top
    for directory, _, files in os.walk(top):
        for path in (os.path.join(directory, file) for file in files):
            data = open(path, "rb").read()
            for name, secret in secrets.items():
                if secret in data:
                    print(name, path)' "$@"
}

@test "minisign, gpg and module key, and the registry's password: in no log, file, layer, package and command line" {
	local dir=$BATS_TEST_TMPDIR file
	cp -r "$BATS_FILE_TMPDIR/registry" "$dir/registry"
	registry_tls "$dir/registry"
	login "$dir/auth.json" secret-of-the-registry
	export REGISTRY=$REGISTRY_HOST/wg SSL_CERT_FILE=$dir/registry/ca.crt
	export MODULE_KEY=$MODULES.pem MODULE_CERT=$MODULES.crt KBUILD_SIGN_PIN=pin-of-the-module-key
	traced "$ROOT_DIR/scripts/sign-modules.sh" "$A"
	traced env OUT="$OUT/signed" "$ROOT_DIR/scripts/bundle.sh" "$A"
	OUT=$OUT/signed fixture_statement "$A"
	traced "$ROOT_DIR/delivery/publish.sh" "$DEST" "$A"
	traced env PUBLIC_KEY="$KEY.pub" GPG_KEY='wgkmod test' VENDOR=acme BASE_URL=file:///srv \
		"$ROOT_DIR/delivery/rpm.sh" "$DEST" "$A"
	assert_whole "$DEST"
	assert_equal "$(jq -c '.kernels[0] | [(.oci.bundle | type), .rpm.name]' "$DEST/index.json")" \
		"[\"string\",\"kmod-wireguard-$A\"]"
	tar -xOf "$DEST/$A/wireguard-$A.tar" "$A/modules/kernel/drivers/net/wireguard/wireguard.ko" | tail -c 28 |
		grep -qxF '~Module signature appended~'
	for file in "$DEST"/rpm/Packages/*.rpm; do
		mkdir -p "$dir/unpacked/${file##*/}"
		rpm2cpio "$file" | (cd "$dir/unpacked/${file##*/}" && cpio --extract --make-directories --quiet)
	done
	assert "$(cat "$dir/traces"/* | grep -c 'execve(.*minisign')" -gt 3
	assert "$(cat "$dir/traces"/* | grep -cE 'execve(.*/(skopeo|openssl|rpmbuild|gpg)")')" -gt 5
	secrets "$dir/secrets"
	output=$(leaks "$dir/secrets" "$dir/traces" "$OUT" "$DEST.versions" "$dir/registry/storage" "$dir/unpacked")
	assert_equal "$output" ''

	mkdir "$dir/planted"
	for file in "$dir/secrets"/*; do cp "$file" "$dir/planted/a-${file##*/}"; done
	assert "$(leaks "$dir/secrets" "$dir/planted" | wc -l)" -ge 8
	traced sh -c ": $(<"$dir/secrets/registry-password")"
	leaks "$dir/secrets" "$dir/traces" | grep -q '^registry-password '
}

@test "a withdrawn bundle's package goes from the RPM repository, and none is made of it" {
	publish 0 "$A" "$B"
	packages 0 "$A" "$B"
	assert_equal "$(jq -c '[.generation, (.kernels[].rpm.name)]' "$DEST/index.json")" \
		"[2,\"kmod-wireguard-$A\",\"kmod-wireguard-$B\"]"
	packages 0 "$A" "$B"
	assert_line 'rpm is up to date'
	WITHDRAW=$A WHY='It is bad.' publish 0
	packages 0 "$A" "$B"
	assert_line "^rpm +$A is withdrawn from '$DEST': no package of it$"
	assert_equal "$(cd "$DEST/rpm/Packages" && echo kmod-*)" "kmod-wireguard-$B-5.10.2-1.x86_64.rpm"
	zcat "$DEST"/rpm/repodata/*-primary.xml.gz >"$BATS_TEST_TMPDIR/primary"
	run_cmd 1 grep -F "kmod-wireguard-$A" "$BATS_TEST_TMPDIR/primary"
	grep -qF "kmod-wireguard-$B" "$BATS_TEST_TMPDIR/primary"
	assert_equal "$(jq -c '[.generation, (.kernels[].rpm.name)]' "$DEST/index.json")" "[3,\"kmod-wireguard-$B\"]"
	packages 0 "$A" "$B"
	assert_line 'rpm is up to date'
	assert_whole "$DEST"
}
