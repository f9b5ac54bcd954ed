# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# lock-rpm.sh - make the lock of a target of the family rpm.  Sourced by builder/families/rpm.sh.
#
# The questions to the distribution run in its own container image, in containers that are thrown away
# (lock-rpm-guest.sh).  kernel-devel decides which compiler is pinned.  Every package is checked with the target's
# KEY alone.  $RESOLVE is the directory that the containers share.

# shellcheck source=scripts/lib/podman.sh
. "$TOP/scripts/lib/podman.sh"
# shellcheck source=builder/kernel-devel.sh
. "$TOP/builder/kernel-devel.sh"

RESOLVE=$TMP/resolve
# NAME-VERSION-RELEASE.ARCH of a package: no option, no path.
package_word='[A-Za-z0-9][A-Za-z0-9._+~^-]*'
BASE_IMAGE=''

# step WORDS...: Print one line of the result, for the user and for the report.
step() {
	say lock "$*" | plain >&2
	printf '%s\n' "$*" >>"$TMP/steps"
}

# guest COMMAND [WORD...]: Run a function of lock-rpm-guest.sh in a container of the base image.  Its output goes
# to the log and to $TMP/said.  Exit if the container left anything but files and directories: the host reads
# them, and a link could lead to any file of the host.
guest() {
	local status=0 odd
	printf '+ in %s: %s\n' "$BASE_IMAGE" "${*@Q}" | logged
	: >"$TMP/said"
	"${PODMAN[@]}" run --rm --network=host --pull=never "${PODMAN_LIMITS[@]}" --security-opt=label=disable \
		--volume "$RESOLVE:/resolve" --volume "$TOP/scripts/lib/lock-rpm-guest.sh:/lock-rpm-guest.sh:ro" \
		"$BASE_IMAGE" bash /lock-rpm-guest.sh "$PATIENCE" "$@" 2>&1 </dev/null 8>&- 9>&- |
		tee "$TMP/said" | logged || status=$?
	odd=$(find "$RESOLVE" \( -path "$RESOLVE/cache" -o -path "$RESOLVE/keys" \) -prune -o ! -type f ! -type d -print -quit)
	# shellcheck disable=SC2153 # the key of the target
	[[ -z $odd ]] || die "the image '$IMAGE' left '${odd#"$RESOLVE/"}', which is no plain file; nothing of it is taken"
	return "$status"
}

# ---- refusals ---------------------------------------------------------------------------

# registry_why FILE: Print the cause in skopeo's output, and what to do.
registry_why() {
	# shellcheck disable=SC2153 # the key of the target
	local said tag=${IMAGE##*/}
	said=$(grep -v '^$' "$1" | tail -n 1 | sed 's/^.*level=[a-z]* msg=//; s/^"\(.*\)"$/\1/')
	case $said in
	*unauthorized* | *'authentication required'* | *denied* | *'status code 401'* | *'401 ('*)
		printf "the registry wants a login for '%s': run 'skopeo login %s', or name another registry in IMAGE (%s)" \
			"$IMAGE" "${IMAGE%%/*}" "$said" ;;
	*'manifest unknown'* | *'name unknown'* | *'not found'* | *'404 ('*)
		printf "the registry has no '%s': put one of its tags into the target's IMAGE (the report lists them; %s)" \
			"$tag" "$said" ;;
	*)
		printf "the registry of '%s' cannot be reached: try again, or name another registry in IMAGE (%s)" \
			"$IMAGE" "${said:-skopeo said nothing}" ;;
	esac
}

# repository_address WORDS...: Print the words, with the address of each repository after its name in dnf.
repository_address() {
	local said=$* n=0 repo
	while read -r repo; do
		((++n))
		said=${said//\'wgkmod-$n\'/$repo}
	done < <(family_mirrors)
	printf '%s\n' "$said"
}

# dnf_why FILE: Print the cause in dnf's output, and what to do.  The cause is last, and may take several lines:
# the reasons of the solver follow "Error:".  A mirror that was tried again is no cause.  A refusal of
# lock-rpm-guest.sh has what to do in it.
dnf_why() {
	local cause hint
	cause=$(sed -n 's/^wgkmod: //p' "$1" | head -n 1)
	if [[ -n $cause ]]; then
		printf '%s\n' "$cause"
		return
	fi
	cause=$(awk '
		/^All matches were filtered out by modular filtering for argument: / { modular = modular " " $NF; next }
		/^(No match for argument|Unable to find a match): / { sub(/^[^:]*: /, ""); missing = missing " " $0; next }
		/^Error: Unable to find a match/ { error = "no repository has what was asked for"; next }
		/^\[MIRROR\] / { if (mirror == "") mirror = $0; next }
		/^Errors during downloading metadata/ { next }
		/^  - (Curl error|Status code)/ { if (curl == "") { curl = $0; sub(/^  - /, "", curl) } next }
		/^Error: / { error = $0; sub(/^Error: ?/, "", error); solver = 1; next }
		/^Error:$/ { solver = 1; next }
		solver && /^ *(Problem|- |  - )/ { sub(/^ +/, ""); problem = problem (problem == "" ? "" : "; ") $0; next }
		solver && /^\(try to add/ { solver = 0 }
		solver && /^  [^ ]+\.rpm: / { sub(/^ +/, ""); if (download == "") download = $0 }
		END {
			if (modular != "") print "modular filtering hides" modular " (in no stream of a module that is on)"
			else if (missing != "") print "no repository has" missing
			else if (problem != "") print "its packages do not go together: " problem
			else if (curl != "") print (error != "" ? error ": " : "") curl
			else if (download != "" || mirror != "") { sub(/^\[MIRROR\] /, "", mirror); print mirror != "" ? mirror : download }
			else if (error != "") print error
			else print last == "" ? "nothing was said" : last
		}
		NF { last = $0 }' "$1")
	case $cause in
	'modular filtering'*)
		hint='name the stream in the target too, as a word @MODULE:STREAM; the report lists the streams' ;;
	'no repository has'*)
		hint='the report lists what the repositories have; name that in the target,'
		hint+=' or set MIRROR= to repositories that have it' ;;
	'its packages do not'*) hint="name versions that go together in the target's TOOLCHAIN; the report lists all" ;;
	*) hint='try again, or set MIRROR= to other repositories' ;;
	esac
	printf '%s: %s\n' "$(repository_address "$cause")" "$hint"
}

# ---- files -----------------------------------------------------------------------------

# location_of URL: Print the file's location for a lock: its path below a repository, else its address.
location_of() {
	local repo
	while read -r repo; do
		[[ $1 != "${repo%/}"/* ]] || { printf '%s\n' "${1#"${repo%/}/"}" && return; }
	done < <(family_mirrors)
	printf '%s\n' "$1"
}

# lock_line STAGE FILE URL: Print the file's line of the lock, and put the file into the cache.
lock_line() {
	local sha new
	sha=$(sha256sum <"$2" | cut -d ' ' -f 1)
	mkdir -p "$CACHE/sha256"
	# TMP may be on another file system, from where a rename would be a copy.
	[[ -f $(cached "$sha") ]] || { new=$(mktemp "$CACHE/.wgkmod-tmp.XXXXXXXX") && cp "$2" "$new" && chmod 444 "$new" &&
		sync -d "$new" && mv -T "$new" "$(cached "$sha")"; } || die "'$2' cannot be put into the cache '$CACHE'"
	printf '%s %s %s\n' "$1" "$sha" "$(location_of "$3")"
}

# get URL FILE: Download the file, and add the server's answer to $TMP/addresses.  The base image, which is not trusted,
# may have made the address.
get() {
	local status=0 answer
	[[ $1 =~ ^https?://[^\"\\[:space:]]+$ ]] || die "'$1' is not an address of http or https; nothing of it is taken"
	answer=$(curl --config - --silent --show-error --fail --location --retry 1 --output "$2" \
		--connect-timeout "$((PATIENCE < 20 ? PATIENCE : 20))" --speed-limit 1024 --speed-time "$PATIENCE" \
		--write-out '%{http_code} %{size_download} bytes' <<<"url = \"$1\"" 2>"$TMP/curl-said") || status=$?
	[[ $status -eq 0 ]] || answer+=", $(paste -sd ' ' "$TMP/curl-said")"
	printf '%s: %s\n' "$1" "$answer" | tee -a "$TMP/addresses" | logged
	return "$status"
}

# last_answer: Print the answer of the last server.
last_answer() { tail -n 1 "$TMP/addresses" | sed 's/^[^ ]* //'; }

# package_addresses WORD: Print the addresses to try for one package, in order, one a line: those in the
# repositories' metadata, then the file's path below each repository, as files outlive the metadata.  A word that
# is an address is printed as it is.
package_addresses() {
	local repo
	case $1 in
	*://*) printf '%s\n' "$1" ;;
	*)
		guest locations "$1" || die "where $1 is cannot be asked: $(dnf_why "$TMP/said")"
		grep "/$1\.rpm\$" "$RESOLVE/locations" || [[ $? -eq 1 ]]
		while read -r repo; do printf '%s/Packages/%s.rpm\n' "${repo%/}" "$1"; done < <(family_mirrors) ;;
	esac | awk '!seen[$0]++'
}

# check_signature DIR: Exit unless the target's key signed each package in DIR of $RESOLVE.
check_signature() { guest signatures "$1" || die "from ${URL%/*}: $(dnf_why "$TMP/said")"; }

# get_package DIR WORD...: Download the package from the first of the words' addresses that has it, and check its
# signature.  Set FILE and URL.
get_package() {
	local dir=$1 word url tried=0
	local -a urls
	shift
	mkdir -p "$RESOLVE/$dir"
	for word; do
		package_addresses "$word" >"$TMP/urls" || exit 1
		mapfile -t urls <"$TMP/urls"
		for url in "${urls[@]}"; do
			((++tried))
			FILE=$RESOLVE/$dir/${url##*/} URL=$url
			get "$url" "$FILE" || { rm -f "$FILE"; continue; }
			check_signature "$dir"
			return
		done
	done
	die "$1 is not to be had: no repository's metadata that were read lead to it, and none of the $tried addresses" \
		"tried has it (the report lists them, with what each answered); add the address of the file to the target," \
		"or set MIRROR= to repositories that have it"
}

# lock_image: Pin the base image, load it as BASE_IMAGE, and print its line.
lock_image() {
	local digest name=${IMAGE%:*}
	skopeo --command-timeout "$((PATIENCE * 2))s" inspect --raw "docker://$IMAGE" >"$TMP/manifest" 2>"$TMP/skopeo" || {
		logged <"$TMP/skopeo"
		die "$(registry_why "$TMP/skopeo")"
	}
	digest=$(sha256sum <"$TMP/manifest" | cut -d ' ' -f 1)
	if jq --exit-status '.manifests' "$TMP/manifest" >/dev/null; then
		digest=$(jq --raw-output '[.manifests[] | select(.platform.os == "linux" and .platform.architecture == "amd64")
			| .digest | sub("^sha256:"; "")] | first // ""' "$TMP/manifest")
		[[ -n $digest ]] || die "'$IMAGE' has no image for $ARCH: it has" \
			"$(jq --raw-output '[.manifests[].platform | .os + "/" + .architecture] | join(", ")' "$TMP/manifest");" \
			"name another in IMAGE"
	fi
	[[ $digest =~ ^[0-9a-f]{64}$ ]] || die "'$IMAGE' has no digest that can be read"
	step "the image $IMAGE is sha256:$digest"
	printf 'base %s docker://%s@sha256:%s\n' "$digest" "$name" "$digest" | tee "$TMP/now.lock"
	fetch_lines "$TMP/now.lock" base
	BASE_IMAGE=localhost/wgkmod-lock:${digest:0:16}
	if ! podman image exists "$BASE_IMAGE"; then
		TARGET_DIR=$TMP/targets "$TOP/scripts/stage.sh" "$TARGET" base "$TMP/base" >&2
		family_base "$TMP/base" "$BASE_IMAGE"
	fi
	podman_probe "$BASE_IMAGE" >&2
}

# ---- the repositories ------------------------------------------------------------------

# lock_key: Read the key that all packages are checked with.  Print its fingerprint and name: the user compares
# them with those that the distribution publishes.
lock_key() {
	local said
	get "$KEY" "$RESOLVE/key" ||
		die "the key '$KEY' cannot be fetched: $(last_answer); try again, or correct KEY in the target"
	mkdir -m 700 "$TMP/gnupg"
	said=$(gpg --homedir "$TMP/gnupg" --batch --show-keys --with-colons "$RESOLVE/key" 2>&1 |
		awk -F : '$1 == "pub" { wanted = 1 }
			$1 == "fpr" && wanted { fpr = $10; wanted = 0 }
			$1 == "uid" { print fpr " of " $10 }')
	[[ -n $said ]] || die "what is at '$KEY' is not an OpenPGP key: correct KEY in the target"
	while read -r said; do step "the key $said; compare it with what the distribution publishes"; done <<<"$said"
}

# lock_repositories: Read the metadata of each repository, and print its size.
lock_repositories() {
	local repo n=0
	mkdir -p "$RESOLVE/repos"
	while read -r repo; do
		((++n))
		printf '[wgkmod-%d]\nname=wgkmod %d\nbaseurl=%s\nenabled=1\ngpgcheck=0\nskip_if_unavailable=0\n' "$n" "$n" "$repo"
	done < <(family_mirrors) >"$RESOLVE/repos/wgkmod.repo"
	guest programs || die "the image '$IMAGE' cannot be used: $(dnf_why "$TMP/said")"
	n=0
	while read -r repo; do
		((++n))
		guest repository "wgkmod-$n" || die "the repository $repo cannot be had: $(dnf_why "$TMP/said")"
		step "the repository $repo has $(cat "$RESOLVE/answer")"
	done < <(family_mirrors)
}

# lock_packages STAGE DIR WORD...: Download the packages that installing the WORDS into the base image needs into
# DIR of $RESOLVE, and print their lines.  Return 1 if dnf finds no solution; $TMP/said has the reason.
lock_packages() {
	local stage=$1 dir=$2 file url
	shift 2
	mkdir -p "$RESOLVE/$dir"
	guest packages "$dir" "$@" || return 1
	while read -r url; do
		file=$RESOLVE/$dir/${url##*/}
		step "$(basename "$file" .rpm) of ${url%/*}"
		lock_line "$stage" "$file" "$url"
	done <"$RESOLVE/$dir.urls"
}

# ---- the kernel and its compiler -------------------------------------------------------

# lock_kernel_devel: Find kernel-devel.  Exit if it lacks something that a build needs.  Set DEVEL to its file, and
# KERNEL_TEXT to the version text of the kernel's compiler.
lock_kernel_devel() {
	local -a words
	read -ra words <<<"$KERNEL_DEVEL"
	get_package devel "${words[@]}"
	guest kernel_devel "$FILE" "$RELEASE" "$HIDE" || die "$(dnf_why "$TMP/said")"
	KERNEL_TEXT=$(cat "$RESOLVE/answer")
	step "$(basename "$FILE" .rpm) of ${URL%/*}"
	step "the kernel was made by '$KERNEL_TEXT'"
	lock_line toolchain "$FILE" "$URL"
	DEVEL=$FILE
}

# compiler_word: Print the word of TOOLCHAIN that is the package of the kernel's compiler.
compiler_word() {
	local cc=${KERNEL_TEXT%% *} word found=''
	# shellcheck disable=SC2153 # the key of the target
	for word in $TOOLCHAIN; do
		if [[ $word == "$cc" || $word == "$cc"-[0-9]* ]]; then found=$word; fi
	done
	[[ -n $found ]] || die "the kernel was made by '$KERNEL_TEXT'," \
		"but TOOLCHAIN of the target names no package '$cc': add it"
	printf '%s\n' "$found"
}

# lock_toolchain: Print the lines of the builder image's packages: the compiler that made the kernel, else the
# target's COMPILER, and the rest of TOOLCHAIN.  Try the repositories' compilers from the newest on: two of them may
# have the same version text, and only one of them go with the other packages.
lock_toolchain() {
	local word nevra url text why='' stands_in=()
	word=$(compiler_word)
	[[ -z $COMPILER || $(compiler_base "$COMPILER") == "$(compiler_base "$KERNEL_TEXT")" ]] ||
		die "COMPILER of the target may not stand in: $(compiler_refusal "$KERNEL_TEXT" "$COMPILER")"
	guest candidates "$word" || die "the compiler's packages cannot be listed: $(dnf_why "$TMP/said")"
	: >"$TMP/compilers"
	mkdir -p "$RESOLVE/compiler"
	while read -r nevra url <&4; do
		[[ $nevra =~ ^$package_word$ ]] ||
			die "the image '$IMAGE' named '$nevra', which is no package; nothing of it is taken"
		URL=$url
		if ! get "$url" "$RESOLVE/compiler/$nevra.rpm"; then
			printf '%s: cannot be downloaded\n' "$nevra" >>"$TMP/compilers"
			rm -f "$RESOLVE/compiler/$nevra.rpm"
			continue
		fi
		check_signature compiler
		guest version "$nevra.rpm" "${KERNEL_TEXT%% *}" || die "'$nevra' cannot be looked at: $(dnf_why "$TMP/said")"
		text=$(cat "$RESOLVE/answer")
		printf '%s: %s\n' "$nevra" "$text" >>"$TMP/compilers"
		if [[ $text == "$KERNEL_TEXT" ]]; then
			! lock_with_compiler "$word" "$nevra" || return 0
			why=$(dnf_why "$TMP/said")
		elif [[ -n $COMPILER && $text == "$COMPILER" ]]; then
			stands_in+=("$nevra")
		fi
	done 4<"$RESOLVE/candidates"
	[[ -n $why ]] || for nevra in "${stands_in[@]}"; do
		! lock_with_compiler "$word" "$nevra" || return 0
		why=$(dnf_why "$TMP/said")
	done
	[[ -z $why ]] || die "the packages of the stage toolchain cannot be had: $why"
	refuse_compilers
}

# lock_with_compiler WORD NEVRA: Print the lines with the compiler NEVRA in place of WORD, and with cpp and libgomp
# of its version.  Return 1 if they do not go with the rest.
lock_with_compiler() {
	local version=${2#"${1%%-[0-9]*}"-} name text
	local -a words
	guest same_version "$version" cpp libgomp || die "what goes with '$2' cannot be asked: $(dnf_why "$TMP/said")"
	mapfile -t words <"$RESOLVE/same"
	words+=("$2")
	for name in $TOOLCHAIN; do [[ $name == "$1" ]] || words+=("$name"); done
	rm -rf "$RESOLVE/toolchain"
	lock_packages toolchain toolchain "/resolve/devel/${DEVEL##*/}" "${words[@]}" >"$TMP/toolchain" || return 1
	text=$(sed -n "s/^$2: //p" "$TMP/compilers")
	if [[ $text == "$KERNEL_TEXT" ]]; then
		step "the compiler is $2: '$text', the kernel's"
	else
		step "the compiler is $2: '$text', which stands in for '$KERNEL_TEXT'"
	fi
	cat "$TMP/toolchain"
}

# refuse_compilers: Exit, as no compiler is the kernel's.  Print which part differs, which line to add to the
# target, and all compilers that were tried.
refuse_compilers() {
	local here nearest=''
	while read -r here; do
		here=${here#*: }
		if [[ -z $nearest || $(compiler_base "$here") == "$(compiler_base "$KERNEL_TEXT")" ]]; then nearest=$here; fi
	done < <(tac "$TMP/compilers")
	if [[ -n $COMPILER ]]; then
		printf "wgkmod: no repository has the compiler '%s', which COMPILER of the target names, nor the kernel's, '%s'\n" \
			"$COMPILER" "$KERNEL_TEXT" >&2
	else
		printf 'wgkmod: %s\n' "$(compiler_refusal "$KERNEL_TEXT" "${nearest:-no compiler}")" >&2
	fi
	{
		printf 'the kernel:  %s\n' "$KERNEL_TEXT"
		sed 's/^/tried:  /' "$TMP/compilers"
	} | tee -a "$TMP/steps" >&2
	exit 1
}

# ---- the source and the VM -------------------------------------------------------------

lock_source() {
	local file=$TMP/source-${SOURCE##*/} known=''
	[[ ! -f $TARGET_DIR/$TARGET.lock ]] || known=$(awk -v where="$SOURCE" \
		'$1 == "source" && $3 == where && $2 != "-" { print $2 }' "$TARGET_DIR/$TARGET.lock")
	if [[ -n $known && -f $(cached "$known") ]]; then
		printf 'source %s %s\n' "$known" "$SOURCE"
		return
	fi
	get "$SOURCE" "$file" ||
		die "the source '$SOURCE' cannot be fetched: $(last_answer); try again, or correct SOURCE in the target"
	lock_line source "$file" "$SOURCE"
}

# lock_vm: Print the lines of the files that only the VM boots: the kernel without its dependencies, which install
# and boot it on a machine (firmware, boot loader), and the words of VM with theirs.
lock_vm() {
	local word
	local -a words
	read -ra words <<<"$KERNEL_IMAGE"
	for word in "${words[@]}"; do
		get_package kernel "$word"
		step "$(basename "$FILE" .rpm) of ${URL%/*}"
		lock_line vm "$FILE" "$URL"
	done
	read -ra words <<<"$VM"
	[[ ${#words[@]} -eq 0 ]] || lock_packages vm vm "${words[@]}" ||
		die "the packages of the stage vm cannot be had: $(dnf_why "$TMP/said")"
}

# ---- the whole -------------------------------------------------------------------------

# rpm_lock: Print the lock, and put all that it names but the source into the cache.
rpm_lock() {
	local status=0 FILE='' URL='' DEVEL='' KERNEL_TEXT=''
	mkdir -p "$RESOLVE"
	lock_image
	lock_key
	lock_repositories
	lock_kernel_devel
	lock_toolchain
	lock_source
	[[ -n $KERNEL_IMAGE$VM ]] || return 0
	set +e
	(
		set -e
		lock_vm
	) >"$TMP/vm" 2>"$TMP/vm-said"
	status=$?
	set -e
	if [[ $status -eq 0 ]]; then
		cat "$TMP/vm-said" >&2
		cat "$TMP/vm"
	else
		grep -v '^wgkmod: ' "$TMP/vm-said" >&2 || [[ $? -eq 1 ]]
		step 'the lock is complete for the build, but without what only the VM boots:' \
			"$(sed -n 's/^wgkmod: //p' "$TMP/vm-said" | head -n 1)"
		touch "$TMP/wants-report"
	fi
}

# family_report: Print all that a reader far away needs to find the cause.
family_report() {
	local program repo end asked=0 answered=0
	end=$(tail -n 60 "$LOG")
	printf '==== wgkmod: make lock TARGET=%s, %s ====\n' "$TARGET" "$(date --utc '+%F %T UTC')"
	printf 'MIRROR=%s\n' "${MIRROR:-}"
	cat "$TARGET_DIR/$TARGET"
	printf '\n==== this machine ====\n'
	uname -sr
	grep '^PRETTY_NAME=' /etc/os-release || [[ $? -le 2 ]]
	for program in podman skopeo curl; do "$program" --version 2>&1 | head -n 1; done
	printf '\n==== steps ====\n'
	cat "$TMP/steps" 2>/dev/null || printf 'none\n'
	printf '\n==== addresses, and what each answered ====\n'
	while read -r repo; do
		asked=$((asked + 1))
		if LOG=/dev/null get "${repo%/}/repodata/repomd.xml" /dev/null >/dev/null 2>&1; then
			answered=$((answered + 1))
		fi
	done < <(family_mirrors)
	cat "$TMP/addresses"
	printf '%d of %d repositories have metadata now\n' "$answered" "$asked"
	if [[ -s $TMP/skopeo ]]; then
		printf '\n==== the registry ====\n'
		cat "$TMP/skopeo"
		timeout "$((PATIENCE * 2))" skopeo list-tags "docker://${IMAGE%:*}" 2>&1 | tail -n 100 ||
			printf 'its tags cannot be listed\n'
	fi
	[[ ! -s $TMP/compilers ]] || { printf '\n==== compilers tried ====\n' && cat "$TMP/compilers"; }
	printf '\n==== in the image ====\n'
	if [[ -n $BASE_IMAGE && -f $RESOLVE/repos/wgkmod.repo ]]; then
		LOG=/dev/null guest report "kernel-devel kernel-core gcc cpp libgomp $TOOLCHAIN $KERNEL_IMAGE $VM" >/dev/null 2>&1 ||
			printf 'it does not answer any more:\n'
		cat "$TMP/said"
	else
		printf 'it was not had\n'
	fi
	printf '\n==== the end of the log ====\n'
	printf '%s\n' "$end"
}
