#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# Trust: wgkmod and the real minisign come to the same verdict; and whatever is done to a signed
# bundle, nothing is written. FULL=1 takes every bit and block, not a sample.
#
# shellcheck disable=SC2030,SC2031 # each test is a subshell, and some have a BUNDLE of their own

load lib/helpers
load lib/modules
load lib/bundle
load sweep/tools

setup_file() {
	modules_setup
	tools_setup
	payload_make "$BATS_FILE_TMPDIR/payload"
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR bundle_make "$BATS_FILE_TMPDIR/payload" "$BATS_FILE_TMPDIR/bundle.tar"
	key_make "$BATS_FILE_TMPDIR/key"
	key_make "$BATS_FILE_TMPDIR/other"
	root_make "$BATS_FILE_TMPDIR/root"
}

setup() {
	ROOT=$BATS_FILE_TMPDIR/root
	BUNDLE=$BATS_TEST_TMPDIR/bundle.tar
	KEY=$BATS_TEST_TMPDIR/key
	OTHER=$BATS_TEST_TMPDIR/other
	cp "$BATS_FILE_TMPDIR"/{key,other}.{key,pub} "$BATS_FILE_TMPDIR/bundle.tar" "$BATS_TEST_TMPDIR/"
	before=$(tree_print "$ROOT" times)
}

teardown() {
	rm -rf "$BATS_FILE_TMPDIR/root/etc"
}

verify_it() { # STATUS [OPTION...]
	local status=$1
	shift
	run_cmd "$status" "$WGKMOD" verify --root "$ROOT" --kernel "$RELEASE" "$@" "$BUNDLE"
}

# Both verify with the key, or both refuse; minisign has a status of its own for what it cannot read.
agree() { # yes|no|malformed REGEX [KEY]
	local key=${3:-$KEY}.pub
	if [[ $1 == yes ]]; then
		run_cmd 0 minisign -V -p "$key" -m "$BUNDLE"
		verify_it 0 --key "$key"
	else
		run_cmd "$([[ $1 == no ]] && echo 1 || echo 2)" minisign -V -p "$key" -m "$BUNDLE"
		verify_it 4 --key "$key"
	fi
	assert_line "$2"
}

# The program refuses to install; @before is how the root was.
refused() { # REGEX [OPTION...]
	local regex=$1
	shift
	run_cmd 4 "$WGKMOD" install --root "$ROOT" --kernel "$RELEASE" "$@" "$BUNDLE"
	assert_line "$regex"
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT" times)
}

# Base64 of a line of a file of minisign; and back in.
line_bytes() { # FILE LINE
	sed -n "$2p" "$1" | base64 -d
}
line_set() { # FILE LINE, bytes on standard input
	sed -i "$2s|.*|$(base64 -w 0)|" "$1"
}

@test "both kinds of minisign signature are accepted, and the comment is printed" {
	key_sign "$KEY" "$BUNDLE" -t 'the trusted comment'
	assert_equal "$(line_bytes "$BUNDLE.minisig" 2 | head -c 2)" ED
	agree yes "is signed by key $(key_id "$KEY.pub") \($KEY.pub\): the trusted comment$"
	key_sign "$KEY" "$BUNDLE" -l -t 'the legacy comment'
	assert_equal "$(line_bytes "$BUNDLE.minisig" 2 | head -c 2)" Ed
	agree yes ': the legacy comment$'
}

@test "a signature made by openssl is accepted by minisign and by wgkmod" {
	local dir=$BATS_TEST_TMPDIR
	openssl genpkey -algorithm ed25519 -out "$dir/pem"
	{
		echo 'untrusted comment: of openssl'
		{
			printf Ed12345678
			openssl pkey -in "$dir/pem" -pubout -outform DER | tail -c 32
		} | base64 -w 0
	} >"$dir/openssl.pub"
	openssl pkeyutl -sign -inkey "$dir/pem" -rawin -in "$BUNDLE" -out "$dir/sig"
	{
		cat "$dir/sig"
		printf 'by openssl'
	} >"$dir/both"
	openssl pkeyutl -sign -inkey "$dir/pem" -rawin -in "$dir/both" -out "$dir/global"
	{
		echo 'untrusted comment: x'
		{
			printf Ed12345678
			cat "$dir/sig"
		} | base64 -w 0
		printf '\ntrusted comment: by openssl\n'
		base64 -w 0 "$dir/global"
		echo
	} >"$BUNDLE.minisig"
	agree yes 'is signed by key 3837363534333231 .*: by openssl$' "$dir/openssl"
}

@test "the untrusted comment may change, the trusted comment may not" {
	key_sign "$KEY" "$BUNDLE" -t 'release 7'
	sed -i '1s/: .*/: something else/' "$BUNDLE.minisig"
	agree yes ': release 7$'
	sed -i '3s/7/8/' "$BUNDLE.minisig"
	agree no "minisig': its trusted comment was changed$"
	sed -i '3s/ 8//' "$BUNDLE.minisig"
	agree no "its trusted comment was changed$"
	sed -i '3d' "$BUNDLE.minisig"
	agree malformed "line 3: no trusted comment$"
}

@test "the trusted comment of one signature does not hold with another" {
	# Two releases: the comment of the one, with its signature, under the signature of the other.
	key_sign "$KEY" "$BUNDLE" -t 'revoked'
	cp "$BUNDLE.minisig" "$BATS_TEST_TMPDIR/revoked"
	echo more >>"$BUNDLE"
	key_sign "$KEY" "$BUNDLE" -t 'valid'
	sed -i -e '3,4d' "$BUNDLE.minisig"
	sed -n '3,4p' "$BATS_TEST_TMPDIR/revoked" >>"$BUNDLE.minisig"
	agree no "its trusted comment was changed$"
	cp "$BATS_TEST_TMPDIR/revoked" "$BUNDLE.minisig"
	agree no "it does not match the file: one of the two was changed$"
}

@test "another key is refused, by id and by bytes" {
	key_sign "$OTHER" "$BUNDLE"
	agree no "minisig': it was made by key $(key_id "$OTHER.pub"), which is not one of the 1 trusted keys: see --key$"
	# The key that is trusted, under the id of the one that signed.
	{
		line_bytes "$OTHER.pub" 2 | head -c 10
		line_bytes "$KEY.pub" 2 | tail -c 32
	} | line_set "$KEY.pub" 2
	agree no "it does not match the file: one of the two was changed$"
}

@test "the kind of a signature cannot be exchanged" {
	key_sign "$KEY" "$BUNDLE"
	line_bytes "$BUNDLE.minisig" 2 | sed '1s/^ED/Ed/' | line_set "$BUNDLE.minisig" 2
	agree no "it does not match the file: one of the two was changed$"
	line_bytes "$BUNDLE.minisig" 2 | sed '1s/^Ed/XX/' | line_set "$BUNDLE.minisig" 2
	agree malformed "line 2: an unknown algorithm$"
}

@test "every flipped bit that matters in a signature file is refused" {
	local line at limit text
	key_sign "$KEY" "$BUNDLE" -t comment
	cp "$BUNDLE.minisig" "$BATS_TEST_TMPDIR/good"
	for line in 2 4; do
		limit=$(line_bytes "$BATS_TEST_TMPDIR/good" "$line" | wc -c)
		for at in $(sample "$line" 20 $((limit * 8))); do
			cp "$BATS_TEST_TMPDIR/good" "$BUNDLE.minisig"
			line_bytes "$BUNDLE.minisig" "$line" >"$BATS_TEST_TMPDIR/bytes"
			flip_bit "$BATS_TEST_TMPDIR/bytes" $((at / 8)) $((at % 8))
			line_set "$BUNDLE.minisig" "$line" <"$BATS_TEST_TMPDIR/bytes"
			verify_it 4 --key "$KEY.pub"
		done
	done
	for text in 1d 2d 3d 4d 2p '2s/^/ /' '2s/.$//' '4s/$/=/' \
		'4{s/A==$/B==/;s/Q==$/R==/;s/g==$/h==/;s/w==$/x==/}' '3s/comment$/\x01/' '4a more' '1s/^un//' '2s/.*//'; do
		sed "$text" "$BATS_TEST_TMPDIR/good" >"$BUNDLE.minisig"
		verify_it 4 --key "$KEY.pub"
		assert_line "^wgkmod: cannot verify '$BUNDLE.minisig': "
	done
	: >"$BUNDLE.minisig"
	verify_it 4 --key "$KEY.pub"
	assert_line "line 1: no untrusted comment$"
	head -c 16385 /dev/zero >"$BUNDLE.minisig"
	verify_it 4 --key "$KEY.pub"
	assert_line "larger than 16384 bytes$"
}

@test "CRLF line ends are accepted" {
	key_sign "$KEY" "$BUNDLE" -t 'the comment'
	sed -i 's/$/\r/' "$BUNDLE.minisig" "$KEY.pub"
	agree yes ': the comment$'
	sed -i 's/\r$//' "$BUNDLE.minisig"
	truncate -s -1 "$BUNDLE.minisig"
	agree yes ': the comment$'
}

@test "an unsigned bundle is refused; --allow-unsigned accepts it and says so each time" {
	refused "^wgkmod: cannot install '$BUNDLE': it is not signed; --allow-unsigned accepts it, this run only$" \
		--key "$KEY.pub"
	verify_it 0 --allow-unsigned
	assert_line "^wgkmod: '$BUNDLE' is not signed: nothing says who made it$"
	verify_it 4
}

@test "with libcrypto in FIPS mode, wgkmod refuses and says what to do" {
	key_sign "$KEY" "$BUNDLE"
	cat >"$BATS_TEST_TMPDIR/openssl.cnf" <<-'EOF'
		openssl_conf = init
		[init]
		providers = providers
		alg_section = algorithms
		[providers]
		default = the_default
		[the_default]
		activate = 1
		[algorithms]
		default_properties = fips=yes
	EOF
	export OPENSSL_CONF=$BATS_TEST_TMPDIR/openssl.cnf
	run_cmd 1 "$WGKMOD" install --root "$ROOT" --kernel "$RELEASE" --key "$KEY.pub" "$BUNDLE"
	assert_line "^wgkmod: cannot install '$BUNDLE.minisig': libcrypto is in FIPS mode, which has no Ed25519 and no" \
		"BLAKE2b: verify it elsewhere, with minisign, and "
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT" times)
}

@test "--allow-unsigned does not accept a wrong signature" {
	key_sign "$KEY" "$BUNDLE"
	verify_it 4 --allow-unsigned
	assert_line "not one of the 0 trusted keys"
	flip "$BUNDLE" 100
	verify_it 4 --allow-unsigned --key "$KEY.pub"
	assert_line "it does not match the file: one of the two was changed$"
}

@test "a directory needs --allow-unsigned" {
	BUNDLE=$BATS_FILE_TMPDIR/payload
	refused "^wgkmod: cannot install '$BUNDLE': it is not signed"
	verify_it 0 --allow-unsigned
}

@test "the keys of the root's keys.d are used, those that end in .pub" {
	local keys=$ROOT/etc/wgkmod/keys.d
	key_sign "$KEY" "$BUNDLE"
	mkdir -p "$keys"
	cp "$OTHER.pub" "$keys/a.pub"
	cp "$KEY.pub" "$keys/b.pub"
	verify_it 0
	assert_line "is signed by key .* \($keys/b.pub\)"
	mv "$keys/b.pub" "$keys/b.old"
	verify_it 4
	assert_line "not one of the 1 trusted keys"
	mv "$keys/b.old" "$keys/.b.pub"
	verify_it 4
}

@test "a key in keys.d/NAME.revoked does not count, whichever file has it too; another key does" {
	local keys=$ROOT/etc/wgkmod/keys.d
	key_sign "$KEY" "$BUNDLE"
	mkdir -p "$keys"
	cp "$KEY.pub" "$keys/a.pub"
	cp "$OTHER.pub" "$keys/b.revoked"
	verify_it 0
	before=$(tree_print "$ROOT" times)
	cp "$KEY.pub" "$BATS_TEST_TMPDIR/x.revoked"
	cd "$BATS_TEST_TMPDIR"
	refused "which './x.revoked' revokes$" --key ./x.revoked
	cp "$KEY.pub" "$keys/a.revoked"
	before=$(tree_print "$ROOT" times)
	refused "it was made by key $(key_id "$KEY.pub"), which '$keys/a.revoked' revokes$"
	refused "which '$keys/a.revoked' revokes$" --key "$KEY.pub"
	refused "which '$keys/a.revoked' revokes$" --allow-unsigned
	echo damaged >"$keys/b.revoked"
	before=$(tree_print "$ROOT" times)
	refused "'$keys/b.revoked': not a public key of minisign"
}

@test "of two keys with one id, the one that signed is found" {
	local keys=$ROOT/etc/wgkmod/keys.d
	key_sign "$KEY" "$BUNDLE"
	mkdir -p "$keys"
	cp "$KEY.pub" "$keys/b.pub"
	cp "$OTHER.pub" "$keys/a.pub"
	cp "$OTHER.pub" "$keys/c.pub"
	for file in "$keys"/[ac].pub; do
		{
			line_bytes "$KEY.pub" 2 | head -c 10
			line_bytes "$OTHER.pub" 2 | tail -c 32
		} | line_set "$file" 2
	done
	verify_it 0
	assert_line "\($keys/b.pub\)"
	rm "$keys/b.pub"
	verify_it 4
	assert_line "it does not match the file: one of the two was changed$"
}

@test "an unreadable key is a refusal, even beside a good key" {
	local keys=$ROOT/etc/wgkmod/keys.d file
	key_sign "$KEY" "$BUNDLE"
	mkdir -p "$keys"
	cp "$KEY.pub" "$keys/good.pub"
	file=$keys/bad.pub
	cp "$KEY.key" "$file"
	verify_it 4
	assert_line "^wgkmod: cannot verify '$file': not a public key of minisign$"
	line_bytes "$KEY.pub" 2 | sed '1s/^Ed/ED/' | base64 -w 0 | sed '1i untrusted comment: x' >"$file"
	verify_it 4
	assert_line "bad.pub': not an Ed25519 key$"
	sed '$a more' "$KEY.pub" >"$file"
	verify_it 4
	rm "$file"
	ln -s good.pub "$file"
	verify_it 4
	assert_line "bad.pub': it is a link: name the file itself$"
	rm "$file"
	mkdir "$file"
	verify_it 4
	assert_line "bad.pub': not a regular file$"
	rmdir "$file"
	verify_it 1 --key "$BATS_TEST_TMPDIR/none.pub"
	assert_line "none.pub': No such file or directory$"
}

# hex_bytes HEX: the bytes.
hex_bytes() { printf '%b' "$(fold -w 2 <<<"$1" | sed 's/^/\\x/' | tr -d '\n')"; }

# weak_key HEX: WEAK.pub, a key of this point.
weak_key() {
	WEAK=$BATS_TEST_TMPDIR/weak
	{
		echo 'untrusted comment: weak'
		{
			printf Ed12345678
			hex_bytes "$1"
		} | base64 -w 0
	} >"$WEAK.pub"
}

@test "a key of small order is refused, as by minisign" {
	local point y ff sign
	ff=$(printf 'f%.0s' {1..60})
	# By the neutral element: R is the same, S is 0, and that holds for each message.
	y=01$(printf '0%.0s' {1..62})
	{
		echo 'untrusted comment: x'
		{
			printf Ed12345678
			hex_bytes "$y$(printf '0%.0s' {1..64})"
		} | base64 -w 0
		printf '\ntrusted comment: by nobody\n'
		hex_bytes "$y$(printf '0%.0s' {1..64})" | base64 -w 0
		echo
	} >"$BUNDLE.minisig"
	weak_key "$y"
	run_cmd 1 minisign -V -p "$WEAK.pub" -m "$BUNDLE"
	verify_it 4 --key "$WEAK.pub"
	assert_line "^wgkmod: cannot verify '$WEAK.pub': a key of small order, by which anybody can sign$"
	# Each of them, in every form: y of order 4, 1, 8, 8, 2, and what is 19 or less below 2^255.
	for point in "$(printf '0%.0s' {1..64})" "$y" \
		26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05 \
		c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a \
		"ec${ff}7f" "ed${ff}7f" "ee${ff}7f" "ff${ff}7f"; do
		for sign in 0 128; do
			weak_key "${point:0:62}$(printf %02x $((0x${point:62:2} | sign)))"
			verify_it 4 --key "$WEAK.pub"
			assert_line "weak.pub': a key of small order, by which anybody can sign$"
		done
	done
	# One of no small order, next to them.
	weak_key "eb${ff}7f"
	verify_it 4 --key "$WEAK.pub"
	refute_line 'small order'
}

@test "a bundle that is a link, a pipe, a device, too large or not there is refused" {
	local file=$BUNDLE
	key_sign "$KEY" "$BUNDLE"
	BUNDLE=$BATS_TEST_TMPDIR/x
	run_cmd 1 "$WGKMOD" verify "$BUNDLE"
	assert_line "^wgkmod: cannot verify '$BUNDLE': No such file or directory$"
	ln -s "$file" "$BUNDLE"
	cp "$file.minisig" "$BUNDLE.minisig"
	refused "x': it is a link: name the file itself$" --key "$KEY.pub"
	rm "$BUNDLE"
	mkfifo "$BUNDLE"
	refused "x': not a regular file$" --key "$KEY.pub"
	rm "$BUNDLE"
	truncate -s $(((64 << 20) + 1)) "$BUNDLE"
	refused "x': larger than 67108864 bytes$" --key "$KEY.pub"
	BUNDLE=/dev/null
	refused "/dev/null': (not a regular file|others than its owner may write to it.*)$" --allow-unsigned
}

as_nobody() { # STATUS COMMAND...
	local status=$1
	shift
	plain_only
	chmod -R go+rX "$BATS_RUN_TMPDIR"
	install -m 755 "$WGKMOD" "$BATS_TEST_TMPDIR/wgkmod"
	run_cmd "$status" setpriv --reuid=65534 --regid=65534 --clear-groups "$BATS_TEST_TMPDIR/wgkmod" "$@"
}

@test "root refuses a bundle that another user owns or may write to" {
	needs_root 'only root can give a file away'
	local file regex
	key_sign "$KEY" "$BUNDLE"
	for file in "$BUNDLE" "$BUNDLE.minisig" "$KEY.pub"; do
		chown 65534 "$file"
		refused "'$file': it belongs to user 65534, neither root nor the caller$" --key "$KEY.pub"
		SUDO_UID=65533 refused "'$file': it belongs to user 65534" --key "$KEY.pub"
		SUDO_UID=65534x refused "'$file': it belongs to user 65534" --key "$KEY.pub"
		SUDO_UID=65534 verify_it 0 --key "$KEY.pub"
		chown 0 "$file"
		regex="'$file': others than its owner may write to it: chmod go-w$"
		chmod g+w "$file"
		refused "$regex" --key "$KEY.pub"
		chmod g-w,o+w "$file"
		refused "$regex" --key "$KEY.pub"
		chmod o-w "$file"
	done
	mkdir -p "$ROOT/etc/wgkmod/keys.d"
	verify_it 0 --key "$KEY.pub"
	chmod o+w "$ROOT/etc/wgkmod/keys.d"
	verify_it 4 --key "$KEY.pub"
	assert_line "'$ROOT/etc/wgkmod/keys.d': others than its owner may write to it"
}

@test "root refuses a keys.d below a directory that another user may write to, or below a link" {
	needs_root 'only root can give a directory away'
	local directory mode
	key_sign "$KEY" "$BUNDLE"
	mkdir -p "$ROOT/etc/wgkmod/keys.d"
	for directory in "$ROOT" "$ROOT/etc" "$ROOT/etc/wgkmod" "$ROOT/etc/wgkmod/keys.d"; do
		mode=$(stat -c %a "$directory")
		chmod go+w "$directory"
		verify_it 4 --key "$KEY.pub"
		assert_line "^wgkmod: cannot verify '$directory': others than its owner may write to it: chmod go-w$"
		chmod "$mode" "$directory"
		chown 65534 "$directory"
		verify_it 4 --key "$KEY.pub"
		assert_line "^wgkmod: cannot verify '$directory': it belongs to user 65534, neither root nor the caller$"
		chown 0 "$directory"
	done
	verify_it 0 --key "$KEY.pub"
	mv "$ROOT/etc/wgkmod" "$ROOT/etc/elsewhere"
	ln -s elsewhere "$ROOT/etc/wgkmod"
	verify_it 4 --key "$KEY.pub"
	assert_line "^wgkmod: cannot verify '$ROOT/etc/wgkmod': it is a link$"
}

@test "where chmod has no effect, as on vfat or exFAT, root is told to copy the bundle" {
	needs_root 'nobody else is asked whose the file is'
	plain_only
	local type
	for type in 444d 'b0ba1120' '6e746673'; do # as statfs(2) has them: vfat, exfat, ntfs3
		chmod o+w "$BUNDLE"
		run_cmd 4 strace -o /dev/null -e trace=fstatfs \
			-e inject="fstatfs:poke_exit=@arg2=$(printf '%-16s' "$type" | tr ' ' 0)" \
			"$WGKMOD" verify --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$BUNDLE"
		assert_line "^wgkmod: cannot verify '$BUNDLE': others than its owner may write to it: copy it to a directory of" \
			"root's$"
	done
}

@test "a non-root user may use files of any owner" {
	needs_root 'only root can become somebody else'
	key_sign "$KEY" "$BUNDLE"
	chmod g+w "$BUNDLE"
	as_nobody 0 verify --root "$ROOT" --kernel "$RELEASE" --key "$KEY.pub" "$BUNDLE"
}

@test "the bundle is opened once and read once" {
	plain_only
	key_sign "$KEY" "$BUNDLE"
	strace -f -o "$BATS_TEST_TMPDIR/trace" -e trace=openat,open,read,fstat,newfstatat,mmap -y \
		"$WGKMOD" verify --root "$ROOT" --kernel "$RELEASE" --key "$KEY.pub" "$BUNDLE"
	assert_equal "$(grep -cE "open(at)?\(.*\"$BUNDLE\", .*O_NOFOLLOW.*O_CLOEXEC" "$BATS_TEST_TMPDIR/trace")" 1
	assert_equal "$(grep -cE "open(at)?\(.*\"$BUNDLE\"" "$BATS_TEST_TMPDIR/trace")" 1
	# One read for all of it; it ends there, or finds the end with a second.
	assert_equal "$(grep -cE "read\([0-9]+<$BUNDLE>.*= $(stat -c %s "$BUNDLE")$" "$BATS_TEST_TMPDIR/trace")" 1
	assert "$(grep -cE "read\([0-9]+<$BUNDLE>" "$BATS_TEST_TMPDIR/trace")" -le 2
}

# Of COUNT bytes from OFFSET on, STEP bytes apart, 150 bits are flipped, each alone, or with FULL=1 all;
# each has to be refused, by the signature.
flips() { # SEED OFFSET COUNT STEP
	local numbers=$BATS_TEST_TMPDIR/numbers
	sample "$1" 150 $(($3 * 8)) >"$numbers"
	assert_equal "$(wc -l <"$numbers")" "$([[ -n ${FULL:-} ]] && echo $(($3 * 8)) || echo 150)"
	output=$("$TOOLS/flips" "$BUNDLE" "$2" "$4" 4 "minisig': it does not match the file: one of the two was changed" \
		"$WGKMOD" install --root "$ROOT" --kernel "$RELEASE" --key "$KEY.pub" "$BUNDLE" <"$numbers")
	printf '# %d flips refused\n' "$output" >&3
	assert_equal "$output" "$(wc -l <"$numbers")"
	[[ -z ${FULL:-} ]] || figure "flips $2" "$output bits flipped from byte $2 on, each refused"
}

@test "the test notices a flip that is not refused, or is refused for another reason" {
	local file=$BATS_TEST_TMPDIR/file
	echo 12345 >"$file"
	run_cmd 1 bash -c "echo 0 | '$TOOLS/flips' '$file' 1 2 0 12345 cat '$file'"
	assert_line '^flips: bit 0 of byte 1 flipped: status 0: 13345$'
	run_cmd 1 bash -c "echo 9 | '$TOOLS/flips' '$file' 1 2 1 '' cat '$file'"
	assert_line '^flips: bit 1 of byte 3 flipped: status 0: 12365$'
	assert_equal "$(<"$file")" 12345
	assert_equal "$(printf '0\n9\n' | "$TOOLS/flips" "$file" 1 2 0 5 cat "$file")" 2
}

@test "each flip of a bit in the first 4 KiB of a signed bundle is refused" {
	key_sign "$KEY" "$BUNDLE"
	flips 1 0 4096 1
	cmp "$BUNDLE" "$BATS_FILE_TMPDIR/bundle.tar"
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT" times)
	verify_it 0 --key "$KEY.pub"
}

@test "each flip of a bit in 4 KiB spread over the rest is refused, by either kind" {
	local size
	size=$(stat -c %s "$BUNDLE")
	key_sign "$KEY" "$BUNDLE" -l
	flips 2 4096 4096 $(((size - 4096) / 4096))
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT" times)
	verify_it 0 --key "$KEY.pub"
}

@test "a bundle cut at any block is refused, signed or unsigned" {
	local blocks at n=0
	key_sign "$KEY" "$BUNDLE"
	blocks=$(($(stat -c %s "$BUNDLE") / BLOCK))
	cp "$BUNDLE.minisig" "$BATS_TEST_TMPDIR/cut.tar.minisig"
	for at in $(sample 3 60 "$blocks") 0 $((blocks - 1)); do
		head -c $((at * BLOCK)) "$BUNDLE" >"$BATS_TEST_TMPDIR/cut.tar"
		run_cmd 4 "$WGKMOD" install --root "$ROOT" --kernel "$RELEASE" --key "$KEY.pub" "$BATS_TEST_TMPDIR/cut.tar"
		assert_line "it does not match the file: one of the two was changed$"
		mv "$BATS_TEST_TMPDIR/cut.tar" "$BATS_TEST_TMPDIR/unsigned.tar"
		run_cmd 4 "$WGKMOD" install --root "$ROOT" --kernel "$RELEASE" --allow-unsigned "$BATS_TEST_TMPDIR/unsigned.tar"
		assert_line "^wgkmod: cannot install '(.*/unsigned.tar|[^/]*/.*)': "
		n=$((n + 1))
	done
	assert "$n" -ge 62
	diff <(printf '%s\n' "$before") <(tree_print "$ROOT" times)
}
