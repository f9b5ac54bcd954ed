#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The Ansible role, by the real ansible-playbook over ssh: hosts of the stand-in, each a directory behind an sshd on the
# loopback device.

# shellcheck disable=SC2030,SC2031,SC2034 # each test is a subshell; DEST is on_host's, KEYS and KERNEL play's

load lib/helpers
load lib/modules
load lib/servers
load lib/al8
load lib/rpm
load lib/ansible

NINE=5.10.223-9.al8.x86_64
EIGHT=5.10.223-8.al8.x86_64

# The hosts are copies of the base with the kernel 9.
setup_file() {
	"$ROOT_DIR/scripts/install-deps.sh" ansible-playbook sshd >&2
	rpm_setup
	ssh_keys "$RPM_DIR/keys"
	ROOT=$RPM_DIR/base DEST=$RPM_DIR/dest
	dnf 0 install "kernel-$NINE"
}
teardown_file() {
	servers_stop
	rpm_teardown
}

setup() {
	export TARGET_DIR=$AL8_TARGETS
	WWW=$BATS_TEST_TMPDIR/www
	mkdir -p "$WWW/$NINE"
	cp "$OUT/$NINE/wireguard-$NINE.tar" "$OUT/$NINE/wireguard-$NINE.tar.minisig" "$WWW/$NINE"
	http_start_anywhere "$WWW"
	WEB=$PORT KEYS=$RPM_DIR/keys KERNEL=$NINE
	touch "$BATS_TEST_TMPDIR/inventory" "$BATS_TEST_TMPDIR/sshd"
}
teardown() {
	local pid
	while read -r pid; do kill "$pid"; done <"$BATS_TEST_TMPDIR/sshd"
}

# host_start N: Make the host N, and an sshd for it.  ChrootDirectory takes no path with /tmp in it,
# so the sshd has a mount namespace of its own, where /run is the host's.
# shellcheck disable=SC2016 # expanded by the inner shell
host_start() {
	local dir=$BATS_TEST_TMPDIR/host$1
	DEST=$RPM_DIR/dest
	cp -a "$RPM_DIR/base" "$dir"
	free_ports 28000
	{
		sshd_config "$PORT" 127.0.0.1 "$KEYS"
		echo 'ChrootDirectory /run/host'
	} >"$dir.conf"
	unshare --mount bash -euc '
		mkdir -p /run/sshd
		mount -t tmpfs -o mode=755 tmpfs /run
		mkdir -m 755 /run/sshd /run/host
		mount --bind "$1" /run/host
		mount -t proc proc /run/host/proc
		mount --bind /dev /run/host/dev
		exec /usr/sbin/sshd -D -e -f "$1.conf"' - "$dir" >"$dir.log" 2>&1 3>&- 4>&- </dev/null &
	printf '%d\n' $! >>"$BATS_TEST_TMPDIR/sshd"
	printf 'host%d ansible_host=127.0.0.1 ansible_port=%d\n' "$1" "$PORT" >>"$BATS_TEST_TMPDIR/inventory"
	wait_until 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT" 2>/dev/null
}

# start_hosts N...: Start these hosts.
start_hosts() {
	local host
	for host in "$@"; do host_start "$host"; done
}

# all_trees: Print the kernel's directory of the hosts 1 and 2, and what else is the role's.
all_trees() {
	local host
	for host in 1 2; do
		ROOT=$BATS_TEST_TMPDIR/host$host
		tree "$NINE"
		(cd "$ROOT" && find . -path './etc/wgkmod*' -o -path './var/lib/wgkmod*' -o -path './usr/local/sbin*')
	done
}

@test "the first run changes each host, the second none, check mode nothing; FULL=1: a host that lost its modules" {
	local before host
	start_hosts 1 2
	before=$(all_trees)
	play 0 --check
	diff <(printf '%s\n' "$before") <(all_trees)
	for host in host1 host2; do [[ $(recap $host changed) -gt 0 ]]; done
	play 0
	for host in host1 host2; do [[ $(recap $host changed) -gt 0 ]]; done
	for host in 1 2; do
		ROOT=$BATS_TEST_TMPDIR/host$host
		on_host 0 wgkmod status --kernel "$NINE"
		assert_line "^$NINE: 4 modules$"
	done
	play 0
	for host in host1 host2; do assert_equal "$(recap $host changed)" 0; done
	[[ -n ${FULL:-} ]] || return 0 # a play takes half a minute
	ROOT=$BATS_TEST_TMPDIR/host2
	on_host 0 wgkmod remove --kernel "$NINE"
	play 0 --check
	assert_equal "$(recap host1 changed) $(recap host2 changed)" '0 1'
	on_host 0 wgkmod status --kernel "$NINE"
	assert_line 'nothing is installed'
	play 0
	assert_equal "$(recap host1 changed) $(recap host2 changed)" '0 1'
}

@test "several kernels: the bundle of one that is not there yet waits in the store, and is installed when it is there" {
	full_only
	local all="{\"wgkmod_kernels\": [\"$EIGHT\", \"$NINE\"]}"
	start_hosts 1
	ROOT=$BATS_TEST_TMPDIR/host1
	mkdir "$WWW/$EIGHT"
	cp "$OUT/$EIGHT/wireguard-$EIGHT.tar" "$OUT/$EIGHT/wireguard-$EIGHT.tar.minisig" "$WWW/$EIGHT"
	play 0 -e "$all"
	on_host 0 wgkmod status --kernel "$NINE"
	assert_line "^$NINE: 4 modules$"
	assert -f "$ROOT/var/lib/wgkmod/bundles/wireguard-$EIGHT.tar"
	assert_absent "$ROOT/lib/modules/$EIGHT"
	dnf 0 install "kernel-$EIGHT"
	play 0 -e "$all"
	on_host 0 wgkmod status --kernel "$EIGHT"
	assert_line "^$EIGHT: [1-9][0-9]* modules$"
	play 0 -e "$all"
	assert_equal "$(recap host1 changed)" 0
}

@test "a host whose kernel has no bundle fails alone" {
	full_only
	start_hosts 1 2 3
	sed -i '/^host2/s/$/ kernel=6.6.6-nobody/' "$BATS_TEST_TMPDIR/inventory"
	play 2
	assert_line 'not covered: http://127.0.0.1:[0-9]* has no bundle for the kernel 6.6.6-nobody'
	assert_equal "$(recap host1 failed) $(recap host2 failed) $(recap host3 failed)" '0 1 0'
}

@test "an altered bundle, or one of another key, ends the play before any host is changed" {
	local before keys=$BATS_TEST_TMPDIR/new
	start_hosts 1 2
	before=$(all_trees)
	flip "$WWW/$NINE/wireguard-$NINE.tar" 4000
	play 2
	assert_line 'NO MORE HOSTS LEFT'
	assert_equal "$(recap host1 failed)$(recap host2 failed)" 1
	diff <(grep '^[0-9]' <<<"$before") <(all_trees | grep '^[0-9]')
	assert_absent "$BATS_TEST_TMPDIR/host1/usr/local/sbin/wgkmod"
	cp "$OUT/$NINE/wireguard-$NINE.tar" "$WWW/$NINE"
	run_cmd 0 minisign -G -f -W -p "$keys.pub" -s "$keys.key"
	run_cmd 0 minisign -S -s "$keys.key" -m "$WWW/$NINE/wireguard-$NINE.tar"
	play 2
	assert_line 'NO MORE HOSTS LEFT'
	assert_equal "$(recap host1 failed)$(recap host2 failed)" 1
}

@test "a bundle older than the installed one ends the play; wgkmod_allow_older takes it" {
	full_only
	local bundle=$WWW/$NINE/wireguard-$NINE.tar
	start_hosts 1
	play 0
	run_cmd 0 minisign -S -s "$RPM_DIR/keys/minisign.key" -m "$bundle" -t timestamp:1
	play 2
	assert_line 'it is older than what is installed: its timestamp is 1, '
	play 0 -e '{"wgkmod_allow_older": true}'
	ROOT=$BATS_TEST_TMPDIR/host1
	on_host 0 wgkmod status --kernel "$NINE"
	assert_line "^$NINE: 4 modules$"
}

@test "a role without its variables says which" {
	start_hosts 1
	play 2 -e wgkmod_key=
	assert_line 'wgkmod_base .* and wgkmod_key .* must be set'
}
