#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Upstream's own test in the VM, 5 to 10 minutes under emulation; 450-front-door.bats shows that it can fail.

load ../lib/helpers

setup_file() {
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="$TARGET_NAME"
	run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME" base source vm
}

@test "netns.sh, unchanged, passes on the stock kernel with our modules" {
	TIMEOUT=2400 run_cmd 0 "$ROOT_DIR/tests/vm/selftest.sh" "$TARGET_NAME"
	assert_line '^selftest +5.10.0-32-amd64, 7 of 7 built modules loaded, all of them ours$'
	assert_line '^selftest +netns.sh \(sha256 5d0cdb075dd03fc7\.\.\.\): [0-9]{4} steps, all passed, in '
	assert_line '^selftest +[1-9][0-9]*/[1-9][0-9]* objects of WireGuard made and destroyed; taint 12288: O E$'
	assert_line '^selftest +passed '
}
