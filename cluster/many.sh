#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: many.sh COMMAND TARGET...
#
# Run a command of make for many targets, as many at a time as the machine carries: one for each processor, and at most
# one for each GiB of memory that is free (JOBS=N: N).  COMMAND is lock, fetch, image, artifacts, parity or boot;
# artifacts also signs if MODULE_KEY and MODULE_CERT are set.
#
# Print one line when a target ends, and on a terminal a line of progress.  A target that fails does not stop the
# others; what it printed is in out/log/TARGET-COMMAND-all.log.  out/log/COMMAND-all.txt has "TARGET STATUS" of each.
# Exit with 0 if all succeeded, with 130 after ^C, else with 1.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../scripts/lib.sh"
worker=
if [[ ${1:-} == --worker ]]; then
	worker=1
	shift
fi
[[ $# -ge 2 && $1 =~ ^(lock|fetch|image|artifacts|parity|boot)$ ]] ||
	die "usage: many.sh lock|fetch|image|artifacts|parity|boot TARGET..."
command=$1
shift

# run_command TARGET: Run the command for one target.
run_command() {
	case $command in
	lock | fetch | image) "$TOP/scripts/$command.sh" "$1" ;;
	artifacts)
		"$TOP/scripts/artifacts.sh" "$1" || return
		[[ -z ${MODULE_KEY:-}${MODULE_CERT:-} ]] || "$TOP/scripts/sign-modules.sh" "$1"
		;;
	parity | boot) "$TOP/tests/run/proofs.sh" "$command" "$1" ;;
	esac
}

# run_logged TARGET: Run the command with its output in the log, and print "TARGET STATUS MILLISECONDS"; nothing if it
# was interrupted.  Runs in a process of its own.
run_logged() {
	local status=0 start log=$OUT/log/$1-$command-all.log
	start=$(now_ms)
	rm -f "$log"
	(set -o noclobber && run_command "$1" >"$log" 2>&1 </dev/null) || status=$?
	[[ $status -eq 130 || $status -eq 143 ]] || printf '%s %s %s\n' "$1" "$status" "$(($(now_ms) - start))"
}

# result TARGET: Print the last line of the target's log that says what there is now.
result() { sed -n "s/^\(build\|$command\) *//p" "$OUT/log/$1-$command-all.log" | tail -n 1; }

# reason TARGET: Print why the target failed, and its log.
reason() {
	local log=$OUT/log/$1-$command-all.log
	printf '%s; log: %s\n' "$({ grep '^wgkmod: ' "$log" || tail -n 1 "$log"; } | sed '1!d; s/^wgkmod: //')" "$log"
}

# free_jobs: Print how many targets this machine carries at a time.
free_jobs() {
	awk -v cpus="$(nproc)" '$1 == "MemAvailable:" { n = int($2 / 1048576) }
		END { n = n < cpus ? n : cpus; print (n > 0 ? n : 1) }' /proc/meminfo
}

# install_programs: Install what the families of the targets need on this machine.  An unknown target has no family.
install_programs() {
	local family words
	words=$(
		cd "$TARGET_DIR"
		for family in "$TOP"/builder/families/*.sh; do
			grep -qs "^FAMILY *= *$(basename "$family" .sh)\$" -- "${targets[@]}" || continue
			# shellcheck source=/dev/null
			. "$family"
			if [[ $command == lock ]]; then echo "$family_lock_programs"; else echo "$family_programs"; fi
		done
	)
	# shellcheck disable=SC2086 # words
	"$TOP/scripts/install-deps.sh" $words
}

if [[ -n $worker ]]; then
	run_logged "$1"
	exit 0
fi

mapfile -t targets < <(printf '%s\n' "$@" | awk '!seen[$0]++')
for name in "${targets[@]}"; do
	is_name "$name" || die "'$name' is not a target's name"
done
jobs=${JOBS:-$(free_jobs)}
[[ $jobs =~ ^[1-9][0-9]*$ ]] || die "JOBS '$jobs' is not a number of targets at a time"
own_dir "$OUT" "$OUT/log"
install_programs
results=$OUT/log/$command-all.txt
rm -f "$results"
(set -o noclobber && : >"$results") || die "cannot write '$results'"
start=$(now_ms) done=0 failed=() interrupted=

# ^C ends xargs and the targets, which are in the same process group; then this script says what is done.
trap 'interrupted=1' INT
shopt -s lastpipe
set +o pipefail # a line says how each target ended
printf '%s\0' "${targets[@]}" | xargs -0 -n 1 -P "$jobs" "$0" --worker "$command" | while read -r name status ms; do
	printf '%s %s\n' "$name" "$status" >>"$results"
	((++done))
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
	if [[ $status -eq 0 ]]; then
		say "$command" "$name: $(result "$name")"
	else
		failed+=("$name")
		say FAILED "$name after $((ms / 1000)) s: $(reason "$name")"
	fi
	[[ ! -t 2 ]] || printf '%d of %d done, %d failed' "$done" "${#targets[@]}" "${#failed[@]}" >&2
done
set -o pipefail
[[ ! -t 2 ]] || printf '\r\033[K' >&2

mapfile -t undone < <(printf '%s\n' "${targets[@]}" |
	awk 'FILENAME != "-" { ended[$1]; next } !($1 in ended)' "$results" -)
say "$command" "${#targets[@]} kernels, $jobs at a time: $((done - ${#failed[@]})) done, ${#failed[@]} failed," \
	"${#undone[@]} not finished ($(seconds_since "$start"))"
[[ ${#failed[@]} -eq 0 ]] || say failed "${failed[*]}"
[[ ${#undone[@]} -eq 0 ]] || say unfinished "${undone[*]}"
[[ -z $interrupted ]] || exit 130
[[ ${#failed[@]} -eq 0 && ${#undone[@]} -eq 0 ]]
