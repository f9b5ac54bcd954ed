# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# podman.sh - podman as this host lets it run.  Sourced after lib.sh.
#
# Some hosts refuse every container of the default runtime: crun needs CAP_SYS_RESOURCE to raise
# limits, and cgroups that are not hybrid; runc with explicit limits works there.  Which way
# works is found by trying, once, and kept in out/.podman for as long as podman is the same.

podman_ways() {
	printf '%s\n' \
		'--' \
		'-- --ulimit nofile=1024:1024 --ulimit nproc=4096:4096' \
		'--runtime runc --' \
		'--runtime runc -- --ulimit nofile=1024:1024 --ulimit nproc=4096:4096' \
		'--runtime crun --' \
		'--runtime crun -- --ulimit nofile=1024:1024 --ulimit nproc=4096:4096'
}

# podman_way WORDS: sets PODMAN (the command with its global options) and PODMAN_LIMITS (options of
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

# sealed COMMAND-WORDS...: podman run without network, with a root that cannot be written and no
# capabilities; what is built lives in a tmpfs and leaves as a stream.  The lock of make_tmp is not
# handed on: a container may outlive a killed run.
sealed() {
	"${PODMAN[@]}" run --rm --network=none --read-only --cap-drop=all \
		--security-opt=no-new-privileges --pull=never --log-driver=none "${PODMAN_LIMITS[@]}" \
		--tmpfs /build:rw,exec,nosuid,nodev,size=2g,mode=1777 "$@" 8>&- 9>&-
}

# podman_probe IMAGE: finds a way in which podman runs a container of IMAGE, sealed; says which.
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
			return
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
		die "podman cannot run a container here, and runc, with which some hosts can, is not installed"
	why=$(sed -n 's/^Error: //p' "$LOG" | sort | uniq -c | sort -rn | sed -n '1s/^ *[0-9]* //p')
	die "podman cannot run a container here in any of the ways known: ${why:-see the log};" \
		"where an image is damaged, 'make clean-images' removes all that wgkmod made"
}

# require_no_network IMAGE: stops unless a sealed container sees no network.
require_no_network() {
	sealed "$1" sh -c "$(cat "$TOP/builder/check-offline.sh")" || exit 1
}

# own_storage DIR: from here on podman keeps images and containers in the new directory DIR alone.
own_storage() {
	mkdir "$1"
	printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$1" "$1" >"$1/storage.conf"
	export CONTAINERS_STORAGE_CONF=$1/storage.conf
}
