#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: lock-rpm-guest.sh PATIENCE COMMAND [WORD...]
#
# Answer one question of lock-rpm.sh, inside a container of the distribution's image that is thrown away.
# /resolve is shared with the host and has the repositories (repos/) and the key.  The answer goes to
# /resolve/answer.  A refusal of this script starts with "wgkmod: ".

set -euo pipefail
export LC_ALL=C
patience=$1 command=$2
shift 2

# Use no plugin, exclusion or repository of the image: the target alone decides.  signatures() checks the
# signatures, with the target's key and not with the keys of the image.
dnf=(dnf --setopt=reposdir=/resolve/repos --setopt=cachedir=/resolve/cache --setopt=keepcache=True
	--setopt=timeout="$patience" --setopt=minrate=1024 --setopt=retries=2 --setopt=install_weak_deps=False
	--setopt=best=False --noplugins --disableexcludes=all --assumeyes)

die() {
	printf 'wgkmod: %s\n' "$*"
	exit 1
}

# programs: Check the programs that the other functions need, and answer with their versions.
programs() {
	local program
	for program in dnf rpm rpmkeys; do
		command -v "$program" >/dev/null ||
			die "there is no $program in it: name an image of the distribution that has it in IMAGE"
	done
	dnf --version
	rpm --version
}

# repository ID: Read the repository's metadata; answer with the number of its packages and bytes.
repository() {
	"${dnf[@]}" --disablerepo='*' --enablerepo="$1" repoinfo "$1" | awk -F ' *: ' '
		/^Repo-pkgs/ { packages = $2 }
		/^Repo-size/ { size = $2 }
		END { printf "%s packages, %s\n", packages, size }' >/resolve/answer
}

# locations NAME...: Write the address of each version of the packages to /resolve/locations.
locations() {
	"${dnf[@]}" --quiet --cacheonly repoquery --showduplicates --location "$@" >/resolve/locations
}

# candidates WORD: Write "NEVRA URL" for each version of the package, the newest first, to
# /resolve/candidates.
candidates() {
	{
		"${dnf[@]}" --quiet --cacheonly repoquery --latest-limit=1 --location "$1"
		"${dnf[@]}" --quiet --cacheonly repoquery --showduplicates --location "$1" | sort --version-sort --reverse
	} | awk '/\.(x86_64|noarch)\.rpm$/ && !seen[$0]++ {
		name = $0; sub(/.*\//, "", name); sub(/\.rpm$/, "", name)
		if (!have[name]++) print name, $0
	}' >/resolve/candidates
	[[ -s /resolve/candidates ]] || {
		printf 'No match for argument: %s\n' "$1"
		exit 1
	}
}

# same_version VERSION-RELEASE.ARCH NAME...: Write the packages that exist in this version to /resolve/same.
same_version() {
	local version=$1 name words=()
	shift
	for name; do words+=("$name-$version"); done
	"${dnf[@]}" --quiet --cacheonly repoquery --queryformat "%{name}-$version" "${words[@]}" | sort -u >/resolve/same
}

# signatures DIR: Refuse each package in the directory that the target's key did not sign, by its name.
signatures() {
	local distrust='take it from another mirror (MIRROR=), or see whether the distribution has a new key (KEY)'
	local file said by rpmkeys=(rpmkeys --define '_dbpath /resolve/keys')
	rm -rf /resolve/keys
	mkdir /resolve/keys
	"${rpmkeys[@]}" --import /resolve/key || die "the key of the target cannot be read by rpm: correct KEY in the target"
	for file in "/resolve/$1"/*.rpm; do
		[[ -f $file ]] || continue
		if said=$("${rpmkeys[@]}" --checksig "$file" 2>&1) && [[ $said == *'signatures OK' ]]; then continue; fi
		by=$(rpm --query --package --nosignature --queryformat \
			'%|DSAHEADER?{%{DSAHEADER:pgpsig}}:{%|RSAHEADER?{%{RSAHEADER:pgpsig}}:{}|}|' "$file" 2>/dev/null) || by=
		if ! rpm --query --package --nosignature --nodigest "$file" >/dev/null 2>&1; then
			die "${file##*/} is not a package: the server answered with something else: $distrust"
		elif [[ $said == *'digests OK' && -z $by ]]; then
			die "${file##*/} is not signed: $distrust"
		elif [[ $said == *[Dd][Ii][Gg][Ee][Ss][Tt][Ss]\ *[Nn][Oo][Tt]\ [Oo][Kk] && -n $by ]] && known_key "${by##* }"; then
			die "${file##*/} is damaged: its signature by the key ${by##* } does not hold: $distrust"
		fi
		die "${file##*/} is signed by another key, ${by##* }, than the target's, $(keys): $distrust"
	done
}

# keys: Print the ids of the target's keys.
keys() {
	rpm --define '_dbpath /resolve/keys' --query gpg-pubkey --queryformat '%{version} (%{summary}) ' | sed 's/ $//'
}

# known_key ID: Return 0 if the target's key has this id.
known_key() { [[ $(keys) == *"${1: -8}"* ]]; }

# kernel_devel FILE RELEASE HIDDEN: Answer with the text of the kernel's compiler.  Refuse a build tree that
# lacks something that a build needs.
kernel_devel() {
	local file=/resolve/devel/${1##*/} release=$2 tree=/usr/src/kernels/$2 name text
	rpm --install --nodeps --noscripts --notriggers --nosignature --replacefiles "$file"
	[[ -d $tree ]] || die "${file##*/} has no '$tree': it is not the build tree of $release"
	for name in .config Module.symvers include/generated/utsrelease.h scripts/module.lds Makefile; do
		[[ -s $tree/$name ]] || die "${file##*/} has no '$name': modules for $release cannot be built with it"
	done
	! grep -q '^CONFIG_STACK_VALIDATION=y' "$tree/.config" || [[ -x $tree/tools/objtool/objtool ]] ||
		die "${file##*/} has no 'tools/objtool/objtool', which the kernel's configuration asks for:" \
			"modules for $release cannot be built with it"
	grep -q "^#define UTS_RELEASE \"$release\"\$" "$tree/include/generated/utsrelease.h" ||
		die "${file##*/} is the build tree of" \
			"$(sed -n 's/^#define UTS_RELEASE //p' "$tree/include/generated/utsrelease.h"), not of $release"
	[[ " $3 " == *' wireguard '* ]] || ! grep -q '^CONFIG_WIREGUARD=[ym]$' "$tree/.config" ||
		die "$release has WireGuard already ($(grep '^CONFIG_WIREGUARD=' "$tree/.config")): it needs no build," \
			"run 'modprobe wireguard' there"
	text=$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\(.*\)"$/\1/p' "$tree/.config")
	[[ -n $text ]] ||
		die "the configuration in ${file##*/} does not say which compiler made the kernel (CONFIG_CC_VERSION_TEXT)"
	printf '%s\n' "$text" >/resolve/answer
}

# version FILE CC: Answer with the version text of the compiler in the package.  Its driver runs without the
# packages that it depends on.
version() {
	local text
	rpm --upgrade --oldpackage --nodeps --noscripts --notriggers --nosignature --replacefiles --replacepkgs \
		"/resolve/compiler/${1##*/}"
	text=$("$2" --version 2>&1) || text="does not run: $text"
	printf '%s\n' "${text%%$'\n'*}" >/resolve/answer
}

# packages DIR WORD...: Download the packages that installing the WORDS needs into DIR, and check them.  Write
# their addresses to DIR.urls.  A word @MODULE:STREAM enables that stream.
packages() {
	local dir=/resolve/$1 file
	local -a names=() streams=() words=()
	shift
	for file; do
		if [[ $file == @* ]]; then streams+=("${file#@}"); else words+=("$file"); fi
	done
	[[ ${#streams[@]} -eq 0 ]] || "${dnf[@]}" module enable "${streams[@]}"
	"${dnf[@]}" install --downloadonly --downloaddir="$dir" "${words[@]}"
	signatures "${dir#/resolve/}"
	for file in "$dir"/*.rpm; do
		[[ ! -f $file ]] || names+=("$(basename "$file" .rpm)")
	done
	: >"$dir.all"
	[[ ${#names[@]} -eq 0 ]] || "${dnf[@]}" --quiet --cacheonly repoquery --showduplicates \
		--disable-modular-filtering --location "${names[@]}" >"$dir.all"
	for file in "${names[@]}"; do
		awk -v end="/$file.rpm" 'substr($0, length($0) - length(end) + 1) == end { print; found = 1; exit }
			END { exit !found }' "$dir.all" ||
			die "which repository has $file cannot be told"
	done >"$dir.urls"
}

# ask WORD...: Print "NAME NEVRA REPOSITORY" for each version of the packages, hidden ones too.
ask() {
	timeout 120 "${dnf[@]}" --quiet --cacheonly repoquery --showduplicates --disable-modular-filtering \
		--queryformat '%{name} %{name}-%{evr}.%{arch} %{repoid}' "$@"
}

# report WORDS: Print all that the repositories tell, for a reader who cannot reach them.
report() {
	local word
	local -a words
	set +e
	cat /etc/os-release
	dnf --version
	rpm --version
	printf '\n-- repositories\n'
	timeout 300 "${dnf[@]}" repolist -v
	printf '\n-- modules\n'
	timeout 120 "${dnf[@]}" --cacheonly module list
	printf '\n-- packages, by repository (all versions, hidden ones too)\n'
	# dnf takes a second or more for each question.  Ask alone only for a word that is no package's name.
	read -ra words <<<"$1"
	ask "${words[@]}" >/tmp/found
	for word in "${words[@]}"; do
		! awk -v word="$word" '$1 == word || $2 == word { print $2, $3; found = 1 } END { exit !found }' /tmp/found ||
			continue
		ask "$word" >/tmp/alone
		if [[ -s /tmp/alone ]]; then cut -d ' ' -f 2- /tmp/alone; else printf '%s: none\n' "$word"; fi
	done
	printf '\n-- of the image\n'
	rpm --query --all | grep -E '^(glibc|gcc|cpp|libg|zlib|xz|openssl|kmod|elfutils|binutils|rpm|dnf)' | sort
}

"$command" "$@"
