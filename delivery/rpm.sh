#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: rpm.sh DEST TARGET...
#
# Make RPM packages from the signed bundles in out/RELEASE/, and the repository DEST/rpm with them: wgkmod,
# wgkmod-keys-VENDOR and kmod-wireguard-RELEASE for each target (delivery/rpm/).  A package whose inputs did not change
# stays as it is, another gets the next release number; older packages stay in the repository.  The same inputs
# give the same bits with the same version of rpm.  DEST/rpm is a link, which is switched in one step when all is
# there.
#
#   PUBLIC_KEY=FILE   the public key of minisign that the bundles are signed with
#   VENDOR=NAME       the publisher, for the name of the keys' package (local)
#   GPG_KEY=ID        a key of gpg (in GNUPGHOME) that signs packages and metadata; without it neither is signed
#   BASE_URL=URL      where DEST will be served; with GPG_KEY the keys' package then has the file for yum.repos.d
#   CEILING=1         also make wgkmod-kernel-ceiling, which keeps newer kernels away
#   SIGN_KEY=FILE     if DEST is a web root of make publish, the key that signs its index, which gets the packages;
#                     without it, the next make publish does that
#   MODULE_KEY=FILE   take the bundles of out/signed/

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -gt 1 ]] || die "usage: rpm.sh DEST TARGET..."
PUBLIC_KEY=${PUBLIC_KEY:-} VENDOR=${VENDOR:-local} GPG_KEY=${GPG_KEY:-} BASE_URL=${BASE_URL:-} CEILING=${CEILING:-}
SIGN_KEY=${SIGN_KEY:-}
specs=$DELIVERY/rpm
root=$(realpath --no-symlinks -m "$1")
shift
[[ -f $PUBLIC_KEY ]] || die "PUBLIC_KEY= must name minisign's public key for the hosts; there is no file '$PUBLIC_KEY'"
[[ $VENDOR =~ ^[a-z0-9][a-z0-9-]*$ ]] || die "VENDOR '$VENDOR' is not a name of small letters, digits and '-'"
[[ ! $BASE_URL =~ [[:space:]] && ($BASE_URL == '' || $BASE_URL =~ ^(https?|file)://) ]] ||
	die "BASE_URL '$BASE_URL' is no address of https, http or file"
[[ $OUT$root != *[[:space:]%]* ]] || die "rpmbuild takes no path with a blank or '%': '$OUT', '$root'"

# ---- the packages that exist --------------------------------------------------------------

# The newest release of each package in the repository, and the inputs it was made from; by NAME-VERSION.
declare -A newest=() inputs_of=()
# The kernels that have a package, and the packages that this run made.
kernels=() made=()

# read_repository: Read these from the packages in DEST/rpm.
read_repository() {
	local name version release inputs
	compgen -G "$dest/rpm/Packages/*.rpm" >/dev/null || return 0
	while read -r name version release inputs; do
		[[ $name != kmod-wireguard-* ]] || grep -qF "$name-$version-" "$TMP/stale" ||
			kernels+=("${name#kmod-wireguard-}")
		[[ $release -gt ${newest[$name-$version]:-0} ]] || continue
		newest[$name-$version]=$release inputs_of[$name-$version]=$inputs
	done < <(rpm --query --package --nosignature --nodigest "$dest"/rpm/Packages/*.rpm --queryformat \
		'%{name} %{version} %{release} [%{provides} ]\n' |
		sed -n 's/^\([^ ]* [^ ]*\) [^ ]*\b\([0-9]\+\) .*wgkmod-inputs(\([0-9a-f]*\)).*/\1 \2 \3/p')
}

# The sha256 of each bundle that the web root has withdrawn.
declare -A withdrawn=()

# read_withdrawn: Read these from the index.
read_withdrawn() {
	local sha
	[[ -n $web ]] || return 0
	while read -r sha; do withdrawn[$sha]=1; done < <(jq --raw-output '.withdrawn[]?.sha256' "$dest/index.json")
}

# digest [FILE]...: Print the digest of standard input and the files, for the inputs of a package.
digest() { { cat && cat "$@" </dev/null; } | sha256sum | cut -c 1-32; }

# is_made NAME VERSION INPUTS: Return 0 if the newest such package in the repository is of these INPUTS.
is_made() { [[ ${inputs_of[$1-$2]:-} == "$3" ]]; }

# package SPEC NAME VERSION INPUTS [DEFINITION...]: Build the package into TMP/new unless it is made.  Its release is a
# number, one more than that of the package before.
package() {
	local spec=$1 name=$2 version=$3 inputs=$4 build definition
	local -a defines=()
	shift 4
	! is_made "$name" "$version" "$inputs" || return 0
	build=$((${newest[$name-$version]:-0} + 1))
	newest[$name-$version]=$build
	for definition in "wgkmod_version $version" "wgkmod_build $build" "wgkmod_inputs $inputs" "$@"; do
		defines+=(--define "$definition")
	done
	# rpm ignores the epoch 0
	SOURCE_DATE_EPOCH=1 HOME=$TMP run rpmbuild -bb --quiet --target x86_64 --define "_topdir $TMP/rpmbuild" \
		--define '_buildhost wgkmod' --define 'use_source_date_epoch_as_buildtime 1' \
		--define 'clamp_mtime_to_source_date_epoch 1' --define 'source_date_epoch_from_changelog 0' \
		--define "_rpmdir $TMP/new" --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
		"${defines[@]}" "$specs/$spec.spec" || die "rpmbuild did not make $name"
	made+=("$name-$version-$build")
}

# ---- each package -------------------------------------------------------------------------

# kmod TARGET...: Make the package of each target's bundle, and list it in TMP/bundles.
kmod() {
	local target bundle sha name version inputs list=$TMP/list provides dirs
	for target; do
		read_target "$target"
		[[ $FAMILY == rpm ]] || die "'$target' is of the family $FAMILY, which has no RPM packages"
		require_signed_bundle
		sha=$(digest_of "$bundle")
		if [[ -n ${withdrawn[$sha]:-} ]]; then
			say rpm "$RELEASE is withdrawn from '$root': no package of it"
			continue
		fi
		kernels+=("$RELEASE")
		name=kmod-wireguard-$RELEASE version=${RELEASE%%-*}
		inputs=$(printf '%s\n' "$RELEASE" "$GPG_KEY" "$sha" | digest "$specs/kmod-wireguard.spec" "$bundle.minisig")
		if ! is_made "$name" "$version" "$inputs"; then
			tar --list --file="$bundle" |
				sed -n "s,^[^/]*/modules/\(.*\.ko\)\$,%ghost %attr(644\,root\,root) \"/lib/modules/$RELEASE/\1\",p" >"$list"
			provides=$(sed 's,.*/,kmod(,; s/"$/)/' "$list" | sort | paste -sd ' ')
			dirs=$(sed -n 's,.*"/lib/modules/\(.*\)",\1,; :up; s,^\(.*\)/[^/]*$,\1,; T; p; b up' "$list" |
				sort -ru | paste -sd ' ')
			package kmod-wireguard "$name" "$version" "$inputs" "wgkmod_kernel $RELEASE" "wgkmod_bundle $bundle" \
				"wgkmod_list $list" "wgkmod_provides $provides" "wgkmod_dirs $dirs"
		fi
		printf '%s %s %s\n' "$sha" "$name" "$name-$version-${newest[$name-$version]}.x86_64.rpm" >>"$TMP/bundles"
	done
}

# program TARGET: Make the package wgkmod, of the program that was built with the target's modules, and the hooks.
program() {
	local files=$TMP/wgkmod
	local -a sources texts=("$TOP"/docs/wgkmod.{8,bash-completion})
	texts+=("$TOP"/hooks/{10-wgkmod.install,guard,wgkmod-guard.service,wgkmod-guard.timer,wgkmod.sh})
	read_target "$1"
	mapfile -t sources < <(find "$TOP/src" -type f \( -name '*.[ch]' -o -name Makefile \) | sort)
	mkdir "$files"
	tar --extract --to-stdout --file="$(bundle_file "$RELEASE")" "$RELEASE/wgkmod" >"$files/wgkmod"
	cp "${texts[@]}" "$files"
	package wgkmod wgkmod "$(cat "$TOP/VERSION")" \
		"$(printf '%s\n' "$GPG_KEY" | digest "$specs/wgkmod.spec" "${texts[@]}" "${sources[@]}")" "wgkmod_files $files"
}

# keys: Make the package of the public keys.
keys() {
	local files=$TMP/keys gpg=etc/pki/rpm-gpg/RPM-GPG-KEY-wgkmod-$VENDOR repo=etc/yum.repos.d/wgkmod-$VENDOR.repo
	install -D -m 644 "$PUBLIC_KEY" "$files/etc/wgkmod/keys.d/$VENDOR.pub"
	[[ -z $GPG_KEY ]] || install -D -m 644 "$TMP/gpg.pub" "$files/$gpg"
	if [[ -n $GPG_KEY && -n $BASE_URL ]]; then
		mkdir -p "$files/etc/yum.repos.d"
		cat >"$files/$repo" <<-EOF
			[wgkmod-$VENDOR]
			name=WireGuard for kernels without it, by $VENDOR
			baseurl=${BASE_URL%/}/rpm
			enabled=1
			gpgcheck=1
			repo_gpgcheck=1
			gpgkey=file:///$gpg
		EOF
	fi
	(cd "$files" && find . -type f -printf '/%P\n' | sort) >"$TMP/list"
	sed -i 's,^/etc/yum,%config(noreplace) &,' "$TMP/list"
	mapfile -t words < <(find "$files" -type f | sort)
	package wgkmod-keys "wgkmod-keys-$VENDOR" "$(cat "$TOP/VERSION")" \
		"$(printf '%s\n' "$VENDOR" "$GPG_KEY" | digest "$specs/wgkmod-keys.spec" "${words[@]}")" \
		"wgkmod_vendor $VENDOR" "wgkmod_files $files" "wgkmod_list $TMP/list"
}

# ceiling: Make the package that keeps kernels away that are newer than every one with modules.
ceiling() {
	local name=wgkmod-kernel-ceiling newest_kernel
	newest_kernel=$(printf '%s\n' "${kernels[@]}" | sort -V | tail -n 1)
	newest_kernel=${newest_kernel%.*} # without the architecture
	package "$name" "$name" "${newest_kernel%%-*}" \
		"$(printf '%s\n' "$newest_kernel" "$GPG_KEY" | digest "$specs/$name.spec")" "wgkmod_ceiling ${newest_kernel#*-}"
}

# ---- signatures ---------------------------------------------------------------------------

# gpg_at_birth ARGUMENT...: Run gpg as if it were the moment when the key was made: signatures hold no clock time.
gpg_at_birth() { run gpg --batch --faked-system-time "$GPG_TIME!" --local-user "$GPG_KEY" "$@"; }

# read_gpg_key: Set GPG_KEY to the key's fingerprint and GPG_TIME to the time when it was made; export it.
read_gpg_key() {
	local listing
	listing=$(gpg --batch --with-colons --list-secret-keys "$GPG_KEY" 2>/dev/null) ||
		die "gpg has no secret key '$GPG_KEY'"
	GPG_TIME=$(awk -F : '$1 == "sec" || $1 == "ssb" { if ($6 > t) t = $6 } END { print t }' <<<"$listing")
	# rpm 4.14, which is Alibaba Cloud Linux 3's, knows no newer kind
	awk -F : '$1 == "sec" { exit $4 != 1 }' <<<"$listing" ||
		die "the gpg key '$GPG_KEY' is no RSA key, and older rpms know only those"
	GPG_KEY=$(awk -F : '$1 == "fpr" { print $10; exit }' <<<"$listing")
	gpg --batch --armor --export "$GPG_KEY" >"$TMP/gpg.pub"
}

# sign_packages: Sign the packages in TMP/new.
sign_packages() {
	run rpmsign --define "__gpg $(command -v gpg)" --define "_gpg_name $GPG_KEY" \
		--define "_gpg_sign_cmd_extra_args --batch --faked-system-time $GPG_TIME!" \
		--addsign "$TMP"/new/*.rpm || die "rpmsign did not sign the packages with '$GPG_KEY'"
}

# stale: Print the files of the packages in the repository whose bundle was withdrawn.
stale() {
	local sha file
	[[ -f $dest/rpm/bundles ]] || return 0
	while read -r sha _ file _; do
		[[ -z ${withdrawn[$sha]:-} ]] || printf '%s\n' "${file##*/}"
	done <"$dest/rpm/bundles"
}

# list_bundles DIR: Print the lines BUNDLE NAME FILE SHA256 of the repository in DIR: each package of a bundle, with the
# digests of both.  Of a bundle's packages, the newest is the last.
list_bundles() {
	local sha name file
	{
		while read -r sha name file; do
			printf '%s %s rpm/Packages/%s %s\n' "$sha" "$name" "$file" "$(digest_of "$1/Packages/$file")"
		done <"$TMP/bundles"
		[[ ! -f $dest/rpm/bundles ]] || grep -vFf "$TMP/stale" "$dest/rpm/bundles" || [[ $? -eq 1 ]]
	} | sort -uV
}

# repository: Make the repository of the old packages, without those that are stale, and the new; switch DEST/rpm to it.
repository() {
	local new=$TMP/repository old name before file
	mkdir -p "$new/Packages"
	compgen -G "$dest/rpm/Packages/*.rpm" >/dev/null && cp --link --dereference "$dest"/rpm/Packages/*.rpm "$new/Packages"
	while read -r file; do rm -f "$new/Packages/$file"; done <"$TMP/stale"
	if [[ ${#made[@]} -gt 0 ]]; then
		touch --date=@1 "$TMP"/new/*.rpm
		mv "$TMP"/new/*.rpm "$new/Packages"
	fi
	list_bundles "$new" >"$new/bundles"
	run createrepo_c --quiet --no-database --revision 1 --set-timestamp-to-revision "$new"
	if [[ -n $GPG_KEY ]]; then
		cp "$TMP/gpg.pub" "$new/RPM-GPG-KEY-wgkmod-$VENDOR"
		gpg_at_birth --armor --detach-sign --output "$new/repodata/repomd.xml.asc" "$new/repodata/repomd.xml"
	fi
	before=$(readlink "$dest/rpm" || [[ $? -eq 1 ]])
	name=.rpm-$(digest "$new/repodata/repomd.xml" </dev/null)
	rm -rf "${dest:?}/$name"
	mv -T "$new" "$dest/$name"
	sync -f "$dest"
	ln -s "$name" "$TMP/link"
	mv -T "$TMP/link" "$dest/rpm"
	# The one before stays for those who read it at this moment.
	for old in "$dest"/.rpm-*; do
		[[ ${old##*/} == "$name" || ${old##*/} == "$before" ]] || rm -rf "$old"
	done
}

# ---- all of it ----------------------------------------------------------------------------

# index_packages: Let the index of the web root name the packages of this run, if it does not.
index_packages() {
	[[ -n $web && -n $SIGN_KEY ]] || return 0
	jq --raw-output '.kernels[].rpm.file | values | ltrimstr("rpm/Packages/")' "$dest/index.json" | sort >"$TMP/indexed"
	[[ -n $(cut -d ' ' -f 3 "$TMP/bundles" | sort | comm -23 - "$TMP/indexed") || -s $TMP/stale ]] || return 0
	exec 9<&- # publish.sh takes the lock
	"$DELIVERY/publish.sh" "$root"
}

TARGET=all
# A web root is a link to the directory of its version, which make publish switches.
web=
[[ ! -L $root || ! -f $root/index.json ]] || web=1
lock=$root
[[ -z $web ]] || lock=$root.versions
make_tmp "$lock"
exec 9<"$lock"
flock 9 # one run at a time changes DEST
dest=$(realpath -m "$root")
phase_begin rpm
[[ -z $GPG_KEY ]] || read_gpg_key
read_withdrawn
stale >"$TMP/stale"
read_repository
mkdir "$TMP/new"
: >"$TMP/bundles"
keys
kmod "$@"
program "$1"
[[ -z $CEILING ]] || ceiling
if [[ ${#made[@]} -eq 0 && ! -s $TMP/stale ]]; then
	index_packages
	phase_end "$root/rpm is up to date"
	exit 0
fi
[[ -z $GPG_KEY || ${#made[@]} -eq 0 ]] || sign_packages
repository
index_packages
signed='not signed (GPG_KEY=)'
[[ -z $GPG_KEY ]] || signed="signed by $GPG_KEY"
phase_end "$root/rpm has ${made[*]:-nothing new}, $signed"
