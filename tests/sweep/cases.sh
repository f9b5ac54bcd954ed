#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# cases.sh CASE kill|fail|short COUNT
#
# Disturb COUNT system calls of a case, always the same ones, or with FULL=1 all of them, with each of some errors.
# 370-sweep.bats runs this.  Print each wrong result, and the figures at the end; exit with 1 if a result was wrong.
# Needs the environment of modules_setup, tools_setup and small_setup.
#
# A case is a command on a root: install, upgrade, replace (a foreign file and a module of the
# name elsewhere), remove (after replace), hook-add, hook-new (a kernel for which depmod has not run yet, as when rpm
# installs one) or hook-remove; the last three are called by the scripts in hooks/, which must exit with 0 whatever
# happens to them.  case_make CASE sets
#
#	$CASE_DIR	directory of the root before the command, "before", and of the root to run it on, "root"
#	$CASE_CMD	the command, on "root"
#	$CASE_SCRIPT	the words by which the installation of a kernel calls the script that calls it, or none
#	$CASE_OLD, $CASE_NEW	how the kernel's directory looks before and after
#	$CASE_END	how the whole root looks after
#	$CASE_OWN	how many system calls wgkmod makes, and
#	$CASE_ALL	how many all processes make
#	$CASE_MAIN	which of wgkmod's begins main(): those before are the dynamic loader's
#	$CASE_PLAIN	the roots that the same command, unmeddled, made $CASE_END of

case_command() { # CASE
	local install=("$WGKMOD" install --allow-unsigned --root "$CASE_DIR/root" --kernel "$RELEASE")
	case $1 in
	install) CASE_CMD=("${install[@]}" "$SMALL/one") ;;
	upgrade) CASE_CMD=("${install[@]}" "$SMALL/two") ;;
	replace) CASE_CMD=("${install[@]}" --replace "$SMALL/one") ;;
	remove) CASE_CMD=("$WGKMOD" remove --root "$CASE_DIR/root" --kernel "$RELEASE") ;;
	hook-add | hook-new) CASE_CMD=("$WGKMOD" hook --root "$CASE_DIR/root" add "$RELEASE") ;;
	hook-remove) CASE_CMD=("$WGKMOD" hook --root "$CASE_DIR/root" remove "$RELEASE") ;;
	esac
	CASE_SCRIPT=()
	case $1 in
	hook-add | hook-new) CASE_SCRIPT=("$SMALL/10-wgkmod.install" add "$RELEASE" /boot /boot/vmlinuz) ;;
	hook-remove) CASE_SCRIPT=("$SMALL/prerm.d/wgkmod" "$RELEASE" /boot/vmlinuz) ;;
	esac
}

# case_run [WORD...]: Run the command, with WORDs as the arguments of sweep before it.  Return its status, or 98 if the
# script that calls it does not exit with 0.
case_run() {
	local words=("${CASE_CMD[@]}") unshare=(unshare --mount)
	[[ $# -eq 0 ]] || words=("$TOOLS/sweep" "$@" "${words[@]}")
	[[ ${#CASE_SCRIPT[@]} -gt 0 ]] || {
		"${words[@]}"
		return
	}
	mkdir -p "$CASE_DIR/bin"
	printf '#!/bin/bash\nstatus=0\n%s || status=$?\necho "$status" >%q\nexit "$status"\n' \
		"${words[*]@Q}" "$CASE_DIR/status" >"$CASE_DIR/bin/wgkmod"
	chmod +x "$CASE_DIR/bin/wgkmod"
	[[ $EUID -eq 0 ]] || unshare+=(--map-root-user)
	"${unshare[@]}" sh -euc 'mount --bind "$0" /usr/local/sbin; exec sh "$@"' \
		"$CASE_DIR/bin" "${CASE_SCRIPT[@]}" || return 98
	return "$(<"$CASE_DIR/status")"
}

case_before() { # CASE: makes root
	local kernel=$CASE_DIR/root/lib/modules/$RELEASE
	cp -a "$SMALL/root" "$CASE_DIR/root"
	case $1 in
	install) ;;
	upgrade)
		case_command install
		"${CASE_CMD[@]}"
		;;
	replace)
		mkdir -p "$kernel/kernel/lib/crypto" "$kernel/updates"
		cp "$SMALL/two/modules/kernel/lib/crypto/libchacha.ko" "$kernel/kernel/lib/crypto/"
		cp "$STOCK/kernel/lib/crypto/libpoly1305.ko" "$kernel/updates/"
		depmod -b "$CASE_DIR/root" "$RELEASE"
		;;
	remove)
		case_command replace
		rm -rf "$CASE_DIR/root"
		case_before replace
		"${CASE_CMD[@]}"
		;;
	hook-*)
		cp -a "$SMALL/etc" "$CASE_DIR/root/"
		"$WGKMOD" store --root "$CASE_DIR/root" add "$SMALL/bundle.tar"
		[[ $1 != hook-remove ]] || "$WGKMOD" hook --root "$CASE_DIR/root" add "$RELEASE"
		[[ $1 != hook-new ]] || find "$kernel" -maxdepth 1 -name 'modules.*' ! -name 'modules.order' \
			! -name 'modules.builtin' ! -name 'modules.builtin.modinfo' -delete
		;;
	esac
}

case_make() { # CASE
	CASE_DIR=$SMALL/case-$1
	rm -rf "$CASE_DIR"
	mkdir "$CASE_DIR"
	case_before "$1" >"$CASE_DIR/log"
	mv "$CASE_DIR/root" "$CASE_DIR/before"
	case_command "$1"
	CASE_CLEAN=
	case_fresh
	CASE_OLD=$(case_look)
	CASE_BEFORE=$("$TOOLS/look" "$CASE_DIR/root" | sha256sum)
	case_run count >"$CASE_DIR/log"
	case_count <"$CASE_DIR/log"
	CASE_NEW=$(case_look)
	CASE_END=$(case_look_all)
	[[ $CASE_OLD != "$CASE_NEW" && $CASE_OWN -gt 200 && $CASE_MAIN -gt 20 && $CASE_ALL -gt $CASE_OWN ]]
}

# case_count <LOG: what sweep printed, behind what the command did.  wgkmod reads what depmod prints, and
# waits for it: it may be CASE_SPARE calls more or less another time.
CASE_SPARE=20
case_count() {
	local line
	while read -r line; do
		case $line in
		'main '*) CASE_MAIN=${line#* } ;;
		'own '*) CASE_OWN=${line#* } ;;
		'all '*) CASE_ALL=${line#* } ;;
		esac
	done
}

# Make a fresh root, unless the last run left the root unchanged, byte for byte.
case_fresh() {
	[[ -z ${CASE_CLEAN:-} ]] || return 0
	rm -rf "$CASE_DIR/root"
	cp -a "$CASE_DIR/before" "$CASE_DIR/root"
}

# Print how the kernel's directory looks; of hook-new without the indexes, which depmod writes there one by one.
case_look() {
	local indexes='modules\.(alias|builtin\.bin|builtin\.alias\.bin|dep|devname|softdep|symbols|weakdep)'
	"$TOOLS/look" "$CASE_DIR/root/lib/modules/$RELEASE" |
		if [[ $CASE_DIR == *-hook-new ]]; then grep -vE "^\./${indexes}[^/ ]* "; else cat; fi
}

# Print how the whole root looks, without the files that depmod itself left when it was killed.
case_look_all() {
	"$TOOLS/look" "$CASE_DIR/root" | grep -vE '/modules\.[a-z.]+\.[0-9]+\.[0-9]+\.[0-9]+ '
}

# case_say MESSAGE...: Count and print a wrong result, and go on.
case_say() {
	CASE_WRONG=$((CASE_WRONG + 1))
	printf '%s: %s (%s)\n' "$CASE_AT" "$*" "$(cat "$CASE_DIR/call" 2>/dev/null)"
	sed 's/^/	/' "$CASE_DIR/log"
}

# Run the same command again, undisturbed: it must end with $CASE_END.  It is deterministic, so skip a root that
# was tried before, byte for byte the same.
case_plain_run() {
	local end root
	root=$("$TOOLS/look" "$CASE_DIR/root" | sha256sum)
	CASE_CLEAN=
	if [[ -n ${CASE_PLAIN[$root]:-} ]]; then
		[[ $root != "$CASE_BEFORE" ]] || CASE_CLEAN=1
		return
	fi
	CASE_PLAIN[$root]=1
	case_run >"$CASE_DIR/log" 2>&1 || case_say "the plain run has status $?"
	end=$(case_look_all)
	[[ $end == "$CASE_END" ]] || {
		diff <(printf '%s\n' "$CASE_END") <(printf '%s\n' "$end") >>"$CASE_DIR/log" || [[ $? -eq 1 ]]
		case_say "after the plain run the root is not as it should be"
	}
}

# case_may_miss MODE CALL: whether there need not be one that can be meddled with: a write, or one that
# is an exit, or behind which it may have ended.
case_may_miss() {
	local last=$CASE_OWN
	[[ $1 != kill ]] || last=$CASE_ALL
	[[ $1 == short || $2 -gt $((last - CASE_SPARE)) ]]
}

# case_meddle MODE CALL [ERRNO]: Run the command with the call disturbed; set status and tree (old, new or mixed).
# Return 1 if there is no such call.
case_meddle() {
	local look
	CASE_AT="$*"
	case_fresh
	CASE_CLEAN=
	rm -f "$CASE_DIR/call"
	status=0
	SWEEP_LOG=$CASE_DIR/call case_run "$@" >"$CASE_DIR/log" 2>&1 || status=$?
	if [[ $status -eq 125 ]]; then
		case_may_miss "$@" || case_say "there is no such call"
		return 1
	fi
	CASE_DONE=$((CASE_DONE + 1))
	look=$(case_look)
	case $look in
	"$CASE_OLD") tree=old ;;
	"$CASE_NEW") tree=new ;;
	*)
		tree=mixed
		diff <(printf '%s\n' "$CASE_OLD") <(printf '%s\n' "$look") >>"$CASE_DIR/log" || [[ $? -eq 1 ]]
		;;
	esac
}

# case_kill CALL: Kill all processes before the call.
case_kill() {
	local status tree
	case_meddle kill "$1" || return 0
	[[ $status -eq 137 ]] || case_say "status $status instead of 137"
	[[ $tree != mixed ]] || case_say "a mixed tree"
	case_plain_run
}

# case_fail CALL ERRNO: Let the call fail.  case_short WRITE: Let the write write half; return 1 if there is no
# such write.
case_fail() {
	local status tree
	case_meddle fail "$@" || return 0
	case_judge "$1"
}
case_short() {
	local status tree
	case_meddle short "$1" || return
	case_judge
}

# Accept the old tree with status 1, or the new tree with status 0.  Two other results no program can prevent:
# the dynamic loader exits with 127 (or dies) before main() if it cannot load a library, and the C library
# aborts on a failed futex wake-up, which Linux never returns.
case_judge() { # [CALL]
	local call before_main=
	[[ -z ${1:-} || $1 -ge $CASE_MAIN ]] || before_main=1
	call=$(cat "$CASE_DIR/call")
	case $status:$tree in
	0:new) CASE_NEWS=$((CASE_NEWS + 1)) ;;
	1:old) CASE_OLDS=$((CASE_OLDS + 1)) ;;
	127:old | 139:old)
		[[ $before_main ]] || case_say "status $status"
		CASE_LOADER=$((CASE_LOADER + 1))
		;;
	134:old | 134:new) # the latter when libcrypto cleans up, at the very end
		[[ $call == "202 wgkmod" ]] || case_say "status $status"
		CASE_FUTEX=$((CASE_FUTEX + 1))
		;;
	*) case_say "status $status, and the $tree tree" ;;
	esac
	case_plain_run
}

# calls SEED COUNT: which of so many calls.
calls() {
	if [[ -n ${FULL:-} ]]; then
		seq "$2"
	else
		seq "$2" | shuf --random-source=<(yes "$1" | head -c 1000000) -n "$COUNT" | sort -n
	fi
}

meddle_all() { # MODE
	local call error
	case $1 in
	kill) for call in $(calls kill $((CASE_ALL + CASE_SPARE))); do case_kill "$call"; done ;;
	short) for ((call = 1; call <= CASE_OWN; call++)); do case_short "$call" || break; done ;;
	fail)
		# EINTR EIO ENOMEM ENOSPC EROFS
		for error in ${ERRORS:-4 5 12 28 30}; do
			for call in $(calls "$error" "$CASE_OWN"); do case_fail "$call" "$error"; done
		done
		;;
	esac
}

set -euo pipefail
COUNT=$3
declare -A CASE_PLAIN=()
CASE_WRONG=0 CASE_DONE=0 CASE_NEWS=0 CASE_OLDS=0 CASE_LOADER=0 CASE_FUTEX=0
case_make "$1"
meddle_all "$2"
printf '%s, %s: %d times, of %d system calls, %d of them its own; wrong: %d' \
	"$1" "$2" "$CASE_DONE" "$CASE_ALL" "$CASE_OWN" "$CASE_WRONG"
[[ $2 == kill ]] ||
	printf '; old tree and 1: %d, new tree and 0: %d, %s: %d, %s: %d' "$CASE_OLDS" "$CASE_NEWS" \
		'ended by the dynamic loader before main()' "$CASE_LOADER" 'by the C library in a futex' "$CASE_FUTEX"
printf '; roots from which the plain run was tried: %d\n' "${#CASE_PLAIN[@]}"
[[ $CASE_WRONG -eq 0 && $CASE_DONE -gt 0 ]]
