#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod install where depmod fails, lies, hangs or is killed, and where somebody else is at work in
# the same directory meanwhile.

# shellcheck disable=SC2034,SC2153 # before and MODULES are install.bash's

load lib/helpers
load lib/modules
load sweep/tools
load lib/install

# amid BEFORE AFTER COMMAND...: the command, with these shell commands of somebody else at its exchange.
amid() {
	plain_only
	FAKE_BEFORE="cd '$MODULES' && $1" FAKE_AFTER="cd '$MODULES' && $2" FAKE_RELEASE=x \
		LD_PRELOAD=$TOOLS/preload "${@:3}"
}

@test "when depmod fails, everything is taken back" {
	fake_program depmod 'exit 1'
	refused 1 "^wgkmod: cannot install '$MODULES': depmod failed with status 1$"
}

@test "when depmod fails during an upgrade, the old set is there again" {
	install_it 0
	payload_next
	before=$(tree_print "$ROOT")
	fake_program depmod 'exit 1'
	refused 1 "^wgkmod: cannot install '$MODULES': depmod failed with status 1$"
}

@test "when depmod damages the indexes and fails, the kernel's own indexes stay" {
	# It writes into what is there, as busybox's does.
	fake_program depmod 'for index in "$2/lib/modules/$3"/modules.*; do : >"$index"; done; exit 1'
	refused 1 "depmod failed with status 1$"
}

@test "when depmod is killed, everything is taken back" {
	fake_program depmod 'kill -9 $$'
	refused 1 "depmod was killed by signal 9$"
}

@test "when depmod exits with 0 having written nothing, everything is taken back" {
	fake_program depmod 'exit 0'
	refused 1 "^wgkmod: cannot install '$MODULES': depmod wrote nothing$"
}

@test "when depmod reports an error and exits with 0, everything is taken back" {
	fake_program depmod "$(command -v depmod) \"\$@\" &&
		echo 'depmod: ERROR: failed to load symbols from x.ko: Input/output error' >&2"
	refused 1 "^wgkmod: cannot install '$MODULES': depmod says: ERROR: failed to load symbols from x.ko: Input/output" \
		"error$"
}

@test "depmod's message about a file that is not a module is passed on, and is no error" {
	fake_program depmod "$(command -v depmod) \"\$@\" &&
		echo 'depmod: ERROR: failed to load symbols from x.ko: Exec format error' >&2"
	install_it 0
	assert_line '^depmod: ERROR: failed to load symbols from x.ko: Exec format error$'
}

@test "when depmod does not list our modules, everything is taken back" {
	fake_program depmod "$(command -v depmod) \"\$@\" && cp '$MODULES/modules.dep' \"\$2/lib/modules/\$3/\""
	refused 1 "^wgkmod: cannot install '$MODULES': modules.dep does not list kernel/.*\.ko$"
}

@test "a state directory without a state file is not trusted" {
	mkdir "$MODULES/.wgkmod"
	before=$(tree_print "$ROOT")
	refused 4 "^wgkmod: cannot install '$RELEASE': $MODULES/.wgkmod/installed: No such file or directory$"
}

@test "when nobody reads the messages, a failed install still takes everything back" {
	fake_program depmod 'sleep 0.3; exit 1'
	run_cmd 0 bash -c '"$@" 2>&1 | true' - \
		"$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
	unchanged
}

@test "when wgkmod alone is killed, depmod keeps the lock, and the next run waits for it" {
	local real status=0
	real=$(command -v depmod)
	fake_program depmod "kill -9 \$PPID; sleep 1; exec $real \"\$@\""
	# Not by run_cmd, which waits for all that has the output open.
	"$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD" >/dev/null 2>&1 3>&- || status=$?
	assert_equal "$status" 137
	fake_program depmod "exec $real \"\$@\""
	install_it 0
	assert_line '^wgkmod: waiting for .* locked$'
	installed
}

@test "a signal before the exchange ends the run cleanly; a signal after it waits" {
	fake_program depmod "kill -TERM \$PPID; sleep 0.3; exec $(command -v depmod) \"\$@\""
	refused 143 "^wgkmod: cannot install '$MODULES': it was interrupted$"
	rm "$BATS_TEST_TMPDIR/bin/depmod"
	amid "kill -TERM \$PPID" : install_it 143
	installed
}

@test "an index that an older depmod leaves empty is not damage, and the old index stays" {
	cp "$MODULES/modules.builtin.bin" "$BATS_TEST_TMPDIR/alias.bin" # any whole index
	cp "$BATS_TEST_TMPDIR/alias.bin" "$MODULES/modules.builtin.alias.bin"
	fake_program depmod "$(command -v depmod) \"\$@\" && : >\"\$2/lib/modules/\$3/modules.builtin.alias.bin\""
	run_cmd 0 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
	cmp "$BATS_TEST_TMPDIR/alias.bin" "$MODULES/modules.builtin.alias.bin"
}

@test "when depmod leaves an index empty that modprobe needs, everything is taken back" {
	fake_program depmod "$(command -v depmod) \"\$@\" && : >\"\$2/lib/modules/\$3/modules.dep.bin\""
	refused 1 "^wgkmod: cannot install '$MODULES': depmod left modules.dep.bin empty$"
}

@test "when modprobe does not find our modules in an index, or crashes on it, everything is taken back" {
	cp "$MODULES/modules.dep.bin" "$BATS_TEST_TMPDIR/stale"
	fake_program depmod "$(command -v depmod) \"\$@\" &&
		cp '$BATS_TEST_TMPDIR/stale' \"\$2/lib/modules/\$3/modules.dep.bin\""
	refused 1 "^wgkmod: cannot install '$MODULES': modprobe does not find kernel/.*\.ko$"
	rm "$BATS_TEST_TMPDIR/bin/depmod"
	fake_program modprobe 'kill -SEGV $$'
	refused 1 "^wgkmod: cannot install '$MODULES': modprobe does not find kernel/.*\.ko$"
}

@test "a module that is still there must stay listed" {
	fake_program depmod "$(command -v depmod) \"\$@\" && sed -i /adiantum.ko:/d \"\$2/lib/modules/\$3/modules.dep\""
	refused 1 "^wgkmod: cannot install '$MODULES': depmod left out adiantum$"
}

@test "a file that appears while depmod runs is kept and indexed" {
	fake_program depmod "[ -e '$BATS_TEST_TMPDIR/once' ] || {
		touch '$BATS_TEST_TMPDIR/once'
		cp '$STOCK/kernel/crypto/adiantum.ko' '$MODULES/kernel/crypto/came.ko'; }
		exec $(command -v depmod) \"\$@\""
	install_it 0
	assert_line "^wgkmod: $MODULES: another process is changing it: kernel/crypto"
	refute_line 'in no index'
	installed
	grep -q ^kernel/crypto/came.ko: "$MODULES/modules.dep"
}

@test "a tree that does not stop changing is left alone" {
	fake_program depmod "touch '$MODULES/kernel/crypto/came'; rm '$MODULES/kernel/crypto/came'
		exec $(command -v depmod) \"\$@\""
	refused 1 "^wgkmod: another process keeps changing the modules of $RELEASE; try again later$"
}

@test "a file that appears, changes, is renamed or is deleted meanwhile is noticed" {
	local file=$MODULES/kernel/crypto/adiantum.ko change real
	real=$(command -v depmod)
	for change in "chmod 600 $file" "mv $file $file.new" "rm $file" "touch $file" \
		"mv $file $file.x; cp -p $file.x $file; rm $file.x" "mkdir $MODULES/new" \
		"ln -s x $MODULES/link" "mv $MODULES $MODULES-; cp -a $MODULES- $MODULES"; do
		rm -rf "$ROOT" "$BATS_TEST_TMPDIR/once"
		root_make "$ROOT"
		fake_program depmod "[ -e '$BATS_TEST_TMPDIR/once' ] || {
			touch '$BATS_TEST_TMPDIR/once'; $change; }
			exec $real \"\$@\""
		install_it 0
		assert_line "^wgkmod: $MODULES: another process "
	done
}

@test "a depmod that hangs can be ended, and everything is taken back" {
	local status=0
	fake_program depmod 'exec sleep 100'
	"$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD" 3>&- &
	wait_until 60 pgrep -P $! -x sleep >/dev/null
	kill -TERM $!
	wait $! || status=$?
	assert_equal "$status" 143
	unchanged
}

@test "depmod is found in the system's directories, whatever PATH the caller has" {
	local path
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here"
	printf '#!/bin/sh\ntouch "%s/ran"\n' "$BATS_TEST_TMPDIR" >depmod
	chmod +x depmod
	for path in '' . /nonexistent "$BATS_TEST_TMPDIR/here"; do
		rm -rf "$ROOT"
		root_make "$ROOT"
		run_cmd 0 env PATH="$path" "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
		installed
		assert_absent "$BATS_TEST_TMPDIR/ran"
	done
}

@test "depmod does not inherit the caller's environment or open files" {
	local seen=$BATS_TEST_TMPDIR/seen
	mkdir "$seen"
	fake_program depmod "env >'$seen/env'; ls -l /proc/\$\$/fd >'$seen/files'; exec $(command -v depmod) \"\$@\""
	echo secret >"$BATS_TEST_TMPDIR/secret"
	LD_BIND_NOW=1 MODPROBE_OPTIONS=-n SECRET=x install_it 0 7<"$BATS_TEST_TMPDIR/secret" 1234<"$BATS_TEST_TMPDIR/secret"
	installed
	assert_equal "$(grep -vE '^(PWD|OLDPWD|SHLVL|_)=' "$seen/env" | LC_ALL=C sort)" \
		$'LC_ALL=C\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
	grep -q "$ROOT/lib/modules" "$seen/files" # the lock, which is ours
	output=$(<"$seen/files")
	refute_line secret
}

@test "control characters in depmod's messages are escaped" {
	fake_program depmod "printf 'depmod: WARNING: \\033[2J\\233x \\302\\205\n' >&2; exec $(command -v depmod) \"\$@\""
	install_it 0
	assert_line '^depmod: WARNING: \\033\[2J\\233x \\302\\205$'
}

@test "a file size limit is reported as an error, and does not kill wgkmod" {
	run_cmd 1 bash -c 'ulimit -f 8; exec "$@"' - \
		"$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
	assert_line "': cannot write a memory file: File too large \(ulimit -f limits it\)$"
	unchanged
}

# stale: shell commands that put the index of before into the directory, as a depmod does that began then.
stale() {
	cp "$MODULES/modules.dep" "$BATS_TEST_TMPDIR/stale"
	printf '%s' "cp '$BATS_TEST_TMPDIR/stale' modules.dep.1.2.3 && mv modules.dep.1.2.3 modules.dep"
}

@test "a foreign depmod that writes old indexes right after the exchange is noticed" {
	amid : "$(stale)" install_it 0
	assert_line "^wgkmod: $MODULES: another depmod wrote the index of the old directory$"
	installed
}

@test "a file that appears after the exchange is kept when the exchange is undone" {
	amid : "$(stale) && cp '$STOCK/kernel/crypto/adiantum.ko' kernel/crypto/came.ko" install_it 0
	assert_line "^wgkmod: $MODULES: another process is changing it: kernel/crypto"
	installed
	assert -e "$MODULES/kernel/crypto/came.ko"
	grep -q ^kernel/crypto/came.ko: "$MODULES/modules.dep"
}

@test "changes right before and right after the exchange: the old tree is kept aside, and its path is printed" {
	local other=$STOCK/kernel/crypto/adiantum.ko aside
	amid "mkdir new && cp '$other' new/one.ko && rm kernel/crypto/adiantum.ko && echo early >both" \
		"mkdir new && cp '$other' new/two.ko && echo late >both" install_it 0
	assert_line "^wgkmod: $MODULES: another process is changing it: "
	aside=$(put_aside)
	cmp "$aside/new/one.ko" "$other"
	cmp "$MODULES/new/two.ko" "$other"
	assert_absent "$aside/kernel/crypto/adiantum.ko"
	assert_equal "$(cat "$aside/both" "$MODULES/both")" $'early\nlate'
	state_holds 12
	status_it 0
	amid "echo 1 >one" "echo 2 >two" remove_it 0
	aside=$(put_aside)
	assert_equal "$(cat "$aside/one" "$MODULES/two")" $'1\n2'
	assert_absent "$STATE"
}

@test "a change right before the exchange: the exchange is undone and the install is tried again" {
	amid "echo 1 >one" : install_it 0
	installed
	assert_equal "$(<"$MODULES/one")" 1
}

@test "an index and a temporary file that only this depmod makes do not count as foreign changes" {
	local real top=$MODULES/../.wgkmod-$RELEASE other=$STOCK/kernel/crypto/adiantum.ko
	real=$(command -v depmod)
	fake_program depmod ": >'$top/modules.dep.tmp'; sleep 0.3; $real \"\$@\" || exit
		: >'$top/modules.newindex'; rm '$top/modules.dep.tmp'"
	amid "cp '$other' kernel/came.ko" : install_it 0
	assert_line "^wgkmod: $MODULES: another process is changing it: kernel"
	installed
	grep -q ^kernel/came.ko: "$MODULES/modules.dep"
}

@test "a directory that replaces the kernel's right before the exchange stays" {
	amid "mv ../$RELEASE ../gone && cp -a ../gone ../$RELEASE && echo 1 >../$RELEASE/theirs" : install_it 0
	assert_line "^wgkmod: $MODULES: another process put another directory there$"
	installed
	assert_equal "$(<"$MODULES/theirs")" 1
}

@test "with a change right after the exchange, that directory is kept aside, and its path is printed" {
	local aside
	amid "mv ../$RELEASE ../gone && cp -a ../gone ../$RELEASE && echo 1 >../$RELEASE/theirs" "echo 2 >two" install_it 0
	aside=$(put_aside)
	assert_equal "$(cat "$aside/theirs" "$MODULES/two")" $'1\n2'
	status_it 0
}

@test "with --root the configuration of depmod is that root's" {
	mkdir -p "$ROOT/etc/depmod.d" "$MODULES/weak"
	cp "$MODULES/kernel/crypto/adiantum.ko" "$MODULES/weak/"
	echo 'search weak built-in' >"$ROOT/etc/depmod.d/x.conf"
	install_it 0
	grep -q ^weak/adiantum.ko: "$MODULES/modules.dep"
	rm -r "${ROOT:?}/etc"
	remove_it 0
	grep -q ^kernel/crypto/adiantum.ko: "$MODULES/modules.dep"
}

@test "install works with standard input, output and error closed" {
	run_cmd 0 bash -c '"$@" <&- >&- 2>&-' - \
		"$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
	installed
}

@test "install works for a kernel without modules.builtin" {
	rm "$MODULES"/modules.builtin*
	run_cmd 0 "$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
	installed
}

@test "a copy of an index that another program made is not ours" {
	cp "$MODULES/modules.dep" "$MODULES/modules.dep.1"
	cp "$MODULES/modules.dep" "$MODULES/modules.dep.20240501-1"
	before=$(tree_print "$ROOT")
	install_it 0
	cmp "$MODULES/modules.dep.1" "$MODULES/modules.dep.20240501-1"
	remove_it 0
	cmp "$MODULES/modules.dep.1" "$MODULES/modules.dep.20240501-1"
	cmp "$MODULES/modules.dep.1" "$MODULES/modules.dep"
}

@test "an install that is done exits with 0 even if nobody reads the messages" {
	run_cmd 0 bash -c '"$@" > >(true) 2> >(true); echo "status $?"' - \
		"$WGKMOD" install --allow-unsigned --root "$ROOT" --kernel "$RELEASE" "$PAYLOAD"
	assert_line '^status 0$'
	installed
}
