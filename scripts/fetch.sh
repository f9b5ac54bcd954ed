#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: fetch.sh TARGET [STAGE...]
#
# Download the files in the target's lock into the cache, CACHE/sha256/DIGEST.  STAGE is base, toolchain,
# source, vm or kernel; without it, all stages.  A file enters the cache only with the digest in the lock,
# from whatever mirror.  This is the only phase with network, and it uses none if the cache is complete.
# A download that is cut off goes on where it ended, in this run or, by way of CACHE/partial, in the next one.
# Exit with 69 if all mirrors (except the family's fallbacks) answered that they do not have a missing file.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -ge 1 ]] || die "usage: fetch.sh TARGET [STAGE...]"
read_target "$1"
shift
read_lock "$TARGET" "$@"
require_complete_lock "$TARGET"
phase_begin fetch
if [[ -d $CACHE && ! -w $CACHE ]]; then
	make_tmp "$OUT"
else
	make_tmp "$CACHE"
	own_dir "$CACHE/sha256"
fi

# take_partial: Take over what runs before downloaded in part.  One of several runs gets a file.
take_partial() {
	local i sha
	[[ -d $CACHE/partial ]] || return 0
	own_dir "$CACHE/partial"
	for i in "${MISSING[@]}"; do
		sha=${LOCK_SHA256[i]}
		[[ ! -f $CACHE/partial/$sha ]] || mv -T "$CACHE/partial/$sha" "$TMP/$sha" || [[ ! -e $CACHE/partial/$sha ]]
	done
}

# phase_failed: Keep what was downloaded in part for the next run, but not on a full disk.
phase_failed() {
	local i sha kept=0
	[[ $(df --output=avail -k "$CACHE" | tail -n 1) -ge 1024 ]] || return 0
	for i in "${MISSING[@]}"; do
		sha=${LOCK_SHA256[i]}
		[[ -s $TMP/$sha ]] || continue
		own_dir "$CACHE/partial"
		mv -T "$TMP/$sha" "$CACHE/partial/$sha"
		((++kept))
	done
	[[ $kept -eq 0 ]] || printf 'wgkmod: files downloaded in part: %d; the next run goes on from there\n' "$kept" >&2
}

# download MIRROR: Download all files in MISSING from one mirror.  If the lock has a whole address for a file,
# use that address.  Set BEFORE to the sizes that the files had, of those that were asked for.
download() {
	local mirror=$1 i config=$TMP/curl url reachable=1
	BEFORE=()
	: >"$TMP/answers"
	is_reachable "$mirror" || reachable=
	for i in "${MISSING[@]}"; do
		case ${LOCK_WHERE[i]} in
		docker://*) continue ;;
		*://*) url=${LOCK_WHERE[i]} ;;
		*)
			[[ -n $reachable ]] || continue
			url=$mirror/${LOCK_WHERE[i]}
			;;
		esac
		BEFORE[i]=0
		[[ ! -f $TMP/${LOCK_SHA256[i]} ]] || BEFORE[i]=$(stat -c %s "$TMP/${LOCK_SHA256[i]}")
		printf 'url = "%s"\noutput = "%s"\n' "$url" "$TMP/${LOCK_SHA256[i]}"
	done >"$config"
	[[ -s $config ]] || return 0
	printf '+ curl: %d files from %s\n' "$(grep -c '^url' "$config")" "$mirror" | logged
	if [[ -t 2 && -z $V ]]; then
		curl_config "$config" --progress-meter
	else
		curl_config "$config" --no-progress-meter 2>&1 | logged
	fi
}

# is_reachable MIRROR: Return 0 if the mirror's name resolves and a server answers.  Ask once, not for each file.
is_reachable() {
	local status=0
	curl --config - --silent --head --output /dev/null --max-time "$((PATIENCE < 20 ? PATIENCE : 20))" \
		<<<"url = \"$1/\"" || status=$?
	case $status in
	5 | 6 | 7 | 28) # proxy's name or host's name does not resolve, no connection, no answer: curl(1)
		printf '%d\n' "$status" >"$TMP/curl-status"
		printf 'curl: giving up on %s, status %d\n' "$1" "$status" | logged
		return 1
		;;
	esac
}

# curl_config CONFIG OPTION: Run curl on CONFIG.  curl tries every file, also after one failed, so its status
# decides nothing and only goes into the message; keep checks the digest of each file.
curl_config() {
	local status=0 many=(--parallel --parallel-max 6 "$2") resume=(--continue-at -) code='%{exitcode}'
	curl_is 7.67 || many=(--silent --show-error) # older: one file after the other
	curl_is 7.75 || resume=() code=-             # older: does not tell which file was cut off
	# Keep the HTTP status of each file: is_gone needs to tell "not found" from silence.
	curl --config "$1" "${many[@]}" "${resume[@]}" --fail --location --retry 2 \
		--write-out "%{http_code} $code %{filename_effective}\\n" \
		--connect-timeout "$((PATIENCE < 20 ? PATIENCE : 20))" --speed-limit 1024 --speed-time "$PATIENCE" \
		>"$TMP/answers" || status=$?
	printf '%d\n' "$status" >"$TMP/curl-status"
}

# answers INDEX LIST: Print "STATUS CODE" of each answer for a file in the list: the HTTP status, curl's exit code.
answers() {
	file=$TMP/${LOCK_SHA256[$1]} awk '{ answer = $1 " " $2; sub(/^[^ ]+ [^ ]+ /, "") }
		$0 == ENVIRON["file"] { print answer }' "$2"
}

# keep INDEX: Move a download into the cache if it has the digest in the lock.  Delete it if it is whole and has not.
# Set AGAIN if the same mirror is to be asked again: the file grew before it was cut off, or its first part was wrong.
keep() {
	local sha=${LOCK_SHA256[$1]} before=${BEFORE[$1]:-} file got
	file=$TMP/$sha
	[[ -n $before && -f $file ]] || return 0
	got=$(sha256sum "$file" | cut -d ' ' -f 1)
	if [[ $got == "$sha" ]]; then
		chmod 444 "$file"
		sync -d "$file"
		mv -T "$file" "$(cached "$sha")"
		return
	fi
	case $(answers "$1" "$TMP/answers" | tail -n 1) in
	*' -') # an older curl
		rm "$file"
		AGAIN=1
		printf '%s: the digest is %s, not %s as in the lock, or it was cut off\n' "${LOCK_WHERE[$1]}" "$got" "$sha" \
			>>"$TMP/refused"
		;;
	*' 0' | *' 33' | *' 36' | '416 '*) # whole, or the server has no such part: curl(1)
		rm "$file"
		[[ $before -eq 0 ]] || AGAIN=1
		[[ $before -gt 0 ]] ||
			printf '%s: the digest is %s, not %s as in the lock\n' "${LOCK_WHERE[$1]}" "$got" "$sha" >>"$TMP/refused"
		;;
	*) [[ $(stat -c %s "$file") -le $before ]] || AGAIN=1 ;;
	esac
}

# is_gone: Return 0 if every mirror that counts answered 404 or 410 for every file in MISSING.
is_gone() {
	local i codes
	for i in "${MISSING[@]}"; do
		codes=$(answers "$i" "$TMP/all-answers" | cut -d ' ' -f 1)
		if [[ -z $codes ]] || grep -qvx '404\|410' <<<"$codes"; then return 1; fi
	done
}

# describe_missing: Print the names of the first three files in MISSING, and the number of the others.
describe_missing() {
	local i
	for i in "${MISSING[@]:0:3}"; do printf '%s ' "${LOCK_WHERE[i]##*/}"; done
	[[ ${#MISSING[@]} -le 3 ]] || printf 'and %d more ' "$((${#MISSING[@]} - 3))"
}

# fetch_image SHA256 LOCATION: Download a base image by its manifest's digest, with skopeo.  Move each blob
# into the cache under its own digest, and the manifest last.
fetch_image() {
	local sha=$1 dir=$TMP/image file
	rm -rf "$dir"
	if ! run skopeo copy --preserve-digests "$2" "dir:$dir"; then
		printf '%s: skopeo could not copy it: %s\n' "$2" "$(tail -n 1 "$LOG")" >>"$TMP/refused"
		return 0
	fi
	for file in $(image_blobs "$dir/manifest.json"); do
		printf '%s  %s\n' "$file" "$dir/$file"
	done | sha256sum --check --quiet || die "$2: a layer does not have its digest"
	[[ $(sha256sum <"$dir/manifest.json" | cut -d ' ' -f 1) == "$sha" ]] ||
		die "$2: its manifest does not have the digest of the lock"
	for file in $(image_blobs "$dir/manifest.json" | sort -u); do
		chmod 444 "$dir/$file"
		sync -d "$dir/$file"
		mv -T "$dir/$file" "$(cached "$file")"
	done
	sync -d "$dir/manifest.json"
	mv -T "$dir/manifest.json" "$(cached "$sha")"
}

# lock_cache: Let one run at a time download: the next finds the files of the one before.  The lock only saves
# downloads.  Without it (a file system may have none, and other machines may share the cache) each run downloads into
# its own directory, and one rename puts a whole file into the cache.
lock_cache() {
	exec 9<"$CACHE/sha256"
	flock -n 9 || { say fetch 'waits for another download into the cache' && flock 9; } ||
		printf 'the cache cannot be locked: others may download the same files\n' | logged
	check_cached
}

check_cached
[[ ${#MISSING[@]} -eq 0 || ! -w $CACHE ]] || lock_cache
count=${#MISSING[@]}
: >"$TMP/refused"
echo 0 >"$TMP/curl-status"
: >"$TMP/answers"
: >"$TMP/all-answers"
if [[ $count -gt 0 ]]; then
	[[ -w $CACHE ]] || die "the cache '$CACHE' cannot be written, and it lacks $count of ${#LOCK_SHA256[@]} inputs:" \
		"$(describe_missing)(of '$TARGET')"
	for i in "${MISSING[@]}"; do
		[[ ${LOCK_WHERE[i]} != docker://* ]] || fetch_image "${LOCK_SHA256[i]}" "${LOCK_WHERE[i]}"
	done
	family_network
	mapfile -t mirrors < <(family_mirrors)
	take_partial
	for mirror in "${mirrors[@]}"; do
		[[ ${#MISSING[@]} -gt 0 ]] || break
		for _ in 1 2 3; do
			AGAIN=
			download "$mirror"
			[[ " $family_fallbacks " == *" $mirror "* ]] || cat "$TMP/answers" >>"$TMP/all-answers"
			for i in "${MISSING[@]}"; do keep "$i"; done
			check_cached
			[[ -n $AGAIN ]] || break
		done
	done
fi
if [[ ${#MISSING[@]} -gt 0 ]]; then
	logged <"$TMP/refused"
	full_disk "$CACHE"
	# another mirror may have had what one mirror got wrong
	for i in "${MISSING[@]}"; do
		grep -m 1 -F "${LOCK_WHERE[i]}: " "$TMP/refused" || [[ $? -eq 1 ]]
	done >"$TMP/reasons"
	[[ ! -s $TMP/reasons ]] || die "$(head -n 1 "$TMP/reasons")"
	if is_gone; then
		printf 'wgkmod: %s %s %s %s\n' "cannot fetch $(describe_missing)(of '$TARGET'):" \
			"the mirrors that could be reached do not have it any more; set MIRROR= to one that has it," \
			"or copy the cache '$CACHE' from a machine that has it;" \
			"the lock '$TARGET_DIR/$TARGET.lock' still has its name and digest" | plain >&2
		exit "$EXIT_GONE"
	fi
	die "cannot fetch $(describe_missing)(of '$TARGET'): no mirror could be reached that has it" \
		"(curl's last status: $(cat "$TMP/curl-status")); set MIRROR= to one that has it, or copy the cache '$CACHE'" \
		"from a machine that could fetch it"
fi
if [[ $count -eq 0 ]]; then
	phase_end "${#LOCK_SHA256[@]} inputs are in the cache and have their digests"
else
	phase_end "$count of ${#LOCK_SHA256[@]} inputs downloaded, all have the digests of the lock"
fi
