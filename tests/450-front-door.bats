#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Every command of make help works.  This file runs those that no other test runs, in a short form if they take
# long, and checks each by a figure that only it prints.

# shellcheck disable=SC2030,SC2031 # each test is a subshell

load lib/helpers

KERNEL=5.10.0-32-amd64

door() { TIMEOUT=${LIMIT:-900} run_cmd 0 make -C "$ROOT_DIR" --no-print-directory "$@"; }

@test "every command of make help is run by a test or by CI" {
	local goal file missing=()
	door help
	while read -r _ goal _; do
		file=$(grep -lE "\b(make|door|parts?)\b.*[ '\"(]$goal\b|^for parts in .*\b$goal\b" \
			"$ROOT_DIR"/tests/*.bats "$ROOT_DIR"/tests/full/*.bats \
			"$ROOT_DIR"/tests/lib/*.bash "$ROOT_DIR/.ci/run") || missing+=("$goal")
		[[ -z ${V:-} ]] || printf '%s: %s\n' "$goal" "$file"
	done < <(grep '^  make ' <<<"$output")
	assert_equal "${missing[*]}" ''
}

@test "make explain, fetch and image say what is up to date" {
	door explain TARGET="$TARGET_NAME"
	assert_line '^WIREGUARD +n +m +built: drivers/net/wireguard/wireguard.ko'
	door fetch TARGET="$TARGET_NAME"
	assert_line '^fetch +[0-9]+ inputs are in the cache'
	door image TARGET="$TARGET_NAME"
	assert_line '^image +localhost/wgkmod-builder:[0-9a-f]{16} is there'
}

@test "make boot of one kernel" {
	door boot TARGET="$TARGET_NAME"
	assert_line '^(tunnel|boot) '
}

@test "make memory of one file: no finding" {
	door memory FILES=tests/312-providers.bats
	assert_line '^memory +sanitizers: [1-9][0-9]* of [0-9]+ tests passed, .* 0 findings'
	assert_line '^memory +valgrind: [1-9][0-9]* of [0-9]+ tests passed, .* 0 findings'
}

@test "make fuzz, a second for each target: no finding" {
	door fuzz FUZZ_SECONDS=1
	assert_line '^bundle +[0-9]+ runs, no finding'
}

@test "make bench, one round: the build against the bare compile and by hand, install against depmod" {
	needs_root 'make bench mounts'
	export BENCH_ROUNDS=1
	door bench
	assert_line '^bare compile +[0-9.]+ s +48 runs of the compiler'
	assert_line '^make artifacts +[0-9.]+ s +[0-9.]+ times the bare compile'
	assert_line '^by hand +[0-9.]+ s '
	assert_line '^wgkmod install +[0-9.]+ s .* times depmod \+ syncfs$'
}

@test "make rebuild of the bundle: equal" {
	door bundle TARGET="$TARGET_NAME"
	door rebuild BUNDLE="$OUT/$KERNEL/wireguard-$KERNEL.tar"
	assert_line '^rebuild +equal: .*, sha256 [0-9a-f]{64} '
}

@test "a WireGuard that breaks an expectation of netns.sh fails the test, and its step is named" {
	door artifacts TARGET="$TARGET_NAME"
	# netns.sh first checks the number of octets that went through the tunnel.
	run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME" base source vm
	clone "$BATS_TEST_TMPDIR/clone"
	sed -i 's,^\t\[\[ -s $TMP/netns.sh \]\],\tsed -i "s/rx_bytes == 1372/rx_bytes == 1371/" "$TMP/netns.sh"\n&,' \
		"$BATS_TEST_TMPDIR/clone/tests/vm/selftest.sh"
	grep -q 1371 "$BATS_TEST_TMPDIR/clone/tests/vm/selftest.sh"
	TIMEOUT=900 run_cmd 1 "$BATS_TEST_TMPDIR/clone/tests/vm/selftest.sh" "$TARGET_NAME"
	assert_line 'upstream.s test failed: the guest says: netns.sh ended with status 1; its last step: '
}

@test "make install, uninstall, format and clean do what their help says" {
	local dir=$BATS_TEST_TMPDIR goal
	clone "$dir/clone"
	for goal in install uninstall format clean; do
		run_cmd 0 make -C "$dir/clone" --no-print-directory "$goal" DESTDIR="$dir/it's there" PREFIX=/usr
		case $goal in
		install)
			run_cmd 0 "$dir/it's there/usr/sbin/wgkmod" --version
			assert_line '^wgkmod [0-9]+\.[0-9]+\.[0-9]+'
			;;
		uninstall) assert_equal "$(find "$dir/it's there" -type f)" '' ;;
		format) diff -r "$ROOT_DIR/src" "$dir/clone/src" --exclude='obj*' --exclude='*.a' ;;
		clean) assert_absent "$dir/clone/out" ;;
		esac
	done
}
