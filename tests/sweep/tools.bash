# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Helpers for the tests that use the C programs beside this file.

# tools_setup: Compile the C programs once a run; set TOOLS to their directory.
tools_setup() {
	local dir=${BASH_SOURCE[0]%/*} source flags
	export TOOLS=$BATS_RUN_TMPDIR/tools
	mkdir -p "$TOOLS"
	(
		flock 9
		for source in "$dir"/*.c; do
			source=${source##*/}
			flags=()
			[[ $source != preload.c ]] || flags=(-shared -fPIC)
			[[ -e $TOOLS/${source%.c} ]] ||
				cc -std=gnu11 -O2 -Wall -Wextra "${flags[@]}" -o "$TOOLS/${source%.c}" "$dir/$source" -ldl
		done
	) 9>"$TOOLS.lock"
}

# A tree of three modules, one of them elsewhere than the set's of that name, and payloads of two:
# so that a run has few system calls, and a run for each of them takes bearable time.  They are in
# memory where that can be: $SMALL, which small_setup makes and teardown_file has to remove.
#
#	$SMALL/root	nothing of ours	$SMALL/one, two	payloads, the second an upgrade

small_setup() {
	local kernel
	SMALL=$(mktemp -d -p "$(small_place)" wgkmod-sweep.XXXXXX)
	export SMALL
	kernel=$SMALL/root/lib/modules/$RELEASE
	mkdir -p "$kernel/kernel/crypto" "$kernel/kernel/lib" "$SMALL/root/var/lib"
	cp "$STOCK/kernel/crypto/"{adiantum,aes_ti}.ko "$kernel/kernel/crypto/"
	touch "$kernel/kernel/lib/note"
	head -n 20 "$STOCK/modules.order" >"$kernel/modules.order"
	head -n 20 "$STOCK/modules.builtin" >"$kernel/modules.builtin"
	head -c 4096 "$STOCK/modules.builtin.modinfo" | sed -z '$d' >"$kernel/modules.builtin.modinfo"
	ln -s /usr/src/linux-headers "$kernel/build"
	depmod -b "$SMALL/root" "$RELEASE"
	small_payload one libchacha libpoly1305
	small_payload two libchacha libcurve25519-generic
	modinfo_sed "$SMALL/two/modules/kernel/lib/crypto/libchacha.ko" \
		's/^license=.*/&\x00note=another/'
	rm -f "$SMALL"/two/modules/kernel/lib/crypto/*.ko.*
	payload_sums "$SMALL/two"
}

small_place() {
	if [[ -d /dev/shm && -w /dev/shm ]]; then echo /dev/shm; else echo "$BATS_RUN_TMPDIR"; fi
}

small_payload() { # NAME MODULE...
	local dir=$SMALL/$1 module
	mkdir -p "$dir/modules/kernel/lib/crypto"
	for module in "${@:2}"; do
		cp "$STOCK/kernel/lib/crypto/$module.ko" "$dir/modules/kernel/lib/crypto/"
	done
	payload_sums "$dir"
}
