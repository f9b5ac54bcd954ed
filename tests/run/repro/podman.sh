#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Run podman with the variations of make repro.  run.sh puts this script first in PATH, under the name podman.
# Before the build, write the values that the build will see to REPRO_EVIDENCE, from a container with the same
# options.
#
#	REPRO_PODMAN      the real podman
#	REPRO_EVIDENCE    file for the lines "KEY VALUE"
#	REPRO_BUILDER     podman or buildah makes the image
#	REPRO_BUILD       options for making the image, words
#	REPRO_RUN         options for each container, words
#	REPRO_DIR         directory of the build inside the container
#	REPRO_VOLUME      directory of the host to mount there; empty for a tmpfs

set -euo pipefail
unset LD_PRELOAD # only the clock in the container is varied, not podman's own
declare -a global=() rest=()
while [[ $# -gt 0 && $1 == -* ]]; do
	global+=("$1")
	[[ $1 != --runtime ]] || { global+=("$2") && shift; }
	shift
done
verb=${1:-}
[[ $# -eq 0 ]] || shift
read -ra build_options <<<"$REPRO_BUILD"
read -ra run_options <<<"$REPRO_RUN"

evidence() { printf '%s\n' "$*" >>"$REPRO_EVIDENCE"; }

# Print the values that the build will see; runs in the container, in the directory of the build.
probe='
	printf "build.cpus %s\n" "$(nproc)"
	printf "build.name %s\n" "$(uname -n)"
	printf "build.domain %s\n" "$(cat /proc/sys/kernel/domainname)"
	printf "build.day %s\n" "$(date -u +%F)"
	printf "build.dir %s\n" "$1"
	printf "build.fs %s\n" "$(stat -f -c %T "$1")"
	mkdir "$1/probe" && cd "$1/probe" && touch a b c d e f g h i j k l
	printf "build.order %s\n" "$(ls -U | paste -sd " ")"
	cd / && rm -r "$1/probe"'

case $verb in
build)
	tool=("$REPRO_PODMAN" "${global[@]}")
	if [[ $REPRO_BUILDER == buildah ]]; then
		tool=(buildah)
		build_options+=("${global[@]}")
	fi
	if [[ $REPRO_BUILD == *chroot* ]]; then # it takes no --network; run.sh left no network anyway
		for word; do
			shift
			[[ $word == --network=none ]] || set -- "$@" "$word"
		done
	fi
	status=0
	"${tool[@]}" build "${build_options[@]}" "$@" || status=$?
	if [[ $status -eq 0 ]]; then
		evidence "image.builder $("${tool[@]}" --version)"
		evidence "image.options ${build_options[*]}"
	fi
	exit "$status"
	;;
run)
	for word; do
		case $word in
		/build:*)
			if [[ -n $REPRO_VOLUME ]]; then
				unset 'rest[-1]' # --tmpfs
				rest+=(--volume "$REPRO_VOLUME:$REPRO_DIR:rw")
			else
				rest+=("$REPRO_DIR:${word#*:}")
			fi
			;;
		*) rest+=("$word") ;;
		esac
	done
	run=("$REPRO_PODMAN" "${global[@]}" run "${run_options[@]}" "${rest[@]}")
	case ${!#} in
	localhost/wgkmod-builder:*)
		# without the environment, which build.sh clears
		"${run[@]}" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -euc "$probe" probe "$REPRO_DIR" >>"$REPRO_EVIDENCE"
		exec "${run[@]}" bash /wgkmod/build.sh "$REPRO_DIR"
		;;
	esac
	exec "${run[@]}"
	;;
esac
exec "$REPRO_PODMAN" "${global[@]}" ${verb:+"$verb"} "$@"
