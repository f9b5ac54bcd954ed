# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The Ansible role, by the real ansible-playbook over ssh.  Load after helpers.  The test sets
#
#	$KEYS     directory with the keys ssh (of root on each host), host (of each sshd) and minisign.pub
#	$WEB      port of the web server that has the bundles
#	$KERNEL   the kernel of each host that the inventory gives no other
#
# and writes a line for each host to $BATS_TEST_TMPDIR/inventory.

# ssh_keys DIR: Make the keys of ssh in DIR.
ssh_keys() {
	ssh-keygen -q -t ed25519 -N '' -f "$1/ssh"
	ssh-keygen -q -t ed25519 -N '' -f "$1/host"
}

# sshd_config PORT ADDRESS KEYS: Print the configuration of an sshd that takes root's key.
sshd_config() {
	cat <<-EOF
		Port $1
		ListenAddress $2
		HostKey $3/host
		AuthorizedKeysFile $3/ssh.pub
		PidFile none
		StrictModes no
		UsePAM no
		PermitRootLogin yes
		Subsystem sftp internal-sftp
	EOF
}

# play STATUS [OPTION...]: Run the example's playbook on the hosts of the inventory.
play() {
	local status=$1
	shift
	: >"$BATS_TEST_TMPDIR/ansible.cfg" # not the user's
	LC_ALL=C.UTF-8 ANSIBLE_CONFIG=$BATS_TEST_TMPDIR/ansible.cfg ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=1 \
		ANSIBLE_LOCAL_TEMP=$BATS_TEST_TMPDIR/ansible \
		ANSIBLE_SSH_ARGS='-F /dev/null -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no' \
		run_cmd "$status" ansible-playbook -i "$BATS_TEST_TMPDIR/inventory" --private-key "$KEYS/ssh" --user root \
		-e "wgkmod_base=http://127.0.0.1:$WEB" -e "wgkmod_key=$KEYS/minisign.pub" \
		-e "wgkmod_cache=$BATS_TEST_TMPDIR/cache" -e "{\"wgkmod_kernels\": [\"{{ kernel | default('$KERNEL') }}\"]}" \
		"$@" "$ROOT_DIR/ansible/wgkmod.yml"
}

# recap HOST ITEM: Print the number that the play's recap has for it.
# shellcheck disable=SC2154 # run_cmd sets output
recap() { sed -n "s/^$1 .* $2=\([0-9]*\).*/\1/p" <<<"$output"; }
