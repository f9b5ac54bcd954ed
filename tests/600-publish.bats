#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031 # each test is a subshell
#
# The web root: what publish.sh writes, when it writes nothing, what it refuses, and that it can be killed.

load lib/helpers
load lib/delivery

A=5.10.1-a+b-amd64
B=5.10.2-b-amd64
A_RE=${A//+/\\+}

setup_file() {
	delivery_setup
	fixture_kernel "$A"
	fixture_kernel "$B"
	cp -r "$OUT" "$BATS_FILE_TMPDIR/out.pristine"
}

setup() {
	DEST=$BATS_TEST_TMPDIR/www
	export OUT=$BATS_TEST_TMPDIR/out TARGET_DIR=$BATS_FILE_TMPDIR/targets
	cp -r "$BATS_FILE_TMPDIR/out.pristine" "$OUT"
}

# assert_unpublished SENTENCE: The last run said this alone, and DEST was not made.
assert_unpublished() {
	assert_line "^wgkmod: $1"
	assert_equal "$(wc -l <<<"$output")" 1
	assert_absent "$DEST"
}

@test "a web root has the bundles, their documents, keys and sums, and an index that its schema allows" {
	local file
	publish 0 "$A" "$B"
	assert_line "^publish +$DEST, generation 1, 2 kernel\(s\)$"
	assert_whole "$DEST"
	for file in wireguard-$A.tar{,.minisig,.sha256,.proofs.json} provenance.json sbom.spdx.json explain.txt; do
		[[ -f $DEST/$A/$file ]] || fail "there is no $file"
	done
	(cd "$DEST/$A" && sha256sum --check --quiet "wireguard-$A.tar.sha256")
	assert_valid "$DEST"
	proofs='{"boot":"passed","parity":"passed","repro":"not run","symbols":262}'
	assert_equal "$(jq -c '[.kernels[] | .release, .inputs, .proofs]' "$DEST/index.json")" \
		"[\"$A\",\"$("$ROOT_DIR/scripts/inputs.sh" "$A")\",$proofs,\"$B\",\"$("$ROOT_DIR/scripts/inputs.sh" "$B")\",$proofs]"
}

@test "publishing the same again says nothing and writes nothing, also without the bundles in out/" {
	publish 0 "$A" "$B"
	state "$DEST.versions/1-"* >"$BATS_TEST_TMPDIR/before"
	readlink "$DEST" >>"$BATS_TEST_TMPDIR/before"
	publish 0 "$A" "$B"
	assert_equal "$output" ''
	rm -r "${OUT:?}/$B"
	publish 0 "$A" "$B"
	assert_equal "$output" ''
	diff "$BATS_TEST_TMPDIR/before" <(state "$DEST.versions/1-"* && readlink "$DEST")
}

@test "another kernel comes to those that are there; the generation grows by one and names the index before" {
	local first
	publish 0 "$B"
	first=$(sha256sum <"$DEST/index.json" | cut -d ' ' -f 1)
	publish 0 "$A"
	assert_whole "$DEST"
	assert_equal "$(jq -c '[.generation, .previous, [.kernels[].release]]' "$DEST/index.json")" \
		"[2,\"$first\",[\"$A\",\"$B\"]]"
}

@test "changed.sh names the targets that are not published with their inputs" {
	run_cmd 0 "$ROOT_DIR/delivery/changed.sh" "$DEST/index.json" "$A" "$B"
	assert_equal "$output" "$A"$'\n'"$B"
	publish 0 "$A" "$B"
	run_cmd 0 "$ROOT_DIR/delivery/changed.sh" "$DEST/index.json" "$A" "$B"
	assert_equal "$output" ''
	change_inputs "$B"
	run_cmd 0 "$ROOT_DIR/delivery/changed.sh" "$DEST/index.json" "$A" "$B"
	assert_equal "$output" "$B"
}

@test "another bundle of a published kernel is refused with both digests; REPLACE=1 takes it and says so" {
	local old new
	publish 0 "$A"
	old=$(sha256sum <"$OUT/$A/wireguard-$A.tar" | cut -d ' ' -f 1)
	echo more >>"$OUT/$A/explain.txt"
	fixture_bundle "$A"
	new=$(sha256sum <"$OUT/$A/wireguard-$A.tar" | cut -d ' ' -f 1)
	publish 1 "$A"
	assert_line "^wgkmod: $A_RE is published with sha256 $old, and '.*' has $new; REPLACE=1 replaces it$"
	assert_equal "$(generation)" 1
	REPLACE=changed publish 1 "$A"
	assert_line "REPLACE=1 replaces it$"
	REPLACE=yes publish 1 "$A"
	assert_line "^wgkmod: REPLACE= is 1 or 'changed', not 'yes'$"
	REPLACE=1 publish 0 "$A"
	assert_whole "$DEST"
	assert_equal "$(jq -c '[.generation, .kernels[0].bundle.sha256, .kernels[0].bundle.replaces]' "$DEST/index.json")" \
		"[2,\"$new\",\"$old\"]"
	grep -q "replaces .*$old" "$DEST/index.html"
}

@test "the bundle of changed inputs is refused as any other is; REPLACE=changed takes it" {
	local old
	publish 0 "$A" "$B"
	old=$(jq -r '.kernels[1].bundle.sha256' "$DEST/index.json")
	change_inputs "$B"
	publish 1 "$A" "$B"
	assert_line "^wgkmod: $B is published with sha256 $old, and '.*' has [0-9a-f]{64}; REPLACE=1 replaces it$"
	assert_equal "$(generation)" 1
	REPLACE=changed publish 0 "$A" "$B"
	assert_whole "$DEST"
	assert_equal "$(jq -c '[.generation, (.kernels[].bundle.replaces)]' "$DEST/index.json")" "[2,null,\"$old\"]"
}

@test "a bundle without proofs, or with those of another bundle, is refused; UNPROVEN=1 takes it and says so" {
	cp "$OUT/$B/wireguard-$B.tar.proofs.json" "$OUT/$A/wireguard-$A.tar.proofs.json"
	publish 1 "$A"
	assert_unpublished "'.*' is not proved; run: delivery/prove.sh "
	rm "$OUT/$A/wireguard-$A.tar.proofs.json"
	publish 1 "$A"
	assert_unpublished "'.*' is not proved; run: delivery/prove.sh "
	UNPROVEN=1 publish 0 "$A"
	assert_equal "$(jq -r '.kernels[0].proofs.boot' "$DEST/index.json")" 'not run'
	grep -qF 'Not proved' "$DEST/index.html"
	fixture_statement "$A"
	publish 0 "$A"
	assert_equal "$(jq -r '.kernels[0].proofs.boot' "$DEST/index.json")" passed
	if grep -F 'Not proved' "$DEST/index.html"; then fail 'the page still says that it is not proved'; fi

	fixture_statement "$A" passed
	publish 0 "$A"
	assert_equal "$(jq -r '.kernels[0].proofs.repro' "$DEST/index.json")" passed
	grep -qF 'built twice with the same bits' "$DEST/index.html"
	fixture_statement "$A"
	publish 0 "$A"
	assert_equal "$output" ''
}

@test "no key, a missing bundle, an unsigned one, one of another key, one of older inputs: one sentence each" {
	SIGN_KEY='' publish 1 "$A"
	assert_unpublished 'publish needs SIGN_KEY='
	SIGN_KEY=$KEY.none publish 1 "$A"
	assert_unpublished "there is no key '$KEY.none'$"
	rm "$OUT/$B/wireguard-$B.tar"
	publish 1 "$A" "$B"
	assert_line "^wgkmod: there is no '$OUT/$B/wireguard-$B.tar'; run: make bundle TARGET=$B$"
	assert_absent "$DEST"
	cp -r "$TARGET_DIR" "$BATS_TEST_TMPDIR/targets"
	sed -i 's/^BTF .*/&\nCOMPILER = x/' "$BATS_TEST_TMPDIR/targets/$A"
	TARGET_DIR=$BATS_TEST_TMPDIR/targets publish 1 "$A"
	assert_unpublished "'.*' was made from other inputs than those of '$A_RE' now"
	mv "$OUT/$A/wireguard-$A.tar.minisig" "$BATS_TEST_TMPDIR/minisig"
	publish 1 "$A"
	assert_unpublished "'.*' is not signed; run: make bundle "
	run_cmd 0 minisign -G -f -W -p "$BATS_TEST_TMPDIR/o.pub" -s "$BATS_TEST_TMPDIR/o.key"
	run_cmd 0 minisign -S -s "$BATS_TEST_TMPDIR/o.key" -m "$OUT/$A/wireguard-$A.tar"
	publish 1 "$A"
	assert_unpublished "'.*minisig' is not a signature of the bundle by '$SIGN_KEY'"
}

@test "an index or a file that was changed by hand, and a generation that falls, are refused" {
	publish 0 "$A"
	cp -a "$DEST.versions" "$BATS_TEST_TMPDIR/first"
	sed -i 's/"boot": "passed"/"boot": "not run"/' "$DEST/index.json"
	publish 1 "$A" "$B"
	assert_line "^wgkmod: '$DEST/index.json' was not signed by .* changed by hand"
	assert_equal "$(wc -l <<<"$output")" 1
	cp "$BATS_TEST_TMPDIR"/first/*/index.json "$DEST/index.json"
	echo more >>"$DEST/$A/explain.txt"
	publish 1 "$A" "$B"
	assert_line "^wgkmod: '$DEST/$A_RE/explain.txt' is not the file that was published"
	cp "$BATS_TEST_TMPDIR"/first/*/"$A"/explain.txt "$DEST/$A/explain.txt"
	publish 0 "$A" "$B"
	ln -sfnT "$(cd "$BATS_TEST_TMPDIR" && echo www.versions/1-*)" "$DEST"
	publish 1 "$A"
	assert_line "^wgkmod: '$DEST' is generation 1, but 2 was published: the generation would fall"
}

@test "the repository of make rpm in DEST goes along, and its changes are no changes by hand" {
	publish 0 "$A"
	mkdir "$DEST/.rpm-1"
	echo one >"$DEST/.rpm-1/file"
	ln -s .rpm-1 "$DEST/rpm"
	publish 0 "$B"
	assert_equal "$(<"$DEST/rpm/file")" one
	echo two >"$DEST/rpm/file"
	publish 0 "$A" "$B"
	assert_equal "$output" ''
	if grep -F rpm "$DEST/SHA256SUMS"; then fail 'SHA256SUMS has files of make rpm'; fi
	assert_whole "$DEST"
}

# package FILE TEXT: Put a file of this text into DEST/rpm, as make rpm does for the published bundle of A.
package() {
	local dir=$DEST/.rpm-1 sha
	sha=$(jq -r --arg a "$A" '.kernels[] | select(.release == $a).bundle.sha256' "$DEST/index.json")
	mkdir -p "$dir/Packages"
	printf '%s\n' "$2" >"$dir/Packages/$1"
	printf '%s kmod-wireguard-%s rpm/Packages/%s %s\n' "$sha" "$A" "$1" \
		"$(sha256sum <"$dir/Packages/$1" | cut -d ' ' -f 1)" >>"$dir/bundles"
	sort -uV -o "$dir/bundles" "$dir/bundles"
	[[ -L $DEST/rpm ]] || ln -s .rpm-1 "$DEST/rpm"
}

@test "the index and the page name the newest package of a bundle; one that was changed is refused" {
	local file=kmod-wireguard-$A-5.10.1 changed
	changed="^wgkmod: '$DEST/rpm/Packages/.*-10.x86_64.rpm' is not the package that make rpm made; nothing was published$"
	publish 0 "$A" "$B"
	assert_equal "$(jq -c '[.kernels[].rpm]' "$DEST/index.json")" '[null,null]'
	package "$file-9.x86_64.rpm" nine
	package "$file-10.x86_64.rpm" ten
	publish 0
	assert_whole "$DEST"
	assert_valid "$DEST"
	assert_equal "$(jq -r '[.generation, (.kernels[].rpm | .name, .file, .sha256)] | join(" ")' "$DEST/index.json")" \
		"2 kmod-wireguard-$A rpm/Packages/$file-10.x86_64.rpm $(echo ten | sha256sum | cut -c 1-64)   "
	grep -q "rpm/Packages/kmod-wireguard-5.10.1-a%2Bb-amd64-5.10.1-10.x86_64.rpm" "$DEST/index.html"
	publish 0 "$A" "$B"
	assert_equal "$output" ''
	echo altered >"$DEST/rpm/Packages/$file-10.x86_64.rpm"
	publish 1
	assert_line "$changed"
	sed -i '/-10\.x86_64/d' "$DEST/rpm/bundles"
	package "$file-10.x86_64.rpm" altered
	publish 1
	assert_line "$changed"
	sed -i '/-10\.x86_64/d' "$DEST/rpm/bundles"
	package "$file-10.x86_64.rpm" ten
	echo more >>"$OUT/$A/explain.txt"
	fixture_bundle "$A"
	REPLACE=1 publish 0 "$A" # the package is of the bundle before
	assert_equal "$(jq -c '[.generation, .kernels[].rpm]' "$DEST/index.json")" '[3,null,null]'
}

@test "WITHDRAW= takes a kernel out: another generation, no row on the page, no file, and it does not come back" {
	local sha
	publish 0 "$A" "$B"
	sha=$(jq -r '.kernels[0].bundle.sha256' "$DEST/index.json")
	WITHDRAW=$A publish 1
	assert_line '^wgkmod: WITHDRAW= needs WHY=, a sentence for those who have the bundle$'
	WITHDRAW=5.9.9-none WHY=x publish 1
	assert_line "^wgkmod: '$DEST' has no bundle of '5.9.9-none' to withdraw$"
	assert_equal "$(generation)" 1
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory publish DEST="$DEST" WITHDRAW="$A" WHY="It <breaks> the host's ARP."
	assert_whole "$DEST"
	assert_valid "$DEST"
	assert_absent "$DEST/$A"
	assert_equal "$(jq -c '[.generation, [.kernels[].release], (.withdrawn[] | .release, .sha256, .reason)]' \
		"$DEST/index.json")" "[2,[\"$B\"],\"$A\",\"$sha\",\"It <breaks> the host's ARP.\"]"
	output=$(<"$DEST/index.html")
	refute_line "<tr id=\"$A_RE\""
	assert_line "^<li><code>$A_RE</code>, sha256 <code>$sha</code>: It &lt;breaks&gt; the host&[a-z0-9#]+;s ARP.</li>$"

	run_cmd 0 "$ROOT_DIR/delivery/changed.sh" "$DEST/index.json" "$A" "$B"
	assert_equal "$output" ''
	publish 0 "$A" "$B"
	assert_equal "$output" "publish   $A stays withdrawn: It <breaks> the host's ARP.; REPLACE=1 publishes it again"
	assert_equal "$(generation)" 2
	# nor do changed inputs bring it back
	change_inputs "$A"
	run_cmd 0 "$ROOT_DIR/delivery/changed.sh" "$DEST/index.json" "$A" "$B"
	assert_equal "$output" ''
	REPLACE=changed publish 0 "$A" "$B"
	assert_equal "$output" "publish   $A stays withdrawn: It <breaks> the host's ARP.; REPLACE=1 publishes it again"
	REPLACE=1 publish 0 "$A"
	assert_equal "$(jq -c '[.generation, [.kernels[].release], [.withdrawn[].sha256]]' "$DEST/index.json")" \
		"[3,[\"$A\",\"$B\"],[\"$sha\"]]"
	assert_whole "$DEST"
	# nor does the withdrawn bundle itself come back when the inputs change to what they were
	export TARGET_DIR=$BATS_FILE_TMPDIR/targets
	rm -r "${OUT:?}/$A"
	cp -r "$BATS_FILE_TMPDIR/out.pristine/$A" "$OUT/$A"
	REPLACE=changed publish 0 "$A"
	assert_line "^publish +${A_RE} stays withdrawn: "
	REPLACE=1 publish 0 "$A"
	assert_equal "$(jq -c '[.generation, [.kernels[].release], .withdrawn]' "$DEST/index.json")" "[4,[\"$A\",\"$B\"],[]]"
}

@test "another key: OLD_KEY= vouches for what is published, all is signed again, and hosts follow in keys.d" {
	local new=$BATS_TEST_TMPDIR/new root=$BATS_TEST_TMPDIR/root keys bundle=$BATS_TEST_TMPDIR/old
	keys=$root/etc/wgkmod/keys.d
	publish 0 "$A" "$B"
	cp -a "$DEST/" "$bundle"
	run_cmd 0 minisign -G -f -W -p "$new.pub" -s "$new.key"
	SIGN_KEY=$new.key publish 1 "$A" "$B"
	assert_line "^wgkmod: '$DEST/index.json' was not signed by '$new.key' as it is: .* another key signed it \(OLD_KEY=\)"
	SIGN_KEY=$new.key OLD_KEY=$new.pub publish 1 "$A" "$B"
	assert_line "^wgkmod: '$DEST/index.json' was not signed by '$new.pub' as it is"
	SIGN_KEY=$new.key OLD_KEY=$KEY.pub publish 0 "$A" "$B"
	KEY=$new assert_whole "$DEST"
	assert_valid "$DEST"
	assert_equal "$(jq -c '[.generation, (.keys | length), ([.kernels[].bundle.key] | unique == [$id])]' \
		--arg id "$(jq -r '.keys[0].id' "$DEST/index.json")" "$DEST/index.json")" '[2,1,true]'
	diff <(cd "$DEST/keys" && cat -- *) "$new.pub"
	cmp "$DEST/$A/wireguard-$A.tar" "$bundle/$A/wireguard-$A.tar"
	SIGN_KEY=$new.key publish 0 "$A" "$B"
	assert_equal "$output" ''

	mkdir -p "$keys"
	cp "$KEY.pub" "$keys/old.pub"
	run_cmd 4 "$WGKMOD" store --root "$root" add "$DEST/$A/wireguard-$A.tar"
	cp "$new.pub" "$keys/new.pub"
	run_cmd 0 "$WGKMOD" store --root "$root" add "$DEST/$A/wireguard-$A.tar"
	run_cmd 0 "$WGKMOD" store --root "$root" add "$bundle/$A/wireguard-$A.tar"
	mv "$keys/old.pub" "$keys/old.revoked"
	run_cmd 4 "$WGKMOD" store --root "$root" add "$bundle/$A/wireguard-$A.tar"
	assert_line "which '$keys/old.revoked' revokes$"
	run_cmd 0 "$WGKMOD" store --root "$root" add "$DEST/$A/wireguard-$A.tar"
}

@test "a DEST that is not a web root, or cannot be made, is refused; an empty directory is taken" {
	mkdir "$DEST"
	echo mine >"$DEST/file"
	publish 1 "$A"
	assert_line "^wgkmod: '$DEST' is not a link that make publish made"
	rm "$DEST/file"
	publish 0 "$A"
	assert_whole "$DEST"
	DEST=$BATS_TEST_TMPDIR/none/www publish 1 "$A"
	assert_line "^wgkmod: there is no directory '$BATS_TEST_TMPDIR/none' for DEST$"
	DEST=/proc/www publish 1 "$A"
	assert_line "^wgkmod: cannot create '/proc/www.versions'$"
	assert_absent /proc/www
}

@test "a DEST on a file system that is mounted read-only is refused" {
	needs_root 'a mount'
	run_cmd 1 unshare --mount bash -c 'mkdir "$1" && mount -t tmpfs -o ro none "$1" && shift && "$@"' - \
		"$BATS_TEST_TMPDIR/ro" "$ROOT_DIR/delivery/publish.sh" "$BATS_TEST_TMPDIR/ro/www" "$A"
	assert_line "^wgkmod: '$BATS_TEST_TMPDIR/ro' cannot be written: DEST cannot be made there$"
	assert_equal "$(wc -l <<<"$output")" 1
}

# publish_into KIB: Publish into a file system of that size; set fits to 1, or to '' if nothing is there, as it was too
# small.
publish_into() {
	DEST_DIR=$BATS_TEST_TMPDIR/tmpfs run_cmd 0 unshare --mount bash -c '
		mkdir -p "$DEST_DIR" && mount -t tmpfs -o size="$1"k none "$DEST_DIR" && shift
		status=0
		"$@" 2>&1 || status=$?
		echo "status $status"
		ls "$DEST_DIR"' - "$1" "$ROOT_DIR/delivery/publish.sh" "$BATS_TEST_TMPDIR/tmpfs/www" "$A"
	fits=1
	if grep -q '^status 1' <<<"$output"; then
		fits=''
		assert_line '^wgkmod: nothing was published: .*No space left on device|cannot create'
		refute_line '^www$'
		assert_equal "$(grep -c '^wgkmod:' <<<"$output")" 1
	else
		assert_line '^status 0$'
		assert_line '^www$'
	fi
}

@test "a full file system, down to one page too few: one sentence, nothing half published" {
	needs_root 'a tmpfs of a few pages'
	local small=16 large=4096 kib fits
	publish_into "$small"
	assert_equal "$fits" ''
	publish_into "$large"
	assert_equal "$fits" 1
	# Halve, to the size that is one page of 4 KiB too small.
	while [[ $((large - small)) -gt 4 ]]; do
		kib=$(((large + small) / 2 & ~3))
		publish_into "$kib"
		if [[ -n $fits ]]; then large=$kib; else small=$kib; fi
	done
}

@test "killed before every second rename (FULL=1: any change of a file): old or new, and the next run completes" {
	local n old new step=2 programs='mv ln rmdir'
	[[ -z ${FULL:-} ]] || step=1 programs+=' rm cp install minisign sync'
	publish 0 "$A"
	old=$(readlink "$DEST")
	mkdir "$BATS_TEST_TMPDIR/keep"
	cp -a "$DEST" "$DEST.versions" "$BATS_TEST_TMPDIR/keep/"
	for ((n = 1; n < 200; n += step)); do
		kill_at "$n" "$programs" "$ROOT_DIR/delivery/publish.sh" "$DEST" "$A" "$B"
		assert_whole "$DEST"
		new=$(readlink "$DEST")
		[[ -n $KILLED ]] || break
		publish 0 "$A" "$B"
		assert_whole "$DEST"
		assert_equal "$(jq -c '[.generation, (.kernels | length)]' "$DEST/index.json")" '[2,2]'
		assert_equal "$(find "$DEST.versions" -mindepth 1 -maxdepth 1 -type d | wc -l)" 2
		rm -rf "$DEST" "$DEST.versions"
		cp -a "$BATS_TEST_TMPDIR/keep/www" "$BATS_TEST_TMPDIR/keep/www.versions" "$BATS_TEST_TMPDIR/"
	done
	[[ $n -gt 3 && $n -lt 200 && $new != "$old" ]] || fail "killed $n times, now $new"
}

@test "killed at the first publish: no DEST, or a whole one" {
	local n step=2
	[[ -z ${FULL:-} ]] || step=1
	for ((n = 1; n < 200; n += step)); do
		kill_at "$n" 'mv ln rmdir install' "$ROOT_DIR/delivery/publish.sh" "$DEST" "$A"
		if [[ -e $DEST ]]; then assert_whole "$DEST"; fi
		[[ -n $KILLED ]] || break
		rm -rf "$DEST" "$DEST.versions"
	done
	[[ $n -gt 3 ]] || fail "killed only $n times"
}

@test "two machines publish the same commit: equal trees, bit for bit" {
	publish 0 "$A" "$B"
	(
		umask 077
		cd /
		clone "$BATS_TEST_TMPDIR/other clone"
		export ROOT_DIR="$BATS_TEST_TMPDIR/other clone" DEST=$BATS_TEST_TMPDIR/second TZ=Asia/Tokyo TAR_OPTIONS=--format=gnu
		find "$OUT" -exec touch -d 2001-02-03 {} +
		publish 0 "$B" "$A"
	)
	diff -r "$DEST" "$BATS_TEST_TMPDIR/second"
	assert_equal "$(readlink "$DEST" | cut -d / -f 2)" "$(readlink "$BATS_TEST_TMPDIR/second" | cut -d / -f 2)"
}
