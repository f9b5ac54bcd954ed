#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# systemd's real kernel-install, and Debian's way to run the scripts of a kernel's package, with our hooks: a
# kernel comes and goes, whatever fails in them.  They work on a copy of this system: an overlay of /, in which
# /lib/modules, /boot and the plugins are the test's.

load lib/helpers
load lib/modules
load lib/bundle
load sweep/tools
load lib/install

setup() {
	needs_root 'to mount an overlay'
	plain_only
	host_make
	MODULES=$ROOT/lib/modules/$RELEASE
	KEY=$BATS_TEST_TMPDIR/key BUNDLE=$BATS_TEST_TMPDIR/bundle.tar
	key_make "$KEY"
	bundle_make "$PAYLOAD" "$BUNDLE"
	key_sign "$KEY" "$BUNDLE"
	system=$BATS_TEST_TMPDIR/system
	mkdir -p "$system"/{upper,work,all,boot,plugins,modules}
	cp -r "$MODULES" "$system/modules/"
	MODULES=$system/modules/$RELEASE
	cp "$WGKMOD" "$system/wgkmod"
	cp "$ROOT_DIR/hooks/10-wgkmod.install" "$system/plugins/"
	printf '#!/bin/sh\necho "$1 $2" >>/boot/plugins-after\n' >"$system/plugins/20-after.install"
	chmod +x "$system/plugins/20-after.install"
	: >"$system/boot/vmlinuz"
	as_system 0 'install -D -m 644 "$0" /etc/wgkmod/keys.d/key.pub && wgkmod store add "$1"' "$KEY.pub" "$BUNDLE"
}

# as_system STATUS SCRIPT WORD...: run the script in the copy of the system; $BEFORE runs first there.
as_system() {
	BEFORE=${BEFORE:-:} run_cmd "$1" unshare --mount sh -euc '
		cd "$1"
		mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work all
		mount --rbind /proc all/proc
		mount --bind /dev all/dev
		mount --bind /tmp all/tmp
		mkdir -p all/usr/lib/kernel/install.d all/lib/modules
		mount --bind plugins all/usr/lib/kernel/install.d
		mount --bind modules all/lib/modules
		mount --bind boot all/boot
		[ -e all/usr/local/sbin/wgkmod ] || cp wgkmod all/usr/local/sbin/
		script=$2
		shift 2
		exec chroot all sh -euc "$BEFORE; $script" "$@"' - "$system" "$2" "${@:3}"
}

# comes, goes: kernel-install adds and removes the kernel, and the plugins after ours run.
comes() {
	rm -f "$system/boot/plugins-after"
	as_system 0 "kernel-install add $RELEASE /boot/vmlinuz"
	assert_equal "$(<"$system/boot/plugins-after")" "add $RELEASE"
}

goes() {
	rm -f "$system/boot/plugins-after"
	as_system 0 "kernel-install remove $RELEASE"
	assert_equal "$(<"$system/boot/plugins-after")" "remove $RELEASE"
}

covered() { [[ -e $MODULES/.wgkmod/installed ]]; }
uncovered() { [[ ! -e $MODULES/.wgkmod ]]; }

@test "the kernel comes with its modules, and goes without a trace of them" {
	local before
	before=$(tree_print "$MODULES")
	comes
	covered
	as_system 0 "wgkmod status --kernel $RELEASE"
	before_second=$(tree_print "$MODULES" times)
	comes
	diff <(printf '%s\n' "$before_second") <(tree_print "$MODULES" times)
	goes
	uncovered
	goes
	diff <(printf '%s\n' "$before" | grep -v modules.) <(tree_print "$MODULES" | grep -v modules.)
}

@test "nothing stored, a bad bundle, no wgkmod, one that crashes, a full disk: the kernel comes and goes" {
	BEFORE='rm /var/lib/wgkmod/bundles/*' comes
	assert_line "hook: $RELEASE: no bundle for it is in the store"
	uncovered
	as_system 0 'wgkmod store add "$0"' "$BUNDLE"
	BEFORE="echo x >>/var/lib/wgkmod/bundles/wireguard-$RELEASE.tar" comes
	uncovered
	goes
	as_system 0 'wgkmod store add "$0"' "$BUNDLE"
	BEFORE='rm /usr/local/sbin/wgkmod' comes
	assert_line "^wgkmod: hook add $RELEASE failed: see 'wgkmod guard'$"
	goes
	cp "$system/wgkmod" "$BATS_TEST_TMPDIR/good"
	printf '#!/bin/sh\nkill -SEGV $$\n' >"$system/wgkmod"
	as_system 0 'cp "$0" /usr/local/sbin/' "$system/wgkmod"
	comes
	goes
	as_system 0 'cp "$0" /usr/local/sbin/wgkmod' "$BATS_TEST_TMPDIR/good"
	# the kernel's directory is on a full disk
	BEFORE="mkdir /mnt/full && mount -t tmpfs -o size=8m full /mnt/full && cp -r /lib/modules/$RELEASE /mnt/full/ &&
		mount --bind /mnt/full /lib/modules && { dd if=/dev/zero of=/lib/modules/fill bs=4k 2>/dev/null || :; }" comes
	assert_line "hook: $RELEASE: the stored bundle cannot be installed"
	uncovered
}

@test "killed at a random moment, before any system call, the kernel comes, and the next run brings the modules" {
	local n
	for n in 1 40 120 300 500 800 1200 2000; do
		rm -rf "$MODULES" && cp -r "$ROOT/lib/modules/$RELEASE" "$MODULES"
		cat >"$system/killed" <<-EOF
			#!/bin/sh
			exec strace -o /dev/null -e inject=all:signal=KILL:when=$n /usr/local/sbin/wgkmod.real "\$@"
		EOF
		chmod +x "$system/killed"
		BEFORE="mv /usr/local/sbin/wgkmod /usr/local/sbin/wgkmod.real && cp '$system/killed' /usr/local/sbin/wgkmod" comes
		as_system 0 'mv /usr/local/sbin/wgkmod.real /usr/local/sbin/wgkmod'
		comes
		covered
	done
}

@test "Debian's scripts: run-parts takes them, the kernel comes and goes, whatever fails" {
	local dir
	for dir in postinst prerm postrm; do
		as_system 0 'mkdir -p "/etc/kernel/$0.d" && rm -f "/etc/kernel/$0.d"/* && cp "$1" "/etc/kernel/$0.d/wgkmod"' \
			"$dir" "$ROOT_DIR/hooks/debian"
	done
	as_system 0 "run-parts --arg=$RELEASE --arg=/boot/vmlinuz /etc/kernel/postinst.d"
	covered
	as_system 0 "run-parts --arg=$RELEASE --arg=/boot/vmlinuz /etc/kernel/prerm.d"
	uncovered
	as_system 0 "run-parts --arg=$RELEASE --arg=/boot/vmlinuz /etc/kernel/postrm.d"
	BEFORE='rm /usr/local/sbin/wgkmod' as_system 0 "run-parts --arg=$RELEASE /etc/kernel/postinst.d"
	assert_line "^wgkmod: hook add $RELEASE failed: see 'wgkmod guard'$"
}

RUNNING=6.12.117+deb13-amd64
# guard_unit STATUS SETTINGS: run what wgkmod-guard.service runs, with /etc/wgkmod.conf, where 'wgkmod guard' says that
# the next kernel has no WireGuard, and the running one has.
guard_unit() {
	cat >"$BATS_TEST_TMPDIR/fake" <<-'FAKE'
		#!/bin/sh
		case $* in
		*--prometheus) echo 'wgkmod_next_kernel_covered 0' ;;
		*--porcelain) printf 'next\tx\tgrub.cfg\tuncovered\nkernel\t%s\tcovered\n' "$(uname -r)" ;;
		*) echo 'wgkmod: x boots next (grub.cfg), and has no WireGuard' ;;
		esac
		exit 3
	FAKE
	printf '#!/bin/sh\necho "$*" >/boot/grubby\n' >"$BATS_TEST_TMPDIR/grubby"
	printf '#!/bin/sh\necho %s\n' "$RUNNING" >"$BATS_TEST_TMPDIR/uname"
	chmod +x "$BATS_TEST_TMPDIR"/{fake,grubby,uname}
	rm -f "$system/boot/grubby"
	as_system "$1" 'cp "$0" /usr/local/sbin/wgkmod; cp "$1" "$2" /usr/local/sbin/; printf "%s\n" "$3" >/etc/wgkmod.conf
		mount -t tmpfs tmpfs /run; status=0; mkdir -p /run/metrics; sh "$4" || status=$?
		rm /usr/local/sbin/uname
		sh -c ". $5" 2>/boot/scp; sh -i -c ". $5" 2>/boot/login
		cp /run/metrics/wgkmod.prom /boot/ || :; ls -A /run/metrics >/boot/metrics; exit $status' \
		"$BATS_TEST_TMPDIR/fake" "$BATS_TEST_TMPDIR"/{grubby,uname} "$2" "$ROOT_DIR/hooks"/{guard,wgkmod.sh}
}

@test "the unit fails when guard says no, keeps a line for the login and metrics; it changes the default only if told" {
	guard_unit 3 'TEXTFILE=/run/metrics'
	grep -Fx 'wgkmod: x boots next (grub.cfg), and has no WireGuard' "$system/boot/login"
	assert_equal "$(<"$system/boot/scp")" ''
	assert_equal "$(<"$system/boot/metrics")" wgkmod.prom
	assert_equal "$(<"$system/boot/wgkmod.prom")" 'wgkmod_next_kernel_covered 0'
	assert_absent "$system/boot/grubby"
	guard_unit 3 'GUARD=keep'
	assert_equal "$(<"$system/boot/grubby")" "--set-default /boot/vmlinuz-$RUNNING"
	assert_line "^wgkmod: GUARD=keep: ${RUNNING/+/\\+} is the default again, which has WireGuard$"
}
