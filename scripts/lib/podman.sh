# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# podman.sh - run podman in a way that works on this host.  Sourced after lib.sh.
#
# On some hosts the default runtime can run no container: crun needs CAP_SYS_RESOURCE to raise limits,
# and cgroups that are not hybrid.  runc with explicit limits works there.  podman_probe keeps the first way that
# works in out/.podman, and tries it first until podman's version changes.

# podman_ways: Print the ways to try: podman's global options, "--", the options of run and build.
podman_ways() {
	printf '%s\n' \
		'--' \
		'-- --ulimit nofile=1024:1024 --ulimit nproc=4096:4096' \
		'--runtime runc --' \
		'--runtime runc -- --ulimit nofile=1024:1024 --ulimit nproc=4096:4096' \
		'--runtime crun --' \
		'--runtime crun -- --ulimit nofile=1024:1024 --ulimit nproc=4096:4096'
}

# podman_way WORDS: Set PODMAN (the command with its global options) and PODMAN_LIMITS (options of
# run and build) from one line of podman_ways.
podman_way() {
	local -a words
	local word where=global
	read -ra words <<<"$1"
	PODMAN=(podman) PODMAN_LIMITS=()
	for word in "${words[@]}"; do
		if [[ $word == -- ]]; then
			where=limits
		elif [[ $where == global ]]; then
			PODMAN+=("$word")
		else
			PODMAN_LIMITS+=("$word")
		fi
	done
}

# sealed COMMAND-WORDS...: Run podman run without network and capabilities, with a read-only root and a tmpfs
# at /build.  The output leaves the container as a stream.  The container does not inherit the lock of make_tmp:
# it may outlive a killed run.
sealed() {
	"${PODMAN[@]}" run --rm --network=none --read-only --cap-drop=all \
		--security-opt=no-new-privileges --pull=never --log-driver=none "${PODMAN_LIMITS[@]}" \
		--tmpfs /build:rw,exec,nosuid,nodev,size=2g,mode=1777 "$@" 8>&- 9>&-
}

# podman_probe IMAGE: Find a way in which podman runs a sealed container of IMAGE, and print it.  Set PODMAN and
# PODMAN_LIMITS to it.
podman_probe() {
	local image=$1 way file=$OUT/.podman id why
	id="$(podman --version) uid $(id -u)"
	[[ $(printf '4.2\n%s\n' "${id##*version }" | sort -V | head -n 1) == 4.2 ]] ||
		die "podman 4.2 or later is needed (for --build-context); here is ${id%% uid*}"
	own_dir "$OUT"
	if [[ -f $file && $(head -n1 "$file") == "$id" ]]; then
		way=$(tail -n1 "$file")
		if podman_ways | grep -qxF -e "$way"; then
			podman_way "$way"
			! sealed "$image" true >>"$LOG" 2>&1 || return 0
		fi
	fi
	while IFS= read -r way; do
		podman_way "$way"
		printf '+ trying: %s\n' "${PODMAN[*]} run ${PODMAN_LIMITS[*]}" >>"$LOG"
		if sealed "$image" true >>"$LOG" 2>&1; then
			rm -f "$file"
			printf '%s\n%s\n' "$id" "$way" >"$file"
			say podman "runs as: ${PODMAN[*]}${PODMAN_LIMITS[*]:+ run ${PODMAN_LIMITS[*]}}"
			return
		fi
	done < <(podman_ways)
	command -v runc >/dev/null ||
		die "podman cannot run a container here; install runc, with which it can on some hosts"
	# Each way has another container, with an ID of its own.
	why=$(sed -n 's/ with ID "[0-9a-f]*"//; s/^Error: //p' "$LOG" | sort | uniq -c | sort -rn | sed -n '1s/^ *[0-9]* //p')
	die "podman cannot run a container here in any of the ways known: ${why:-see the log};" \
		"where an image is damaged, 'make clean-images' removes all that wgkmod made"
}

# require_no_network IMAGE: Exit unless a sealed container has no network.
require_no_network() {
	sealed "$1" sh -c "$(cat "$TOP/builder/check-offline.sh")" || exit 1
}

# own_storage DIR: From here on, podman keeps images and containers only in the new directory DIR.  Its run root, the
# state of running containers, is below RUN_ROOT, which is removed when the script ends.  It is not in DIR: podman
# refuses a run root of more than 50 characters when conmon calls it to clean up, and podman run waits 20 s for that.
own_storage() {
	mkdir "$1"
	[[ -n ${RUN_ROOT:-} ]] || RUN_ROOT=$(mktemp -d /tmp/wgkmod-run.XXXXXXXX) || die "cannot create a directory in /tmp"
	printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/graph"\nrunroot = "%s"\n' "$1" "$RUN_ROOT/${1##*/}" \
		>"$1/storage.conf"
	export CONTAINERS_STORAGE_CONF=$1/storage.conf
}
