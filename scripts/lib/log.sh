# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# log.sh - messages, phases and their logs.

# die MESSAGE...: one sentence on standard error, exit status 1.
die() {
	printf 'wgkmod: %s\n' "$*" | plain >&2
	exit 1
}

# plain: copies standard input without the passwords of addresses, and without control characters.
plain() { sed -u -E 's,(://)[^/@[:space:]]*@,\1,g; s/[^[:print:][:space:]]|[\f\v]/?/g'; }

# say PHASE MESSAGE...: one line of a phase's result.
say() {
	local phase=$1
	shift
	printf '%-9s %s\n' "$phase" "$*"
}

now_ms() { date +%s%3N; }

# seconds_since MS: the time since now_ms() gave MS, as "1.2 s".
seconds_since() {
	local ms=$(($(now_ms) - $1))
	printf '%d.%d s\n' $((ms / 1000)) $((ms % 1000 / 100))
}

# ---- phases ---------------------------------------------------------------------------

# phase_begin NAME: opens the phase's log, out/log/TARGET-NAME.log.  A script that ends with an
# error before phase_end shows the end of that log and its name.
phase_begin() {
	PHASE=$1
	LOG=$OUT/log/$TARGET-$PHASE.log
	PHASE_START=$(now_ms)
	own_dir "$OUT" "$OUT/log"
	# a new file: never what a link of that name leads to
	if ! rm -f "$LOG" || ! (set -o noclobber && : >"$LOG"); then die "cannot write the log '$LOG'"; fi
	trap on_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# phase_end MESSAGE...: the phase is done; one line says what it did and how long it took.
phase_end() {
	say "$PHASE" "$* ($(seconds_since "$PHASE_START"))"
	PHASE=
}

# full_disk DIR: says so where the file system of DIR has no room left.
full_disk() {
	if [[ -d $1 && $(df --output=avail -k "$1" | tail -n1) -lt 1024 ]]; then
		printf "wgkmod: the file system of '%s' is full\n" "$1" >&2
	fi
}

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
	[[ $status -le 1 || $status -eq $EXIT_GONE || $status -ge 128 || -n $NOT_EQUAL ]] || exit 1
}

# not_equal: ends a script that compares: what it compared was read, and is not equal.  Exit status 3,
# which no script ends with otherwise.
not_equal() {
	PHASE='' NOT_EQUAL=1
	exit 3
}

# progress: the last line of what passes by, on the terminal; compile steps are counted.
progress() {
	awk '
		/^ *(CC|AS|LD|AR|PERLASM|MODPOST|HOSTCC) / { n++; $0 = "[" n "] " $0 }
		{ gsub(/\r/, " "); printf "\r\033[K%s", substr($0, 1, 78) > "/dev/stderr"; fflush("/dev/stderr") }
		END { printf "\r\033[K" > "/dev/stderr" }'
}

# logged: copies standard input into the phase's log; shows it with V=1, its last line on a terminal.
logged() {
	if [[ -n $V ]]; then
		plain | tee -a "$LOG" >&2
	elif [[ -t 2 ]]; then
		plain | tee -a "$LOG" | progress
	else
		plain >>"$LOG"
	fi
}

# run COMMAND...: what a phase does: the command is logged, and shown with V=1.  It inherits the
# standard streams and no other.
run() {
	printf '+ %s\n' "${*@Q}" | logged
	"$@" 2>&1 </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- | logged
}
