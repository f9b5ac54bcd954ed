# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Servers on the loopback device, for one test file, in place of a distribution's registry and mirrors.  Load
# after helpers, and call servers_stop in teardown_file.

# server_start URL COMMAND...: Run the command in the background and wait until it answers on URL.  If it ends
# first, print its output and return 1.  servers_stop ends it.
server_start() {
	local url=$1 log
	shift
	if curl --silent --max-time 5 "$url" >/dev/null; then
		printf 'something answers on %s already\n' "$url" >&2
		return 1
	fi
	log=$(mktemp "$BATS_FILE_TMPDIR/server.XXXXXX")
	"$@" >"$log" 2>&1 3>&- 4>&- </dev/null &
	local pid=$!
	for _ in {1..100}; do
		if ! kill -0 "$pid" 2>/dev/null; then
			cat "$log" >&2
			return 1
		fi
		if curl --silent --fail --max-time 5 "$url" >/dev/null; then
			printf '%d\n' "$pid" >>"$BATS_FILE_TMPDIR/servers"
			return 0
		fi
		sleep 0.1
	done
	kill "$pid"
	cat "$log" >&2
	return 1
}

# server_start_anywhere COMMAND...: Run the command, which prints "port N", in the background.  Set PORT to N and
# SERVER_LOG to the file with its output.  If it ends first, print its output and return 1.  servers_stop ends it.
server_start_anywhere() {
	local pid
	SERVER_LOG=$(mktemp "$BATS_FILE_TMPDIR/server.XXXXXX")
	"$@" >"$SERVER_LOG" 2>&1 3>&- 4>&- </dev/null &
	pid=$!
	printf '%d\n' "$pid" >>"$BATS_FILE_TMPDIR/servers"
	for _ in {1..300}; do
		PORT=$(sed -n 's/.*port \([0-9]*\).*/\1/p;q' "$SERVER_LOG")
		[[ -z $PORT ]] || return 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	cat "$SERVER_LOG" >&2
	return 1
}

# servers_stop: End all servers of this test file.
servers_stop() {
	local pid
	[[ -f $BATS_FILE_TMPDIR/servers ]] || return 0
	while read -r pid; do
		kill "$pid" 2>/dev/null || printf 'server %d had ended\n' "$pid" >&2
	done <"$BATS_FILE_TMPDIR/servers"
}

# registry_start PORT: Start an empty registry of container images that speaks plain HTTP, and put a skopeo into
# PATH that uses plain HTTP with it.
registry_start() {
	local port=$1 dir=$BATS_FILE_TMPDIR skopeo
	cat >"$dir/registry.yml" <<-EOY
		version: 0.1
		storage: {filesystem: {rootdirectory: $dir/registry}}
		http: {addr: "127.0.0.1:$port"}
	EOY
	server_start "http://127.0.0.1:$port/v2/" docker-registry serve "$dir/registry.yml" || return 1
	printf '[[registry]]\nlocation = "127.0.0.1:%d"\ninsecure = true\n' "$port" >"$dir/registries.conf"
	mkdir -p "$dir/bin"
	skopeo=$(PATH=${PATH#"$dir/bin:"} command -v skopeo)
	printf '#!/bin/sh\nexec %s --registries-conf %s "$@"\n' "$skopeo" "$dir/registries.conf" >"$dir/bin/skopeo"
	chmod +x "$dir/bin/skopeo"
	[[ $PATH == "$dir/bin:"* ]] || export PATH=$dir/bin:$PATH
}

# free_ports FROM: Set PORT to a free port among the thousand from FROM on; the port after it is free too.
free_ports() {
	PORT=$(python3 - "$1" <<-'EOP'
		import random, socket, sys

		def is_free(port):
		    with socket.socket() as s:
		        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		        try:
		            s.bind(("127.0.0.1", port))
		        except OSError:
		            return False
		    return True

		first = int(sys.argv[1])
		print(next(p for p in random.sample(range(first, first + 1000, 2), 500) if is_free(p) and is_free(p + 1)))
	EOP
	)
}

# http_start PORT DIR: Serve the directory over HTTP.
http_start() {
	server_start "http://127.0.0.1:$1/" python3 -m http.server --bind 127.0.0.1 --directory "$2" "$1"
}

# http_start_anywhere DIR: Serve the directory over HTTP on a port that the kernel chooses, and set PORT to it.
http_start_anywhere() {
	server_start_anywhere python3 -u -m http.server --bind 127.0.0.1 --directory "$1" 0
}
