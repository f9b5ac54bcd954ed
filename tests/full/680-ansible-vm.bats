#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The Ansible role on a host with a kernel of its own: the VM.  The role loads the modules too.

# shellcheck disable=SC2034 # WEB is play's

load ../lib/helpers
load ../lib/servers
load ../lib/ansible

KERNEL=5.10.0-32-amd64

setup_file() {
	"$ROOT_DIR/scripts/install-deps.sh" @vm ansible-playbook sshd minisign >&2
	TIMEOUT=900 run_cmd 0 make -C "$ROOT_DIR" --no-print-directory bundle TARGET="$TARGET_NAME"
	TARGET_DIR=$ROOT_DIR/tests/vm/targets run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" ssh-host base vm
}
teardown_file() { servers_stop; }

teardown() {
	if [[ -n ${VM_TEST:-} ]] && kill -0 "$VM_TEST" 2>/dev/null; then kill "$VM_TEST"; fi
}

# in_vm STATUS COMMAND...: Run the command in the VM by ssh.
in_vm() {
	run_cmd "$1" ssh -q -F /dev/null -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o ConnectTimeout=5 \
		-o BatchMode=yes -i "$KEYS/ssh" -p "$SSH_PORT" root@127.0.0.1 "${@:2}"
}

# vm_with_sshd: Start the VM, and wait until its sshd answers.
vm_with_sshd() {
	export VM_EXTRA=$BATS_TEST_TMPDIR/extra
	mkdir "$VM_EXTRA"
	cp "$KEYS/host" "$KEYS/ssh.pub" "$VM_EXTRA"
	sshd_config 22 10.0.2.15 /run/vm/extra >"$VM_EXTRA/sshd_config"
	free_ports 29000
	SSH_PORT=$PORT
	TARGET_DIR=$ROOT_DIR/tests/vm/targets VM_TIMEOUT=1200 "$ROOT_DIR/tests/vm/test.sh" ssh-host ssh \
		-netdev "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:$SSH_PORT-:22" -device virtio-net-pci,netdev=net \
		>"$BATS_TEST_TMPDIR/said" 2>&1 3>&- 4>&- </dev/null &
	VM_TEST=$!
	wait_until 300 in_vm 0 true 2>/dev/null
	echo "vm ansible_host=127.0.0.1 ansible_port=$SSH_PORT" >"$BATS_TEST_TMPDIR/inventory"
}

@test "the role installs and loads the running kernel's modules, and two peers use them; again, it changes nothing" {
	local www=$BATS_TEST_TMPDIR/www load='{"wgkmod_load": true}'
	KEYS=$BATS_TEST_TMPDIR/keys
	mkdir -p "$KEYS" "$www/$KERNEL"
	ssh_keys "$KEYS"
	run_cmd 0 minisign -G -f -W -p "$KEYS/minisign.pub" -s "$KEYS/minisign.key"
	cp "$OUT/$KERNEL/wireguard-$KERNEL.tar" "$www/$KERNEL"
	run_cmd 0 minisign -S -s "$KEYS/minisign.key" -m "$www/$KERNEL/wireguard-$KERNEL.tar" -t timestamp:2
	http_start_anywhere "$www"
	WEB=$PORT
	vm_with_sshd
	play 0 -e "$load" --check
	in_vm 1 test -e /usr/local/sbin/wgkmod
	play 0 -e "$load"
	assert "$(recap vm changed)" -gt 0
	in_vm 0 cat /sys/module/wireguard/initstate
	assert_line '^live$'
	play 0 -e "$load"
	assert_equal "$(recap vm changed)" 0
	in_vm 0 touch /tmp/end
	wait "$VM_TEST" || fail "$(cat "$BATS_TEST_TMPDIR/said")"
	output=$(cat "$BATS_TEST_TMPDIR/said")
	assert_line '^modules .* wireguard$'
	assert_line '^taint 12288: O E$'
	assert_line '^tcp_mib_s '
}
