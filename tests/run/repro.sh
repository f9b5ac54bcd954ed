#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: repro.sh TARGET [N]
#
# Build the target once in the plain environment, and N times (1) with everything in the environment varied at
# once.  Compare the whole output bit by bit: modules, debug data, provenance, bill of materials, bundle.  On a
# difference, halve the set of variations until one is left, name it, and write diffoscope's output to
# out/repro/differences.txt.  Needs root, for another user, disorderfs and namespaces.
#
#	VARY=WORDS      the variations to use (all)
#	WITHOUT=WORDS   variations to leave out, as the machine cannot do them; they count as not shown
#	BISECT=         empty: do not search for the variation that causes a difference
#
# A variation counts as shown if the build itself saw another value than the first build.
# Exit with 0 if all builds are equal and all variations shown, with 3 if they differ, with 1 without a verdict.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
[[ $# -eq 1 || $# -eq 2 ]] || die "usage: repro.sh TARGET [N]"
read_target "$1"
runs=${2:-1}
[[ $runs =~ ^[1-9][0-9]?$ ]] || die "N '$runs' is not a number from 1 to 99"

# The variations: their descriptions, and the keys of the evidence whose values must differ.
declare -A what=(
	[path]='the path of the clone, and of the build in the container' [user]='user and group, rootless'
	[umask]='umask' [home]='HOME' [locale]='locale' [timezone]='time zone'
	[clock]='clock, on the host and in the container (simulated by libfaketime)' [env]='environment'
	[host]='host name and domain name' [cpus]='number of processors, and so of jobs'
	[order]='order of readdir (disorderfs)' [fs]='file system (tmpfs and disk, each where the other was)'
	[cache]='the image made again, without cache of layers' [builder]='the image made by buildah, not podman'
	[isolation]='the image made under chroot, not oci'
)
declare -A seen_by=(
	[path]='host.path build.dir' [user]='host.uid host.gid' [umask]=host.umask [home]=host.home
	[locale]=host.collation [timezone]=host.zone [clock]='host.day build.day' [env]=host.env
	[host]='host.name host.domain build.name build.domain' [cpus]='host.cpus build.cpus'
	[order]='host.order build.order' [fs]='host.fs build.fs' [cache]=image.options
	[builder]=image.builder [isolation]=image.options
)
# If the target names the path of the build, that path is fixed.
[[ -z ${SOURCE_DIR:-} ]] || {
	seen_by[path]=host.path
	what[path]="the path of the clone (that of the build is the target's)"
}
order=(path umask home locale timezone env clock host cpus order fs user cache builder isolation)

[[ $EUID -eq 0 ]] || die "make repro needs root: for another user, disorderfs and namespaces"
read -ra asked <<<"${VARY:-${order[*]}}"
variations=()
for word in "${asked[@]}"; do
	[[ -n ${what[$word]:-} ]] || die "there is no variation '$word'; there are: ${order[*]}"
	[[ " ${WITHOUT:-} " == *" $word "* ]] || variations+=("$word")
done
if [[ " ${variations[*]} " == *' order '* && ! -c /dev/fuse ]]; then
	die "the order of readdir cannot be varied: there is no /dev/fuse here (WITHOUT=order leaves it out)"
fi
if [[ " ${variations[*]} " == *' cpus '* && $(nproc) -eq 1 ]]; then
	die "the number of processors cannot be varied: there is one here (WITHOUT=cpus leaves it out)"
fi

read_lock "$TARGET" vm
if [[ " ${variations[*]} " == *' clock '* && " ${LOCK_WHERE[*]} " != */libfaketime_* ]]; then
	die "the clock cannot be varied: VM of '$TARGET' does not name libfaketime (WITHOUT=clock leaves it out)"
fi

phase_begin repro
dir=$OUT/repro
mkdir -p "$dir"
exec 6>"$dir/.lock"
flock -n 6 || die "another make repro runs here"
rm -rf "$dir"/[0-9a-z]*
report=$dir/differences.txt

# Mount the builds below a directory that any user can reach; OUT may not be one.
make_tmp /run/wgkmod
chmod 755 "$TMP" # another user builds in it
export REPRO_PLACE=$TMP

# Copy the project: every build uses this copy, even if a file of the project changes.
mkdir -p "$dir/project/targets"
(cd "$TOP" && { image_files && host_files; } | xargs -d '\n' cp --parents -t "$dir/project")
cp "$TARGET_DIR/$TARGET" "$TARGET_DIR/$TARGET.lock" "$dir/project/targets/"

# build NAME NUMBER VARIATION...: Build under these variations into out/repro/NAME.
build() {
	local to=$dir/$1
	shift
	printf '+ build %s under: %s\n' "$to" "${*:2}" | logged
	"$TOP/tests/run/repro/run.sh" "$TARGET" "$to" "$@" 6>&- 2>&1 | logged ||
		{ tail -n 20 "$to/log" | logged; die "a build failed, so there is no verdict; its log: $to/log"; }
}

# same NAME: Return 0 if out/repro/NAME/made equals the first build's output; else return 3, with a list of the
# differences in out/repro/NAME/differs.
same() {
	local status=0
	"$TOP/scripts/compare.sh" "$dir/first/made" "$dir/$1/made" "$report" 6>&- >"$dir/$1/differs" || status=$?
	[[ $status -eq 0 || $status -eq 3 ]] || die "the results could not be compared"
	return "$status"
}

# value NAME KEY: Print the value of the key in the evidence of the build NAME.
value() { sed -n "s/^$2 //p" "$dir/$1/evidence" | tail -n 1; }

# shown NAME VARIATION: Return 0 if the build NAME saw other values than the first build.
shown() {
	local key first now
	for key in ${seen_by[$2]}; do
		first=$(value first "$key") now=$(value "$1" "$key")
		[[ -n $now && $now != "$first" ]] || return 1
		case $2 in
		cache) [[ $now == *--no-cache* ]] || return 1 ;;
		builder) [[ $now == buildah* ]] || return 1 ;;
		isolation) [[ $now == *'--isolation chroot'* ]] || return 1 ;;
		esac
	done
}

# differs_under NUMBER VARIATION...: Return 0 if a build under only these variations differs.
bisected=0
differs_under() {
	local number=$1
	shift
	bisected=$((bisected + 1))
	build "bisect-$bisected" "$number" "$@"
	if same "bisect-$bisected"; then return 1; fi
}

# bisect NUMBER: Set culprit to the variation, or the few, that cause the difference.
bisect() {
	local number=$1 half
	local -a left=("${variations[@]}") a b
	if differs_under "$number"; then
		culprit='none of them: two builds in the same environment differ'
		return
	fi
	while [[ ${#left[@]} -gt 1 ]]; do
		half=$(((${#left[@]} + 1) / 2))
		a=("${left[@]:0:half}") b=("${left[@]:half}")
		if differs_under "$number" "${a[@]}"; then
			left=("${a[@]}")
		elif differs_under "$number" "${b[@]}"; then
			left=("${b[@]}")
		else
			break
		fi
	done
	culprit=${left[*]}
}

build first 1
declare -A times=()
for ((n = 1; n <= runs; n++)); do
	build "$n" "$n" "${variations[@]}"
	if ! same "$n"; then
		cp "$report" "$report.first"
		say repro "NOT equal: $(wc -l <"$dir/$n/differs") files of build $n are not those of the first"
		sed 's/^/  /' "$dir/$n/differs"
		culprit='not looked for'
		[[ -n ${BISECT-1} ]] && bisect "$n"
		mv "$report.first" "$report"
		say repro "caused by: $culprit"
		[[ -z ${what[$culprit]:-} ]] || say repro "that is: ${what[$culprit]}"
		say repro "diffoscope's output: $report"
		not_equal
	fi
	for word in "${variations[@]}"; do
		shown "$n" "$word" && times[$word]=$((${times[$word]:-0} + 1))
	done
	say repro "build $n of $runs under ${#variations[@]} variations: equal"
	rm -rf "${dir:?}/$n/made"
done

missing=()
for word in "${order[@]}"; do
	if [[ ${times[$word]:-0} -eq $runs ]]; then
		say repro "shown      $word: ${what[$word]}"
	elif [[ " ${variations[*]} " == *" $word "* ]]; then
		say repro "NOT SHOWN  $word: the build did not see another ${seen_by[$word]}"
		missing+=("$word")
	else
		say repro "not tried  $word"
	fi
done
[[ ${#missing[@]} -eq 0 ]] || die "these variations were requested but had no effect: ${missing[*]}"
say repro "$TARGET: $(find "$dir/first/made" -type f | wc -l) files equal in $((runs + 1)) builds;" \
	"sha256 of the bundle: $(sha256sum <"$dir/first/made/wireguard-$RELEASE.tar" | cut -d ' ' -f 1)"
"$TOP/tests/run/figures.sh" "repro $TARGET" "$(find "$dir/first/made" -type f | wc -l) files equal in $((runs + 1))" \
	"builds, ${#variations[@]} variations shown, $((($(now_ms) - PHASE_START) / 1000)) s"
phase_end "equal, ${#variations[@]} variations shown"
