# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A registry of container images that speaks TLS by an authority of its own and asks for a login.  Load after helpers
# and servers.

# tls_make DIR [DAYS]: Make an authority, DIR/ca.crt, and a certificate of it for 127.0.0.1, DIR/tls.crt and tls.key,
# valid for DAYS (30; 0: expired).
tls_make() {
	local dir=$1 days=${2:-30}
	mkdir -p "$dir"
	{
		openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=authority of a test' \
			-keyout "$dir/ca.key" -out "$dir/ca.crt"
		openssl req -newkey rsa:2048 -nodes -subj '/CN=127.0.0.1' -keyout "$dir/tls.key" -out "$dir/tls.csr"
		openssl x509 -req -in "$dir/tls.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial \
			-days "$days" -out "$dir/tls.crt" -extfile <(echo 'subjectAltName=IP:127.0.0.1')
	} 2>/dev/null
}

# registry_tls DIR [LINES]: Start a registry with the certificate in DIR on a free port, for the user "publisher" with
# the password "secret-of-the-registry".  LINES are more lines of storage: in its configuration.  Set REGISTRY_HOST, and
# REGISTRY_LOG to its log of requests.
registry_tls() {
	local dir=$1
	free_ports 25000
	htpasswd -B -C 4 -bn publisher secret-of-the-registry >"$dir/htpasswd" 2>/dev/null
	cat >"$dir/registry.yml" <<-EOF
		version: 0.1
		log: {accesslog: {disabled: false}, level: info}
		storage:
		  filesystem: {rootdirectory: $dir/storage}
		  ${2:-cache: {\}}
		http: {addr: "127.0.0.1:$PORT", tls: {certificate: $dir/tls.crt, key: $dir/tls.key}}
		auth: {htpasswd: {realm: test, path: $dir/htpasswd}}
	EOF
	REGISTRY_HOST=127.0.0.1:$PORT REGISTRY_LOG=$dir/log
	# it would take REGISTRY_AUTH_FILE for a key of its own configuration
	env -i "PATH=$PATH" docker-registry serve "$dir/registry.yml" >"$REGISTRY_LOG" 2>&1 3>&- 4>&- </dev/null &
	REGISTRY_PID=$!
	printf '%d\n' "$REGISTRY_PID" >>"$BATS_FILE_TMPDIR/servers"
	wait_until 20 curl --silent --insecure --output /dev/null "https://$REGISTRY_HOST/v2/"
}

# login FILE PASSWORD: Write the file that skopeo reads the login from, and name it to skopeo.
login() {
	printf '{"auths": {"%s": {"auth": "%s"}}}\n' "$REGISTRY_HOST" "$(printf 'publisher:%s' "$2" | base64 -w 0)" >"$1"
	chmod 600 "$1"
	export REGISTRY_AUTH_FILE=$1
}

# writes: Print the number of requests in the registry's log that write.
writes() { grep -cE '"(PUT|POST|PATCH|DELETE) /v2/|http.request.method=(PUT|POST|PATCH|DELETE)' "$REGISTRY_LOG" || [[ $? -eq 1 ]]; }
