#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: run.sh TARGET DIR NUMBER [VARIATION...]
#
# Do one build of make repro, as root.  Make an environment with all the VARIATIONs at once, whose values NUMBER
# chooses, and build the project in out/repro/project there, without network.  Everything else is the same in
# each run, paths too.  Write to DIR: made/ (the contents of out/RELEASE), evidence (lines "KEY VALUE" of the
# values that the build saw), log, and logs/ with the logs of the phases if the build fails.
#
#	REPRO_PLACE	directory of repro.sh that any user can reach, for this run's mount points

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../../scripts/lib.sh"
# shellcheck source=scripts/lib/podman.sh
. "$TOP/scripts/lib/podman.sh"
[[ $# -ge 3 ]] || die "usage: run.sh TARGET DIR NUMBER [VARIATION...]"
name=$1 dir=$2 number=$3
shift 3
variations=" $* "
here=$REPRO_PLACE/here disk=$REPRO_PLACE/disk # each run mounts its own directories there

if [[ -z ${REPRO_INSIDE:-} ]]; then
	mkdir -p "$dir/disk" "$here" "$disk"
	REPRO_INSIDE=1 exec unshare --mount --uts --net --propagation private "$0" "$name" "$dir" "$number" "$@"
fi

mount --make-rshared / # podman needs it; the mounts below stay in this namespace

# varied VARIATION: Return 0 if this run has the variation.
varied() { [[ $variations == *" $1 "* ]]; }
# pick VALUE...: Print the value that this run's number chooses.
pick() {
	local values=("$@")
	printf '%s\n' "${values[(number - 1) % $#]}"
}

# first_cpu: Print the first processor that this process may run on (proc(5)); a cpuset need not have 0.
first_cpu() { sed -n 's/^Cpus_allowed_list:[[:space:]]*\([0-9]*\).*/\1/p' /proc/self/status; }

read_target "$name"
user=
mounts=()

# clean_up: Remove the user, the mounts and the files of this run, and podman's RUN_ROOT.
clean_up() {
	local status=$? i
	set +e
	cd /
	if [[ -n $user ]]; then
		pkill -KILL -u "$user" # podman's pause process
		find /dev/shm -maxdepth 1 -user "$user" -delete # podman's locks, libfaketime's clocks
		userdel "$user" 2>/dev/null
	fi
	for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do umount "${mounts[i]}" || umount --lazy "${mounts[i]}"; done
	rm -rf "$dir/disk" ${RUN_ROOT:+"$RUN_ROOT"}
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# mounted COMMAND... DIR: Mount something on DIR; clean_up unmounts it.
mounted() {
	"$@" || die "cannot mount: $*"
	mounts+=("${!#}")
}

# ---- file system, path, order ---------------------------------------------------------

mounted mount --bind "$dir/disk" "$disk"
volume=
if varied fs; then
	mounted mount -t tmpfs -o size=3g,mode=755 repro "$here"
	volume=$disk/build
else
	mkdir "$disk/here"
	mounted mount --bind "$disk/here" "$here"
	if varied order; then
		mkdir "$disk/tmp"
		mounted mount -t tmpfs -o size=2g,mode=755 repro "$disk/tmp"
		volume=$disk/tmp/build
	fi
fi
mkdir -p "$here"/{plain,view,cache/sha256,home,bin,container} ${volume:+"$volume"}
mounted mount --bind "$CACHE/sha256" "$here/cache/sha256"
mount -o remount,bind,ro "$here/cache/sha256" || die "cannot make the cache read-only"
clone=clone
! varied path || clone="$(pick 'another path' 'ein änderer-Pfad/+tiefer' "it's/there")/clone"
mkdir -p "$here/plain/$clone" "$here/plain/out"
cp -R "$OUT/repro/project/." "$here/plain/$clone"

# ---- user -----------------------------------------------------------------------------

as_user=()
home=/root
! varied home || home=$here/home
if varied user; then
	user=wgkmod-repro-$$
	home=$here/home
	useradd --no-create-home --home-dir "$home" "$user" || die "cannot make another user"
	chown -R "$user:" "$here"/{plain,home,container,bin} ${volume:+"$volume"}
	chown "$user:" "$here/cache" # not the directory mounted in it
	as_user=(setpriv --reuid="$user" --regid="$user" --init-groups)
fi
if varied order; then
	mounted disorderfs --quiet --multi-user=yes --shuffle-dirents=yes "$here/plain" "$here/view"
	mkdir "$disk/view"
	mounted disorderfs --quiet --multi-user=yes --shuffle-dirents=yes "$volume" "$disk/view"
	volume=$disk/view
else
	mounted mount --bind "$here/plain" "$here/view"
fi

# ---- the rest -------------------------------------------------------------------------

environment=(PATH="$here/bin:$PATH" HOME="$home" TERM=dumb CACHE="$here/cache" OUT="$here/view/out"
	REPRO_EVIDENCE="$here/container/evidence" REPRO_PODMAN="$(command -v podman)" REPRO_VOLUME="$volume")
command=()
build_options=() run_options=()
mask=0022
! varied umask || mask=$(pick 0077 0000 0027)
if varied locale; then
	mkdir "$here/locale"
	localedef -i "$(pick en_US de_DE tr_TR)" -f UTF-8 "$here/locale/xx_XX.UTF-8" >/dev/null 2>&1 ||
		[[ -f $here/locale/xx_XX.UTF-8/LC_COLLATE ]] || die "cannot make a locale"
	environment+=(LOCPATH="$here/locale" LC_ALL=xx_XX.UTF-8 LANG=xx_XX.UTF-8 LANGUAGE=de)
fi
! varied timezone || environment+=(TZ="$(pick Pacific/Kiritimati America/St_Johns Asia/Shanghai)")
! varied env || environment+=(CFLAGS=-O0 KCFLAGS=-O0 KBUILD_BUILD_USER=other KBUILD_BUILD_HOST=other
	SOURCE_DATE_EPOCH=1234567890 TMPDIR="$here/home" GREP_OPTIONS=-v TAR_OPTIONS=--format=pax MAKEFLAGS=-k V='')
if varied host; then
	hostname "$(pick repro-7 build.example.org x)"
	printf '%s\n' "$(pick example.net repro.internal nis)" >/proc/sys/kernel/domainname
	run_options+=(--uts=host)
fi
if varied clock; then
	days=$(pick +400 +4000 -800)
	command+=(faketime -f "${days}d")
	read_lock "$TARGET" vm
	mkdir "$disk/faketime"
	for i in "${!LOCK_SHA256[@]}"; do
		[[ ${LOCK_WHERE[i]} != */libfaketime_* ]] ||
			dpkg-deb --extract "$(cached "${LOCK_SHA256[i]}")" "$disk/faketime"
	done
	library=$(find "$disk/faketime" -name libfaketime.so.1)
	cp "$library" "$here/container/libfaketime.so.1"
	printf '/repro/libfaketime.so.1\n' >"$here/container/preload"
	# Where the environment has no offset, libfaketime looks for a file in several places, and each stat() then leaves
	# ENOENT in errno, which update-alternatives takes for a missing file.  build.sh clears the environment, so the
	# build itself needs the file.
	printf '%s\n' "${days}d" >"$here/container/faketimerc"
	for option in "--env=FAKETIME=${days}d" --volume="$here/container/libfaketime.so.1:/repro/libfaketime.so.1:ro" \
		--volume="$here/container/faketimerc:/etc/faketimerc:ro" \
		--volume="$here/container/preload:/etc/ld.so.preload:ro"; do
		run_options+=("$option") build_options+=("$option")
	done
fi
! varied cpus || command=(taskset --cpu-list "$(first_cpu)" "${command[@]}")
builder=podman
! varied builder || builder=buildah
! varied isolation || build_options+=(--isolation chroot)
! varied cache || build_options+=(--no-cache --layers=false)
if varied user || varied cache || varied builder || varied isolation; then
	own_storage "$here/store"
	[[ -z $user ]] || chown -R "$user:" "$RUN_ROOT" "$here/store"
	environment+=(CONTAINERS_STORAGE_CONF="$here/store/storage.conf")
fi
environment+=(REPRO_BUILDER="$builder" REPRO_BUILD="${build_options[*]}" REPRO_RUN="${run_options[*]}")
build=/build
[[ -n ${SOURCE_DIR:-} ]] || ! varied path || build=$(pick /somewhere/else /b /build-3)
environment+=(REPRO_DIR="$build")
cp "$TOP/tests/run/repro/podman.sh" "$here/bin/podman"
cp "$TOP/tests/run/repro/build.sh" "$here/bin/repro-build"
chmod 755 "$here/bin"/*

status=0
(cd "$here/view" && "${as_user[@]}" env -i "${environment[@]}" "${command[@]}" \
	bash "$here/bin/repro-build" "$here/view/$clone" "$TARGET" "$mask") >"$dir/log" 2>&1 </dev/null || status=$?
cp "$here/container/evidence" "$dir/evidence" 2>/dev/null || : >"$dir/evidence"
if [[ $status -ne 0 ]]; then
	[[ ! -d $here/plain/out/log ]] || cp -R "$here/plain/out/log" "$dir/logs"
	die "the build under '${variations:1:-1}' failed; its log is $dir/log, those of its phases are in $dir/logs/"
fi
cp -a "$here/plain/out/$RELEASE" "$dir/made"
