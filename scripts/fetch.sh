#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: fetch.sh TARGET [STAGE...]
#
# Downloads what the target's lock names (of the stages given: base, toolchain, source, vm; all
# where none is) into the cache, CACHE/sha256/DIGEST.  The digest is the only gate: a file comes
# into the cache when it has the digest that the lock names, from whatever mirror.  The only
# phase with network; none is used when everything is in the cache.  Exit status 69 if all mirrors
# (but for the family's fallbacks) answered that they do not have what is missing.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -ge 1 ]] || die "usage: fetch.sh TARGET [STAGE...]"
read_target "$1"
shift
read_lock "$TARGET" "$@"
require_complete_lock "$TARGET"
phase_begin fetch
# A cache that cannot be written, such as one on a medium, is only read.
if [[ -d $CACHE && ! -w $CACHE ]]; then
	make_tmp "$OUT"
else
	make_tmp "$CACHE"
	own_dir "$CACHE/sha256"
fi

# download MIRROR: asks one mirror for all that is MISSING; an address that stands whole in the
# lock is asked for as it is.
download() {
	local mirror=$1 i config=$TMP/curl url reachable=1
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

# is_reachable MIRROR: its name is resolved, and something answers there; asked once, not for each file.
is_reachable() {
	local status=0
	curl --silent --head --output /dev/null --max-time "$((PATIENCE < 20 ? PATIENCE : 20))" "$1/" || status=$?
	case $status in
	5 | 6 | 7 | 28) # no proxy's name, no name, no connection, no answer: curl(1)
		printf '%d\n' "$status" >"$TMP/curl-status"
		printf 'curl: %s is given up, status %d\n' "$1" "$status" | logged
		return 1
		;;
	esac
}

# curl_config CONFIG OPTION: one file that is not there does not keep the others from being
# tried, so curl's status is not the verdict (it goes into the message): what arrives must have
# its digest.
curl_config() {
	local status=0 many=(--parallel --parallel-max 6 "$2")
	[[ $(printf '7.67\n%s\n' "$(curl --version | sed -n '1s/^curl \([0-9.]*\).*/\1/p')" | sort -V | head -n 1) == 7.67 ]] ||
		many=(--silent --show-error) # older: one after the other
	# what the servers answered: that a mirror does not have it is another thing than silence
	curl --config "$1" "${many[@]}" --fail --location --retry 2 --write-out '%{http_code} %{filename_effective}\n' \
		--connect-timeout "$((PATIENCE < 20 ? PATIENCE : 20))" --speed-limit 1024 --speed-time "$PATIENCE" \
		>"$TMP/answers" || status=$?
	printf '%d\n' "$status" >"$TMP/curl-status"
}

# keep INDEX: moves a download into the cache if it is what the lock names.
keep() {
	local sha=${LOCK_SHA256[$1]} file got
	file=$TMP/$sha
	[[ -f $file ]] || return 0
	got=$(sha256sum "$file" | cut -d ' ' -f 1)
	if [[ $got == "$sha" ]]; then
		chmod 444 "$file"
		sync -d "$file"
		mv -T "$file" "$(cached "$sha")"
	else
		printf '%s: the digest is %s, not %s as in the lock\n' "${LOCK_WHERE[$1]}" "$got" "$sha" >>"$TMP/refused"
		rm -f "$file"
	fi
}

# is_gone: each mirror that counts said of each file that is missing that it does not have it.
is_gone() {
	local i codes
	for i in "${MISSING[@]}"; do
		codes=$(file=$TMP/${LOCK_SHA256[i]} awk 'substr($0, index($0, " ") + 1) == ENVIRON["file"] { print $1 }' "$TMP/all-answers")
		if [[ -z $codes ]] || grep -qvx '404\|410' <<<"$codes"; then return 1; fi
	done
}

# describe_missing: the first three of MISSING by name, and how many more there are.
describe_missing() {
	local i
	for i in "${MISSING[@]:0:3}"; do printf '%s ' "${LOCK_WHERE[i]##*/}"; done
	[[ ${#MISSING[@]} -le 3 ]] || printf 'and %d more ' "$((${#MISSING[@]} - 3))"
}

# fetch_image SHA256 LOCATION: a base image by its manifest's digest, through skopeo, each blob
# into the cache under its own; the manifest comes last.
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
		mv -T "$dir/$file" "$(cached "$file")"
	done
	mv -T "$dir/manifest.json" "$(cached "$sha")"
}

check_cached
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
	for mirror in "${mirrors[@]}"; do
		download "$mirror"
		[[ " $family_fallbacks " == *" $mirror "* ]] || cat "$TMP/answers" >>"$TMP/all-answers"
		for i in "${MISSING[@]}"; do keep "$i"; done
		check_cached
		[[ ${#MISSING[@]} -gt 0 ]] || break
	done
fi
if [[ ${#MISSING[@]} -gt 0 ]]; then
	logged <"$TMP/refused"
	full_disk "$CACHE"
	[[ ! -s $TMP/refused ]] || die "$(head -n1 "$TMP/refused")"
	if is_gone; then
		printf 'wgkmod: %s %s %s\n' "cannot fetch $(describe_missing)(of '$TARGET'): the mirrors that could be reached do not" \
			"have it any more; set MIRROR= to one that has it, or bring the cache '$CACHE' from a machine that has it;" \
			"the lock '$TARGET_DIR/$TARGET.lock' still says what it was" | plain >&2
		exit "$EXIT_GONE"
	fi
	die "cannot fetch $(describe_missing)(of '$TARGET'): no mirror could be reached that has it" \
		"(curl's last status: $(cat "$TMP/curl-status")); set MIRROR= to one that has it, or bring the cache '$CACHE'" \
		"from a machine that could fetch it"
fi
if [[ $count -eq 0 ]]; then
	phase_end "${#LOCK_SHA256[@]} inputs are in the cache and have their digests"
else
	phase_end "$count of ${#LOCK_SHA256[@]} inputs downloaded, all have the digests of the lock"
fi
