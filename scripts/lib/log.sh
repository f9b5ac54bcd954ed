# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# log.sh - messages, phases and their logs.

# die MESSAGE...: Print the message on standard error and exit with 1.
die() {
	printf 'wgkmod: %s\n' "$*" | plain >&2
	exit 1
}

# plain: Copy standard input; remove user names and passwords from addresses, replace control characters by "?".
plain() { sed -u -E 's,(://)[^/@[:space:]]*@,\1,g; s/[^[:print:][:space:]]|[\f\v]/?/g'; }

# say PHASE MESSAGE...: Print one line of a phase's result.
say() {
	local phase=$1
	shift
	printf '%-9s %s\n' "$phase" "$*"
}

now_ms() { date +%s%3N; }

# seconds_since MS: Print the time since now_ms printed MS, as "1.2 s".
seconds_since() {
	local ms=$(($(now_ms) - $1))
	printf '%d.%d s\n' $((ms / 1000)) $((ms % 1000 / 100))
}

# ---- phases ---------------------------------------------------------------------------

# phase_begin NAME: Open the phase's log, out/log/TARGET-NAME.log.  If the script fails before phase_end, it
# prints the end of that log and its name.
phase_begin() {
	PHASE=$1
	LOG=$OUT/log/$TARGET-$PHASE.log
	PHASE_START=$(now_ms)
	own_dir "$OUT" "$OUT/log"
	# Create a new file: never write through a link of that name.
	if ! rm -f "$LOG" || ! (set -o noclobber && : >"$LOG"); then die "cannot write the log '$LOG'"; fi
	trap on_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# phase_end MESSAGE...: End the phase: print one line with the message and the time it took.
phase_end() {
	say "$PHASE" "$* ($(seconds_since "$PHASE_START"))"
	PHASE=
}

# full_disk DIR: Print a message if the file system of DIR is full.
full_disk() {
	if [[ -d $1 && $(df --output=avail -k "$1" | tail -n1) -lt 1024 ]]; then
		printf "wgkmod: the file system of '%s' is full\n" "$1" >&2
	fi
}

# on_exit: Report the phase that failed, remove TMP and RUN_ROOT, and turn statuses without a meaning here into 1.
on_exit() {
	local status=$?
	if [[ $status -ne 0 && -n ${PHASE:-} ]]; then
		[[ $(type -t phase_failed) != function ]] || phase_failed || printf 'wgkmod: no report could be written\n' >&2
		full_disk "${TMP:-$OUT}"
		if [[ -s $LOG ]]; then
			[[ -n $V ]] || tail -n 15 "$LOG" | sed 's/^/  | /' >&2
			printf 'wgkmod: the log of the phase %s is %s\n' "$PHASE" "$LOG" >&2
		fi
		printf 'wgkmod: %s failed\n' "$PHASE" >&2
	fi
	[[ -z ${TMP:-} ]] || rm -rf "$TMP"
	[[ -z ${RUN_ROOT:-} ]] || rm -rf "$RUN_ROOT"
	[[ $status -le 1 || $status -eq $EXIT_GONE || $status -ge 128 || -n $NOT_EQUAL ]] || exit 1
}

# not_equal: Exit with 3: a comparison was possible, and the two are not equal.  A script exits with 3 for
# no other reason.
not_equal() {
	PHASE='' NOT_EQUAL=1
	exit 3
}

# progress: Show the last line of standard input on the terminal, compile steps with a number.
progress() {
	awk '
		/^ *(CC|AS|LD|AR|PERLASM|MODPOST|HOSTCC) / { n++; $0 = "[" n "] " $0 }
		{ gsub(/\r/, " "); printf "\r\033[K%s", substr($0, 1, 78) > "/dev/stderr"; fflush("/dev/stderr") }
		END { printf "\r\033[K" > "/dev/stderr" }'
}

# logged: Copy standard input to the phase's log.  With V=1 show it too; on a terminal show its last line.
logged() {
	if [[ -n $V ]]; then
		plain | tee -a "$LOG" >&2
	elif [[ -t 2 ]]; then
		plain | tee -a "$LOG" | progress
	else
		plain >>"$LOG"
	fi
}

# run COMMAND...: Log the command, and show it with V=1; then run it, its output logged too.  It gets the
# standard streams and no other descriptor.
run() {
	printf '+ %s\n' "${*@Q}" | logged
	"$@" 2>&1 </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- | logged
}
