#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The packages of make rpm, on hosts of the stand-in with its rpm and dnf.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers
load lib/modules
load lib/servers
load lib/al8
load lib/rpm

NINE=5.10.223-9.al8.x86_64
EIGHT=5.10.223-8.al8.x86_64

setup_file() { rpm_setup; }
teardown_file() {
	servers_stop
	rpm_teardown
}
setup() { export TARGET_DIR=$AL8_TARGETS; }

# is_installed KERNEL: the modules are there, indexed, and rpm finds them intact.
is_installed() {
	on_host 0 wgkmod status --kernel "$1"
	assert_line "^$1: [1-9][0-9]* modules$"
	on_host 0 rpm --verify "kmod-wireguard-$1"
	on_host 0 rpm --query --file "/lib/modules/$1/kernel/drivers/net/wireguard/wireguard.ko"
	assert_line "^kmod-wireguard-$1-"
	grep -q '^kernel/drivers/net/wireguard/wireguard.ko:' "$ROOT/lib/modules/$1/modules.dep"
}

@test "make rpm: the second run writes nothing, and another directory gets the same bits" {
	local before
	before=$(cd "$RPM_DIR/dest" && find . -mindepth 1 -printf '%p %T@ %C@\n')
	make_rpm 0 "$RPM_DIR/dest" 'standin-9 standin-8' CEILING=1
	assert_line '^rpm +.*/dest/rpm is up to date '
	diff <(printf '%s\n' "$before") <(cd "$RPM_DIR/dest" && find . -mindepth 1 -printf '%p %T@ %C@\n')
	(
		umask 077
		TZ=Asia/Tokyo make_rpm 0 "$BATS_TEST_TMPDIR/again" 'standin-9 standin-8' CEILING=1
	)
	diff -r "$RPM_DIR/dest" "$BATS_TEST_TMPDIR/again"
}

@test "make rpm refuses what it cannot make a trusted package of" {
	local dest=$BATS_TEST_TMPDIR/dest
	make_rpm 2 '' standin-9
	assert_line '^usage: make rpm DEST='
	make_rpm 2 "$dest" standin-9 PUBLIC_KEY=/nowhere
	assert_line "^wgkmod: PUBLIC_KEY= must name minisign's public key for the hosts; there is no file '/nowhere'$"
	run_cmd 0 minisign -G -f -W -p "$BATS_TEST_TMPDIR/other.pub" -s "$BATS_TEST_TMPDIR/other.key"
	make_rpm 2 "$dest" standin-9 PUBLIC_KEY="$BATS_TEST_TMPDIR/other.pub"
	assert_line "^wgkmod: '.*\.tar' is not signed by the key '.*/other.pub'$"
	make_rpm 2 "$dest" standin-9 GPG_KEY=nobody
	assert_line "^wgkmod: gpg has no secret key 'nobody'$"
	make_rpm 2 "$dest" standin-9 VENDOR='A B'
	assert_line "^wgkmod: VENDOR 'A B' is not a name of small letters, digits and '-'$"
	assert_absent "$dest/rpm"
}

@test "a kernel and its modules come in one transaction, rpm -V tells the truth, and erasing gives the tree back" {
	local before
	host_new
	dnf 0 install "kernel-$NINE"
	before=$(tree "$NINE")
	dnf 0 remove kernel kernel-core kernel-modules
	assert_absent "$ROOT/lib/modules/$NINE"

	dnf 0 install "kmod-wireguard-$NINE" "kernel-$NINE"
	is_installed "$NINE"
	flip "$ROOT/lib/modules/$NINE/kernel/drivers/net/wireguard/wireguard.ko" 5000
	on_host 1 rpm --verify "kmod-wireguard-$NINE"
	assert_line "the modules for $NINE are not installed or not intact"
	flip "$ROOT/lib/modules/$NINE/kernel/drivers/net/wireguard/wireguard.ko" 5000
	on_host 0 rpm --verify "kmod-wireguard-$NINE"
	rm "$ROOT/lib/modules/$NINE/kernel/drivers/net/wireguard/wireguard.ko"
	on_host 1 rpm --verify "kmod-wireguard-$NINE"
	dnf 0 reinstall "kmod-wireguard-$NINE"
	is_installed "$NINE"

	dnf 0 remove "kmod-wireguard-$NINE"
	diff <(printf '%s\n' "$before") <(tree "$NINE")
	on_host 0 rpm --verify kernel-core kernel-modules
}

@test "where wgkmod is, a new kernel brings its modules, and installonly_limit takes them away with the oldest" {
	host_new
	dnf 0 install wgkmod "kernel-$EIGHT" --setopt=installonly_limit=2
	is_installed "$EIGHT"
	dnf 0 upgrade "kernel-$NINE" --setopt=installonly_limit=2
	is_installed "$EIGHT"
	is_installed "$NINE"
	dnf 0 upgrade --setopt=installonly_limit=2
	is_installed "$NINE"
	on_host 0 rpm --query kernel-core
	assert_equal "$(LC_ALL=C sort <<<"$output")" $'kernel-core-5.10.223-10.al8.x86_64\nkernel-core-5.10.223-9.al8.x86_64'
	on_host 1 rpm --query "kmod-wireguard-$EIGHT"
	assert_absent "$ROOT/lib/modules/$EIGHT"
}

@test "the hooks in wgkmod's package: a kernel that dnf installs gets the stored bundle, and loses it before it goes" {
	local file
	host_new
	dnf 0 install wgkmod --setopt=install_weak_deps=False
	for file in /usr/lib/kernel/install.d/10-wgkmod.install /usr/lib/wgkmod/guard; do assert -x "$ROOT$file"; done
	for file in /usr/lib/systemd/system/wgkmod-guard.timer /etc/profile.d/wgkmod.sh; do assert -f "$ROOT$file"; done
	grep -qx 'ExecStart=/usr/lib/wgkmod/guard' "$ROOT/usr/lib/systemd/system/wgkmod-guard.service"
	cp "$OUT/$NINE/wireguard-$NINE.tar" "$OUT/$NINE/wireguard-$NINE.tar.minisig" "$ROOT/root"
	on_host 0 wgkmod store add "/root/wireguard-$NINE.tar"
	dnf 0 install "kernel-$NINE" --setopt=install_weak_deps=False
	assert_line "hook: $NINE: the stored bundle is installed"
	on_host 1 rpm --query "kmod-wireguard-$NINE"
	on_host 0 wgkmod status --kernel "$NINE"
	# as kernel-install calls it
	on_host 0 /usr/lib/kernel/install.d/10-wgkmod.install remove "$NINE"
	assert_line "hook: $NINE: the modules are removed"
	on_host 0 /usr/lib/kernel/install.d/10-wgkmod.install add "$NINE" /boot
	assert_line "hook: $NINE: the stored bundle is installed"
	on_host 0 /usr/lib/wgkmod/guard
	dnf 0 remove kernel kernel-core kernel-modules
	assert_line "hook: $NINE: the modules are removed"
	assert_absent "$ROOT/lib/modules/$NINE"
}

@test "a kernel that is erased leaves no directory, whatever goes first" {
	full_only
	local order
	host_new
	for order in "kernel kernel-modules kernel-core kmod-wireguard-$NINE" \
		"kmod-wireguard-$NINE kernel kernel-modules kernel-core"; do
		dnf 0 install "kmod-wireguard-$NINE" "kernel-$NINE"
		is_installed "$NINE"
		# shellcheck disable=SC2086 # words
		on_host 0 rpm --erase $order
		assert_absent "$ROOT/lib/modules/$NINE"
	done
	dnf 0 install "kmod-wireguard-$NINE" "kernel-$NINE"
	on_host 0 rpm --erase --nodeps kernel kernel-core kernel-modules
	assert_equal "$(find "$ROOT/lib/modules/$NINE" -type f)" ''
	on_host 1 rpm --verify "kmod-wireguard-$NINE"
	dnf 0 install "kernel-$NINE"
	is_installed "$NINE"
	on_host 0 rpm --erase --nodeps kernel kernel-core kernel-modules
	on_host 0 rpm --erase "kmod-wireguard-$NINE"
	assert_absent "$ROOT/lib/modules/$NINE"
}

@test "a newer build for the same kernel replaces the older one" {
	full_only
	local ko=modules/kernel/drivers/net/wireguard/wireguard.ko out=$BATS_TEST_TMPDIR/out before
	host_new
	dnf 0 install "kernel-$NINE" wgkmod
	is_installed "$NINE"
	before=$(sha256sum <"$ROOT/lib/modules/$NINE/${ko#modules/}")
	mkdir "$out"
	cp -r "$OUT/$NINE" "$out"
	modinfo_sed "$out/$NINE/$ko" 's/^description=.*/description=another build/'
	payload_sums "$out/$NINE"
	DEST=$BATS_TEST_TMPDIR/dest
	cp -a "$RPM_DIR/dest" "$DEST"
	OUT=$out SIGN_KEY=$RPM_DIR/keys/minisign.key run_cmd 0 "$ROOT_DIR/scripts/bundle.sh" standin-9
	OUT=$out PUBLIC_KEY=$RPM_DIR/keys/minisign.pub GPG_KEY='wgkmod test' VENDOR=acme BASE_URL=file:///srv \
		run_cmd 0 "$ROOT_DIR/delivery/rpm.sh" "$DEST" standin-9
	assert_line "has kmod-wireguard-$NINE-5.10.223-2, signed by"
	dnf 0 upgrade --refresh "kmod-wireguard-$NINE"
	is_installed "$NINE"
	[[ $(sha256sum <"$ROOT/lib/modules/$NINE/${ko#modules/}") != "$before" ]]
	dnf 0 downgrade "kmod-wireguard-$NINE"
	is_installed "$NINE"
	assert_equal "$(sha256sum <"$ROOT/lib/modules/$NINE/${ko#modules/}")" "$before"
}

@test "a bundle that does not fit the kernel: dnf ends with 0, one line says why, and the tree is untouched" {
	local before
	host_new
	dnf 0 install "kernel-$NINE"
	gzip -dc "$ROOT/lib/modules/$NINE/symvers.gz" | sed 's/^0x........\tskb_push\t/0x12345678\tskb_push\t/' |
		gzip -n >"$BATS_TEST_TMPDIR/symvers.gz"
	cp "$BATS_TEST_TMPDIR/symvers.gz" "$ROOT/lib/modules/$NINE/symvers.gz"
	before=$(tree "$NINE")
	dnf 0 install "kmod-wireguard-$NINE"
	assert_line "^wgkmod: cannot install 'modules/kernel/.*\.ko': version of 'skb_push' is 0x[0-9a-f]*, but 0x12345678" \
		"in 'vmlinux'$"
	diff <(printf '%s\n' "$before") <(tree "$NINE")
	on_host 1 rpm --verify "kmod-wireguard-$NINE"
	dnf 0 remove "kmod-wireguard-$NINE"
	diff <(printf '%s\n' "$before") <(tree "$NINE")
}

@test "rpm killed in the middle of an install or an erase: old tree or new tree, and the same command completes it" {
	local before
	host_new
	dnf 0 install "kernel-$NINE" wgkmod --setopt=install_weak_deps=False
	before=$(tree "$NINE")
	# the first depmod that wgkmod runs kills all that runs on this host
	rm "$ROOT/sbin/depmod"
	printf '#!/bin/bash\n[[ -e /killed ]] || { : >/killed && kill -KILL -1; }\nexec -a depmod /bin/kmod "$@"\n' \
		>"$ROOT/sbin/depmod"
	chmod +x "$ROOT/sbin/depmod"
	dnf 137 install "kmod-wireguard-$NINE"
	[[ -e $ROOT/killed ]]
	diff <(printf '%s\n' "$before") <(tree "$NINE")
	on_host 1 rpm --verify "kmod-wireguard-$NINE"
	dnf 0 reinstall "kmod-wireguard-$NINE"
	is_installed "$NINE"

	rm "$ROOT/killed"
	dnf 137 remove "kmod-wireguard-$NINE"
	[[ -e $ROOT/killed ]]
	is_installed "$NINE"
	dnf 0 remove "kmod-wireguard-$NINE"
	diff <(printf '%s\n' "$before") <(tree "$NINE")
}

@test "metadata or a package that was changed is refused" {
	local package before
	host_new
	DEST=$BATS_TEST_TMPDIR/dest
	cp -a "$RPM_DIR/dest" "$DEST"
	sed -i 's,<revision>1<,<revision>2<,' "$DEST/rpm/repodata/repomd.xml"
	dnf 1 install wgkmod
	assert_line 'repomd.xml GPG signature verification error|Bad PGP signature'
	cp "$RPM_DIR/dest/rpm/repodata/repomd.xml" "$DEST/rpm/repodata"
	package=$(echo "$DEST"/rpm/Packages/wgkmod-0*.rpm)
	flip "$package" $(($(stat -c %s "$package") - 500))
	dnf 1 install wgkmod
	assert_absent "$ROOT/usr/sbin/wgkmod"
	cp "$RPM_DIR/dest/rpm/Packages/${package##*/}" "$package"
	dnf 0 install wgkmod
}

@test "wgkmod-kernel-ceiling keeps a kernel away that has no modules" {
	host_new
	dnf 0 install wgkmod "kernel-$EIGHT" wgkmod-kernel-ceiling
	dnf 0 upgrade --nobest
	on_host 0 rpm --query kernel-core
	assert_equal "$(LC_ALL=C sort <<<"$output")" $'kernel-core-5.10.223-8.al8.x86_64\nkernel-core-5.10.223-9.al8.x86_64'
	is_installed "$NINE"
	dnf 1 upgrade
	assert_line 'wgkmod-kernel-ceiling-5.10.223-9.al8.1.noarch conflicts with kernel-core > 5.10.223-9.al8'
	dnf 0 remove wgkmod-kernel-ceiling
	dnf 0 upgrade
	on_host 0 rpm --query kernel-core-5.10.223-10.al8
}
