#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Mirrors that are not what they were, and repositories that are broken: make lock and make fetch refuse, and
# say what the cause is and what to do.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/servers
load lib/al8

PACKAGE=make-4.3-1.al8.x86_64

setup_file() { al8_setup 21390; }
teardown_file() { servers_stop; }

# Each test has a mirror of its own, hard links to the real one where both are in one file system, a cache that has
# the base image, and a target that takes little of the mirror.
setup() {
	local how=-a
	WWW=$BATS_TEST_TMPDIR/www
	if ln "$AL8_MIRROR/www/RPM-GPG-KEY-ALINUX-3" "$BATS_TEST_TMPDIR/linked" 2>/dev/null; then how=-al; fi
	cp "$how" "$AL8_MIRROR/www" "$WWW"
	mkdir "$BATS_TEST_TMPDIR/cache"
	cp "$how" "$AL8_IMAGE/blobs/sha256" "$BATS_TEST_TMPDIR/cache/"
	OS=$WWW/alinux/3/os/x86_64
	free_ports 22000
	export TARGET_DIR=$BATS_TEST_TMPDIR/targets CACHE=$BATS_TEST_TMPDIR/cache PATIENCE=3
	mkdir "$BATS_TEST_TMPDIR/out"
	[[ ! -f $OUT/.podman ]] || cp "$OUT/.podman" "$BATS_TEST_TMPDIR/out/"
	OUT=$BATS_TEST_TMPDIR/out
	al8_targets "$TARGET_DIR" "$PORT"
	cp "$TARGET_DIR/standin-9" "$BATS_TEST_TMPDIR/whole"
	sed -i '/^  elf/d; /^KERNEL_IMAGE/d; /^VM/d; s/^TOOLCHAIN.*/TOOLCHAIN = gcc make/
		s,^SOURCE .*,SOURCE = http://127.0.0.1:'"$PORT"'/RPM-GPG-KEY-ALINUX-3,' "$TARGET_DIR/standin-9"
}

# The agents that gpg started for its directories end with the test.
teardown() {
	local dir
	for dir in "$BATS_TEST_TMPDIR/gnupg" "$AL8_MIRROR/gnupg"; do
		[[ ! -d $dir ]] || gpgconf --homedir "$dir" --kill all
	done
}

lock() { al8 "$1" lock standin-9; }
fetch() { run_cmd "$1" "$ROOT_DIR/scripts/fetch.sh" standin-9 toolchain; }
serve() { http_start "$PORT" "$WWW"; }

# own FILE: FILE is no link to the real mirror's any more.
own() { cp "$1" "$1.own" && mv "$1.own" "$1" && chmod 644 "$1"; }

# new_key NAME: a key of OpenPGP in BATS_TEST_TMPDIR/gnupg.
new_key() {
	(umask 077 && mkdir "$BATS_TEST_TMPDIR/gnupg")
	run_cmd 0 gpg --homedir "$BATS_TEST_TMPDIR/gnupg" --batch --passphrase '' --quick-generate-key "$1" rsa2048 sign never
}

# resign GNUPG-DIRECTORY NAME FILE: the package, signed by that key alone.
resign() {
	run_cmd 0 rpmsign --delsign "$3" # the same key's would be left as it is
	run_cmd 0 rpmsign --define "__gpg $(command -v gpg)" --define "_gpg_path $1" --define "_gpg_name $2" --addsign "$3"
}
index() { run_cmd 0 createrepo_c --quiet --update "$OS"; }

# refused REGEX: the first line of a refusal; and there are a report and no lock.
refused() {
	local first regex="$*"
	first=$(grep -m 1 '^wgkmod: ' <<<"$output")
	[[ $first =~ $regex ]] || fail "the first line does not match '$regex': $first"$'\n'"$output"
	[[ -s $OUT/log/standin-9-lock-report.txt ]] || fail "no report was left"
	assert_absent "$TARGET_DIR/standin-9.lock"
}

# image_after COMMAND NAME: the registry has the image NAME, which is the stand-in's after the COMMAND, in
# whose container BATS_TEST_TMPDIR/key is /key.
image_after() {
	local image=localhost/wgkmod-test:keys-$BASHPID
	touch "$BATS_TEST_TMPDIR/key"
	run_cmd 0 skopeo copy "oci:$AL8_IMAGE" "containers-storage:$image"
	LOG=/dev/null run_cmd 0 bash -euc '
		. "$ROOT_DIR/scripts/lib.sh"
		. "$ROOT_DIR/scripts/lib/podman.sh"
		podman_probe "$1"
		container=$("${PODMAN[@]}" create --network=none --pull=never "${PODMAN_LIMITS[@]}" --security-opt=label=disable \
			--volume "$BATS_TEST_TMPDIR/key:/key:ro" "$1" sh -c "$2")
		podman start --attach "$container"
		podman commit "$container" "$1-key"
		podman rm "$container"' - "$image" "$1"
	run_cmd 0 skopeo copy "containers-storage:$image-key" "docker://127.0.0.1:$REGISTRY_PORT/$2"
	run_cmd 0 podman image rm "$image" "$image-key"
}

# forget_image NAME: podman has no longer what make lock loaded of the registry's image NAME.
forget_image() {
	run_cmd 0 skopeo inspect --raw "docker://127.0.0.1:$REGISTRY_PORT/$1"
	run_cmd 0 podman image rm "localhost/wgkmod-lock:$(printf %s "$output" | sha256sum | cut -c 1-16)"
}

@test "a package with a flipped byte is refused by make lock, with its name" {
	own "$OS/Packages/$PACKAGE.rpm"
	flip "$OS/Packages/$PACKAGE.rpm" 100000
	serve
	lock 2
	refused "^wgkmod: the packages of the stage toolchain cannot be had: $PACKAGE.rpm: .*checksum doesn't match"
}

@test "a flipped byte is refused although the mirror's index lists its digest" {
	full_only
	own "$OS/Packages/$PACKAGE.rpm"
	flip "$OS/Packages/$PACKAGE.rpm" 100000
	index
	serve
	lock 2
	refused "^wgkmod: the packages .*: $PACKAGE.rpm is damaged: its signature by the key [0-9a-f]+ does not hold: take" \
		"it from another mirror"
}

@test "an unsigned package is refused" {
	full_only
	own "$OS/Packages/$PACKAGE.rpm"
	run_cmd 0 rpmsign --delsign "$OS/Packages/$PACKAGE.rpm"
	index
	serve
	lock 2
	refused "^wgkmod: the packages .*: $PACKAGE.rpm is not signed: take it from another mirror"
}

@test "a package signed by another key is refused" {
	full_only
	own "$OS/Packages/$PACKAGE.rpm"
	new_key somebody
	resign "$BATS_TEST_TMPDIR/gnupg" somebody "$OS/Packages/$PACKAGE.rpm"
	index
	serve
	lock 2
	refused "^wgkmod: the packages .*: $PACKAGE.rpm is signed by another key, [0-9a-f]+, than the target's, [0-9a-f]+" \
		"\\(wgkmod stand-in public key\\): take it"
}

@test "a key of the image that is not the target's is not trusted" {
	new_key 'the image alone'
	gpg --homedir "$BATS_TEST_TMPDIR/gnupg" --armor --export >"$BATS_TEST_TMPDIR/key"
	own "$OS/Packages/$PACKAGE.rpm"
	resign "$BATS_TEST_TMPDIR/gnupg" 'the image alone' "$OS/Packages/$PACKAGE.rpm"
	index
	serve
	image_after 'rpmkeys --import /key' alinux3/keys:latest
	sed -i "s,^IMAGE .*,IMAGE = 127.0.0.1:$REGISTRY_PORT/alinux3/keys:latest," "$TARGET_DIR/standin-9"
	lock 2
	refused "^wgkmod: the packages .*: $PACKAGE.rpm is signed by another key, "
	forget_image alinux3/keys:latest
}

@test "a package that vanished is refused by make lock, and not needed if it is in the cache" {
	serve
	lock 0
	fetch 0
	rm "$OS/Packages/$PACKAGE.rpm"
	fetch 0
	CACHE=$BATS_TEST_TMPDIR/empty fetch 69
	assert_line "^wgkmod: cannot fetch $PACKAGE.rpm \(of 'standin-9'\): the mirrors that could be reached do not have" \
		"it any more"
	rm "$TARGET_DIR/standin-9.lock"
	index
	rm "$WWW"/alinux/3/module/x86_64/Packages/make-*.rpm
	run_cmd 0 createrepo_c --quiet "$WWW/alinux/3/module/x86_64"
	CACHE=$BATS_TEST_TMPDIR/empty lock 2
	refused '^wgkmod: the packages .*: no repository has make: '
	grep -q '^make: none$' "$OUT/log/standin-9-lock-report.txt"
}

@test "a changed package is refused by fetch, and by make lock with both digests; a new one shows as a difference" {
	full_only
	local old new
	serve
	lock 0
	old=$(awk '/make-4.3/ { print $2 }' "$TARGET_DIR/standin-9.lock")
	own "$OS/Packages/$PACKAGE.rpm"
	# the distribution's own key, another time
	resign "$AL8_MIRROR/gnupg" 'wgkmod stand-in' "$OS/Packages/$PACKAGE.rpm"
	new=$(sha256sum <"$OS/Packages/$PACKAGE.rpm" | cut -d ' ' -f 1)
	index
	CACHE=$BATS_TEST_TMPDIR/empty fetch 1
	assert_line "^wgkmod: Packages/$PACKAGE.rpm: the digest is $new, not $old as in the lock"
	lock 2
	assert_line "^wgkmod: Packages/$PACKAGE.rpm has the digest $new now, and $old in the lock"
	grep -q "$old" "$TARGET_DIR/standin-9.lock"

	cp "$TARGET_DIR/standin-9.lock" "$BATS_TEST_TMPDIR/first"
	sed -i "s/^toolchain $old .*make-4.3.*/toolchain $old Packages\/make-4.2-1.al8.x86_64.rpm/" \
		"$TARGET_DIR/standin-9.lock"
	lock 0
	assert_line "^-toolchain $old Packages/make-4.2-1.al8.x86_64.rpm$"
	assert_line "^\+toolchain $new Packages/$PACKAGE.rpm$"
}

@test "make lock and fetch give up a mirror that stops in the middle of a package" {
	full_only
	serve
	lock 0
	MIRROR_STOPS=$((PORT + 1))
	server_start "http://127.0.0.1:$MIRROR_STOPS/" python3 "$ROOT_DIR/tests/al8/silent.py" "$MIRROR_STOPS" "$WWW" \
		"$PACKAGE.rpm"
	export CACHE=$BATS_TEST_TMPDIR/empty
	MIRROR="http://127.0.0.1:$MIRROR_STOPS/alinux/3/os/x86_64" fetch 1
	assert_line "^wgkmod: cannot fetch .*$PACKAGE.rpm "
	# that the next one does not have it does not make it gone
	MIRROR="http://127.0.0.1:$MIRROR_STOPS/alinux/3/os/x86_64 http://127.0.0.1:$PORT/alinux/3/plus/x86_64" fetch 1
	assert_line '^wgkmod: cannot fetch .*: no mirror could be reached that has it'
	rm "$TARGET_DIR/standin-9.lock"
	MIRROR="http://127.0.0.1:$MIRROR_STOPS/alinux/3/os/x86_64 http://127.0.0.1:$PORT/alinux/3/updates/x86_64" lock 2
	refused "^wgkmod: the packages .*: $PACKAGE.rpm: .*Timeout was reached"
}

@test "fetch gives up a mirror that accepts connections and sends nothing" {
	serve
	lock 0
	python3 "$ROOT_DIR/tests/al8/silent.py" "$((PORT + 1))" "$WWW" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- 4>&- &
	printf '%d\n' $! >>"$BATS_FILE_TMPDIR/servers"
	wait_until 20 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"' - "$((PORT + 1))"
	MIRROR="http://127.0.0.1:$((PORT + 1))/alinux/3/os/x86_64" CACHE=$BATS_TEST_TMPDIR/empty fetch 1
	assert_line '^wgkmod: cannot fetch .*\.rpm and [0-9]+ more \(of .standin-9.\): no mirror could be reached that has it '
}

# ---- broken repositories ---------------------------------------------------------------

# One fault each: FAULT | the first line of the refusal | a line of the report.  A line that begins with a tab
# goes on with the one before it, after a blank.
BROKEN='
no_compiler
	| the kernel was made by .gcc \(GCC\) 10.2.1 20200825 \(Alibaba 10.2.1-3 2.32\)., but the compiler here is
	.*10.2.1-3.9 2.32\).: they differ in the package revision \(10.2.1-3 there, 10.2.1-3.9 here\); .*add this line
	to the target: COMPILER = gcc \(GCC\) 10.2.1 20200825 \(Alibaba 10.2.1-3.9 2.32\)$
	| ^tried:  gcc-10.2.1-3.9.al8.x86_64: gcc
solver
	| the packages of the stage toolchain cannot be had: its packages do not go together: Problem: .*nothing
	provides libfuture >= 9 needed by make-4.4-1.al8.x86_64.*: name versions that go together in the target.s
	TOOLCHAIN
	| ^make-4.4-1.al8.x86_64 wgkmod-1$
modular
	| the packages of the stage toolchain cannot be had: modular filtering hides make .*: name the stream in the
	target too, as a word @MODULE:STREAM
	| ^al8-tools +hides
bad_signature
	| the packages of the stage toolchain cannot be had: make-4.3-1.al8.x86_64.rpm is damaged: its signature by the
	key [0-9a-f]+ does not hold: take it from another mirror
	| ^wgkmod: make-4.3-1.al8.x86_64.rpm is damaged
wrong_key
	| from http://[^ ]*/updates/x86_64/Packages: kernel-devel-5.10.223-9.al8.x86_64.rpm is signed by another key,
	[0-9a-f]+, than the target.s, [0-9a-f]+ .*: take it from another mirror .* or see whether the distribution has
	a new key
	| ^the key [0-9A-F]{40} of somebody
registry_401
	| the registry wants a login for .127.0.0.1:[0-9]+/alinux3/alinux3:3.9.1.: run .skopeo login 127.0.0.1:[0-9]+.,
	or name another registry in IMAGE \(.*\)$
	| authentication required
registry_404
	| the registry has no .alinux3:1.2.3.: put one of its tags into the target.s IMAGE
	| "3.9.1"
repository_down
	| the repository http://127.0.0.1:[0-9]+/alinux/3/updates/x86_64 cannot be had: .*404.*: try again, or set
	MIRROR=
	| /alinux/3/updates/x86_64/repodata/repomd.xml: 404
time_out
	| the repository http://127.0.0.1:[0-9]+/alinux/3/os/x86_64 cannot be had: .*Timeout was reached.*: try again,
	or set MIRROR=
	| /alinux/3/os/x86_64/repodata/repomd.xml: 000
devel_gone
	| kernel-devel-5.10.223-9.al8.x86_64 is not to be had: .* none of the 5 addresses tried has it .*; add the
	address of the file to the target
	| /alinux/3/plus/x86_64/Packages/kernel-devel-5.10.223-9.al8.x86_64.rpm: 404
'
BROKEN=${BROKEN//$'\n\t'/ }

# broken FAULT: the row of the table: the fault is made, and make lock refuses with its words.
broken() {
	local line report
	line=$(grep "^$1 " <<<"$BROKEN")
	line=${line#* | } report=${line#* | }
	"fault_$1"
	lock 2
	refused "^wgkmod: ${line% | *}"
	grep -Eq -- "$report" "$OUT/log/standin-9-lock-report.txt" || fail "no line matches '$report' in:
$(cat "$OUT/log/standin-9-lock-report.txt")"
	for line in '^4\.[0-9]+\.[0-9]+$' '^RPM version ' '^PRETTY_NAME='; do
		[[ $1 == registry_* ]] ||
			grep -Eq -- "$line" "$OUT/log/standin-9-lock-report.txt" || fail "the report has no $line"
	done
}

fault_no_compiler() {
	rm "$OS"/Packages/g/gcc-10.2.1-3.1.al8.x86_64.rpm
	index
	serve
}

fault_solver() {
	local dir=$BATS_TEST_TMPDIR/rpm
	mkdir -p "$dir/tree/usr/share/al8"
	touch "$dir/tree/usr/share/al8/make"
	tar -C "$dir/tree" -cf "$dir/tar" ./usr/share/al8/make
	printf '"/usr/share/al8/make"\n' >"$dir/list"
	run_cmd 0 rpmbuild -bb --quiet --target x86_64 --define "_topdir $dir" --define 'al8_name make' \
		--define 'al8_version 4.4' \
		--define 'al8_release 1.al8' --define 'al8_requires libfuture >= 9' --define "al8_tar $dir/tar" \
		--define "al8_list $dir/list" \
		"$ROOT_DIR/tests/al8/package.spec"
	rm "$OS/Packages/$PACKAGE.rpm"
	cp "$dir"/RPMS/x86_64/*.rpm "$OS/Packages/"
	resign "$AL8_MIRROR/gnupg" 'wgkmod stand-in' "$OS/Packages/make-4.4-1.al8.x86_64.rpm"
	index
	serve
}

fault_modular() {
	sed 's/stream: .*/stream: "hides"/; s/make-0:99-2/make-0:4.3-1/' "$ROOT_DIR/tests/al8/modules.yaml" \
		>"$BATS_TEST_TMPDIR/modules.yaml"
	own "$OS/repodata/repomd.xml"
	run_cmd 0 modifyrepo_c --mdtype=modules "$BATS_TEST_TMPDIR/modules.yaml" "$OS/repodata"
	serve
}

fault_bad_signature() {
	own "$OS/Packages/$PACKAGE.rpm"
	flip "$OS/Packages/$PACKAGE.rpm" 100000
	index
	serve
}

# the key at the target's address is another one than that of the packages
fault_wrong_key() {
	new_key somebody
	own "$WWW/RPM-GPG-KEY-ALINUX-3"
	gpg --homedir "$BATS_TEST_TMPDIR/gnupg" --batch --armor --export >"$WWW/RPM-GPG-KEY-ALINUX-3"
	serve
}

fault_registry_401() {
	serve
	printf 'nobody:x\n' >"$BATS_TEST_TMPDIR/htpasswd"
	cat >"$BATS_TEST_TMPDIR/registry.yml" <<-EOY
		version: 0.1
		storage: {filesystem: {rootdirectory: $BATS_TEST_TMPDIR/registry}}
		auth: {htpasswd: {realm: al8, path: $BATS_TEST_TMPDIR/htpasswd}}
		http: {addr: "127.0.0.1:$((PORT + 1))"}
	EOY
	server_start "http://127.0.0.1:$((PORT + 1))/" docker-registry serve "$BATS_TEST_TMPDIR/registry.yml"
	printf '[[registry]]\nlocation = "127.0.0.1:%d"\ninsecure = true\n' "$((PORT + 1))" \
		>>"$BATS_FILE_TMPDIR/registries.conf"
	sed -i "s,^IMAGE .*,IMAGE = 127.0.0.1:$((PORT + 1))/alinux3/alinux3:3.9.1," "$TARGET_DIR/standin-9"
}

fault_registry_404() {
	serve
	sed -i 's,^\(IMAGE .*\):3.9.1$,\1:1.2.3,' "$TARGET_DIR/standin-9"
}

fault_repository_down() {
	rm -r "$WWW/alinux/3/updates"
	serve
}

fault_time_out() {
	serve
	python3 "$ROOT_DIR/tests/al8/silent.py" "$((PORT + 1))" "$WWW" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- 4>&- &
	printf '%d\n' $! >>"$BATS_FILE_TMPDIR/servers"
	export MIRROR="http://127.0.0.1:$((PORT + 1))/alinux/3/os/x86_64"
}

fault_devel_gone() {
	local updates=$WWW/alinux/3/updates/x86_64
	rm "$updates/Packages/kernel-devel-5.10.223-9.al8.x86_64.rpm"
	run_cmd 0 createrepo_c --quiet --update "$updates"
	serve
}

@test "broken: no gcc of the kernel's version; what differs, the line to add, all tried" { broken no_compiler; }
@test "broken: a solver's conflict; its reason" {
	full_only
	broken solver
}
@test "broken: a package that modular filtering hides; the streams" {
	broken modular
	# what the refusal says to do
	sed -i 's/^TOOLCHAIN .*/TOOLCHAIN = gcc @al8-tools:hides make/' "$TARGET_DIR/standin-9"
	lock 0
	grep -q '/make-4.3-1.al8.x86_64.rpm$' "$TARGET_DIR/standin-9.lock"
}
@test "broken: a signature that does not hold; the package and the key" {
	full_only
	broken bad_signature
}
@test "broken: another key; both" { broken wrong_key; }
@test "broken: a registry that wants a login" { broken registry_401; }
@test "broken: a registry without the tag; those that it has" { broken registry_404; }
@test "broken: a repository that is down is not left out" { broken repository_down; }
@test "broken: a mirror that says nothing" {
	full_only
	broken time_out
}
@test "broken: kernel-devel gone from the metadata and from every address; what each answered" {
	full_only
	broken devel_gone
}

@test "each of the table's ten faults has a test" {
	assert_equal "$(grep -c ' | ' <<<"$BROKEN")" 10
	assert_equal "$(sed -n 's/^\(@test "broken: .*{ \|\t\)broken \([a-z_0-9]*\).*/\2/p' "$BATS_TEST_FILENAME" |
		sort | paste -sd ' ')" \
		"$(sed -n 's/^\([a-z_0-9]*\) *| .*/\1/p' <<<"$BROKEN" | sort | paste -sd ' ')"
}

# ---- where else kernel-devel may be ----------------------------------------------------

@test "kernel-devel that no repository has is taken from an address of the target, tried last, its signature checked" {
	local file=kernel-devel-5.10.223-9.al8.x86_64.rpm
	mkdir "$WWW/bucket"
	mv "$WWW/alinux/3/updates/x86_64/Packages/$file" "$WWW/bucket/"
	run_cmd 0 createrepo_c --quiet --update "$WWW/alinux/3/updates/x86_64"
	serve
	sed -i "s,^KERNEL_DEVEL.*,&\n  http://127.0.0.1:$PORT/bucket/$file," "$TARGET_DIR/standin-9"
	lock 0
	assert_line "kernel-devel-5.10.223-9.al8.x86_64 of http://127.0.0.1:$PORT/bucket$"
	grep -E "^toolchain [0-9a-f]{64} http://127.0.0.1:$PORT/bucket/$file$" "$TARGET_DIR/standin-9.lock"
	CACHE=$BATS_TEST_TMPDIR/empty fetch 0

	rm "$TARGET_DIR/standin-9.lock"
	own "$WWW/bucket/$file"
	new_key somebody
	resign "$BATS_TEST_TMPDIR/gnupg" somebody "$WWW/bucket/$file"
	lock 2
	refused "^wgkmod: from http://127.0.0.1:$PORT/bucket: $file is signed by another key, "
	printf '<html>Log in first</html>\n' >"$WWW/bucket/$file"
	lock 2
	refused "^wgkmod: from http://127.0.0.1:$PORT/bucket: $file is not a package: the server answered with something" \
		"else: "
}

# devel_without SED: a kernel-devel like that of standin-9, changed, in an address of the target alone.
devel_without() {
	local dir=$BATS_TEST_TMPDIR/devel release=5.10.223-9.al8.x86_64
	mkdir -p "$dir/tree" "$WWW/bucket"
	tar -C "$dir/tree" -xf "$AL8_KERNELS/5.10.223-9/devel.tar"
	(cd "$dir/tree/usr/src/kernels/$release" && eval "$1")
	tar -C "$dir/tree" --owner=0 --group=0 -cf "$dir/tar" usr
	tar -tf "$dir/tar" | sed -n '/[^/]$/s,.*,"/&",p' >"$dir/list"
	run_cmd 0 rpmbuild -bb --quiet --target x86_64 --define "_topdir $dir" --define 'al8_name kernel-devel' \
		--define 'al8_version 5.10.223' --define 'al8_release 9.al8' --define "al8_tar $dir/tar" \
		--define "al8_list $dir/list" \
		"$ROOT_DIR/tests/al8/package.spec"
	mv "$dir"/RPMS/x86_64/*.rpm "$WWW/bucket/"
	resign "$AL8_MIRROR/gnupg" 'wgkmod stand-in' "$WWW/bucket/kernel-devel-$release.rpm"
	sed -i "s,^KERNEL_DEVEL.*,KERNEL_DEVEL = http://127.0.0.1:$PORT/bucket/kernel-devel-$release.rpm," \
		"$TARGET_DIR/standin-9"
}

@test "a kernel-devel with WireGuard, without symbols or (FULL=1) without objtool is refused before all else" {
	local file=kernel-devel-5.10.223-9.al8.x86_64.rpm
	serve
	devel_without 'rm Module.symvers'
	lock 2
	refused "^wgkmod: $file has no 'Module.symvers': modules for 5.10.223-9.al8.x86_64 cannot be built with it"
	refute_line 'the compiler is'
	rm -r "$BATS_TEST_TMPDIR/devel"
	devel_without 'echo CONFIG_WIREGUARD=m >>.config'
	lock 2
	refused "^wgkmod: 5.10.223-9.al8.x86_64 has WireGuard already \(CONFIG_WIREGUARD=m\): it needs no build"
	[[ -n ${FULL:-} ]] || return 0
	rm -r "$BATS_TEST_TMPDIR/devel"
	devel_without 'rm tools/objtool/objtool'
	lock 2
	refused "^wgkmod: $file has no 'tools/objtool/objtool', which the kernel's configuration asks for"
}

# ---- what dnf and skopeo say -----------------------------------------------------------

# why FUNCTION: what lock-rpm.sh makes of the words on standard input.
why() {
	cat >"$BATS_TEST_TMPDIR/said"
	FUNCTION=$1 run_cmd 0 bash -c '
		IMAGE=registry.example/a/b:1 MIRROR="http://one http://two" ARCH=x86_64 REPOS=
		. "$ROOT_DIR/scripts/lib.sh"
		. "$ROOT_DIR/builder/families/rpm.sh"
		. "$ROOT_DIR/scripts/lib/lock-rpm.sh"
		"$FUNCTION" "$BATS_TEST_TMPDIR/said"'
}

@test "a missing package is named as the cause, not the mirror that was retried" {
	why dnf_why <<-'EOS'
		[MIRROR] primary.xml.gz: Curl error (28): Timeout was reached for http://one/repodata/primary.xml.gz [Too slow]
		No match for argument: kmod-devel
		Error: Unable to find a match: kmod-devel
	EOS
	assert_equal "$output" "no repository has kmod-devel: the report lists what the repositories have; $(
		)name that in the target, or set MIRROR= to repositories that have it"
}

@test "a solver's conflict is reported with its reasons, and a repository with its address" {
	full_only
	why dnf_why <<-'EOS'
		Error:
		 Problem: package gcc-10.2.1-3.al8.x86_64 requires libgomp = 10.2.1-3.al8, but none of the providers can be installed
		  - cannot install both libgomp-10.2.1-3.al8.x86_64 and libgomp-10.2.1-3.9.al8.x86_64
		(try to add '--allowerasing' to command line to replace conflicting packages)
	EOS
	assert_line '^its packages do not go together: Problem: package gcc-10.2.1-3.al8.x86_64 requires libgomp =' \
		'10.2.1-3.al8, but none of the providers can be installed; - cannot install both libgomp-10.2.1-3.al8.x86_64 and' \
		'libgomp-10.2.1-3.9.al8.x86_64: name versions'
	why dnf_why <<-'EOS'
		Errors during downloading metadata for repository 'wgkmod-2':
		  - Status code: 403 for http://two/repodata/repomd.xml (IP: 127.0.0.1)
		Error: Failed to download metadata for repo 'wgkmod-2': Cannot download repomd.xml: All mirrors were tried
	EOS
	assert_line '^Failed to download metadata for repo http://two: .*: Status code: 403 for' \
		'http://two/repodata/repomd.xml .*: try again, or set MIRROR='
}

@test "each kind of a registry's refusal has its own message" {
	local fatal='time="2026-11-29T17:00:00Z" level=fatal msg="' image
	image='Error parsing image name \"docker://registry.example/a/b:1\": reading manifest 1 in registry.example/a/b: '
	why registry_why <<<"$fatal${image}unauthorized: authentication required\""
	assert_line "^the registry wants a login for 'registry.example/a/b:1': run 'skopeo login registry.example'"
	why registry_why <<<"$fatal${image}manifest unknown\""
	assert_line "^the registry has no 'b:1': put one of its tags"
	why registry_why <<<"$fatal"'pinging container registry registry.example: Get \"https://registry.example/v2/\":'\
' dial tcp: i/o timeout"'
	assert_line "^the registry of 'registry.example/a/b:1' cannot be reached: .*i/o timeout"
}

@test "an image without dnf is refused" {
	serve
	image_after 'rm /usr/bin/dnf' alinux3/bare:latest
	sed -i "s,^IMAGE .*,IMAGE = 127.0.0.1:$REGISTRY_PORT/alinux3/bare:latest," "$TARGET_DIR/standin-9"
	lock 2
	refused "^wgkmod: the image '127.0.0.1:$REGISTRY_PORT/alinux3/bare:latest' cannot be used: there is no dnf in it:" \
		"name an image of the distribution that has it in IMAGE"
	forget_image alinux3/bare:latest
}

@test "an image that leaves a link for the host to follow is refused" {
	serve
	image_after 'mv /usr/bin/dnf /usr/bin/dnf-real
		printf "#!/bin/sh\nln -sf /etc/hostname /resolve/answer\nexec /usr/bin/dnf-real \"\$@\"\n" >/usr/bin/dnf
		chmod +x /usr/bin/dnf' alinux3/hostile:latest
	sed -i "s,^IMAGE .*,IMAGE = 127.0.0.1:$REGISTRY_PORT/alinux3/hostile:latest," "$TARGET_DIR/standin-9"
	lock 2
	refused "^wgkmod: the image '127.0.0.1:$REGISTRY_PORT/alinux3/hostile:latest' left 'answer', which is no plain file"
	forget_image alinux3/hostile:latest
}

@test "an address (FULL=1: and a name) that the image makes leads the host to no file" {
	local line
	serve
	while read -r line; do
		image_after "mv /usr/bin/awk /usr/bin/awk-real
			printf '#!/bin/sh\ncase \$* in *have*) cat >/dev/null; echo \"$line\" ;; *) exec awk-real \"\$@\" ;; esac\n' \
				>/usr/bin/awk
			chmod +x /usr/bin/awk" alinux3/hostile:latest
		sed -i "s,^IMAGE .*,IMAGE = 127.0.0.1:$REGISTRY_PORT/alinux3/hostile:latest," "$TARGET_DIR/standin-9"
		lock 2
		refused "^wgkmod: .*; nothing of it is taken"
		forget_image alinux3/hostile:latest
		[[ -n ${FULL:-} ]] || break
	done <<-'EOF'
		gcc-1-1.x86_64 file:///etc/hostname
		../../gcc http://127.0.0.1/gcc.rpm
	EOF
}
