# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# lib.sh - functions for the scripts that run in the guest.  File descriptor 5 is the channel to the host.

set -Eeuo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C

# report KEY VALUE...: Write a line to the channel, and to the console for the reader of the log.
report() {
	printf '%s\n' "$*" >&5
	printf 'vm: %s\n' "$*" >&2
}

# fail SENTENCE...: Report why to the host and exit.  Only the first sentence counts, not those that callers
# add when the script fails.
fail() {
	trap - ERR
	[[ -e /run/vm/failed ]] || report why "${*//[$'\n\r']/ }"
	: >/run/vm/failed
	exit 1
}

# run COMMAND...: Print the command on the console and run it; if it fails, fail the test with its output.
run() {
	local words status=0
	printf '+ %s\n' "$*"
	words=$("$@" 2>&1) || status=$?
	[[ -z $words ]] || printf '%s\n' "$words"
	[[ $status -eq 0 ]] || fail "'$*' ended with status $status: $words; last words of the kernel: $(dmesg | tail -n 2)"
}

# refused STATUS REGEX COMMAND...: Run the command; fail unless it exits with STATUS and its output matches.
# Set said to the output.
refused() {
	local expected=$1 regex=$2 words status=0
	shift 2
	words=$("$@" 2>&1) || status=$?
	# shellcheck disable=SC2034 # for the caller
	said=$words
	printf '%s\n' "$words"
	[[ $status -eq $expected && $words =~ $regex ]] ||
		fail "'$*' ended with status $status instead of $expected: $words"
}

# kernel_option NAME: Print the value of NAME= on the kernel's command line.
kernel_option() {
	local word words
	read -ra words </proc/cmdline
	for word in "${words[@]}"; do
		[[ $word != "$1="* ]] || printf '%s\n' "${word#*=}"
	done
}

now_ms() { printf '%s\n' "$((${EPOCHREALTIME/./} / 1000))"; }

# seconds MS: Print milliseconds as seconds with two decimals.
seconds() { printf '%d.%02d\n' "$(($1 / 1000))" "$(($1 % 1000 / 10))"; }

# trap_errors: From here on, fail with the command and its status if a command fails.
trap_errors() {
	trap 'fail "${BASH_SOURCE[0]##*/}:$LINENO: \"$BASH_COMMAND\" ended with status $?"' ERR
}
