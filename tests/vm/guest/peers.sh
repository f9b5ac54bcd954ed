# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# peers.sh - two peers in the network namespaces "left" and "right", joined by a pair of veth, that
# use WireGuard.  Sourced after lib.sh and modules.sh.

left() { ip netns exec left "$@"; }
right() { ip netns exec right "$@"; }

# peer NAME VETH-ADDRESS NUMBER: Set up one end, without its peer's key.
peer() {
	local name=$1 address=$2 number=$3
	(umask 077 && wg genkey >"/tmp/$name.key")
	wg pubkey <"/tmp/$name.key" >"/tmp/$name.pub"
	run ip -n "$name" address add "$address" dev veth
	run ip -n "$name" link set veth up
	run ip -n "$name" link add wg0 type wireguard
	run ip netns exec "$name" wg set wg0 private-key "/tmp/$name.key" listen-port 51820
	run ip -n "$name" address add "10.9.0.$number/24" dev wg0
	run ip -n "$name" address add "fd00:9::$number/64" dev wg0 nodad
	run ip -n "$name" link set wg0 up
}

# join NAME OTHER ENDPOINT NUMBER: Add OTHER to NAME as its peer.
join() {
	run ip netns exec "$1" wg set wg0 peer "$(<"/tmp/$2.pub")" endpoint "$3:51820" \
		allowed-ips "10.9.0.$4/32,fd00:9::$4/128"
}

set_up() {
	run ip netns add left
	run ip netns add right
	run ip link add veth netns left type veth peer name veth netns right
	peer left 192.168.9.1/24 1
	peer right 192.168.9.2/24 2
	join left right 192.168.9.2 2
	join right left 192.168.9.1 1
}

# ping_ms SIDE ADDRESS COUNT: Print the mean time of COUNT pings in milliseconds; fail if one is not answered.
ping_ms() {
	local side=$1 address=$2 count=$3 n answer='' total=0 us
	for ((n = 0; n < count; n++)); do # one by one: busybox waits a second between two
		answer=$("$side" busybox ping -c 1 -W 20 "$address") ||
			fail "no answer through the tunnel to a ping from $side to $address: $answer"
		[[ $answer =~ time=([0-9]+)\.([0-9]{3})\ ms ]] || fail "cannot read the answer of ping: $answer"
		us=$((10#${BASH_REMATCH[1]} * 1000 + 10#${BASH_REMATCH[2]}))
		total=$((total + us))
	done
	us=$((total / count))
	printf '%d.%03d\n' $((us / 1000)) $((us % 1000))
}

# assert_handshake SIDE: Fail unless SIDE has a session with its peer.
assert_handshake() {
	local when
	when=$("$1" wg show wg0 latest-handshakes | cut -f 2)
	[[ $when -gt 0 ]] || fail "$1 has no handshake with its peer"
}

pings() {
	local first there back
	first=$(ping_ms left 10.9.0.2 1)
	report handshake_ms "$first"
	assert_handshake left
	assert_handshake right
	there=$(ping_ms left 10.9.0.2 5)
	back=$(ping_ms right 10.9.0.1 5)
	report ping4_ms "$there/$back"
	there=$(ping_ms left fd00:9::2 5)
	back=$(ping_ms right fd00:9::1 5)
	report ping6_ms "$there/$back"
}

# listening PORT: Return 0 if a program listens on TCP port PORT on the right side.
listening() { [[ -n $(right ss -Hltn "sport = :$1") ]]; }

# received SIDE: Print the number of octets that WireGuard received.
received() { "$1" wg show wg0 transfer | cut -f 2; }

transfer() {
	local size=$((8 << 20)) start took server tries=0 sent got octets
	head -c "$size" /dev/urandom >/tmp/sent
	mkfifo /tmp/never # if the receiver's input ended, the sender would end too
	right timeout 120 busybox nc -l -p 5000 <>/tmp/never >/tmp/got &
	server=$!
	until listening 5000; do
		((++tries < 200)) || fail "nothing listens in the namespace 'right'"
		sleep 0.05
	done
	start=$(now_ms)
	left timeout 120 busybox nc 10.9.0.2 5000 </tmp/sent || fail "sending 8 MiB failed with status $?"
	wait "$server" || fail "receiving 8 MiB failed with status $?"
	took=$(($(now_ms) - start))
	sent=$(sha256sum </tmp/sent)
	got=$(sha256sum </tmp/got)
	[[ $sent == "$got" ]] ||
		fail "what arrived is not what was sent: $(stat -c %s /tmp/got) of $size octets, another sha256"
	octets=$(received right)
	((octets > size)) || fail "only $octets octets went through WireGuard, the rest went elsewhere"
	report tcp_s "$(seconds "$took")"
	report tcp_mib_s "$(seconds $((8 * 1000 * 1000 / took)))"
}

# part_them: Delete the interfaces and the two peers.
part_them() {
	run ip -n left link delete wg0
	run ip -n right link delete wg0
	run ip -n left link delete veth
	run ip netns delete left
	run ip netns delete right
}

tear_down() {
	part_them
	unload_ours
}
