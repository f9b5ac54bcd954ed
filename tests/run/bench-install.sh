#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bench-install.sh TARGET
#
# Measure an install on the whole tree of the target's stock kernel, some 4,000 modules.  Compare wgkmod
# install with bare depmod -a and syncfs, and with dkms install of the same modules, which are built already.
# Each run has its own tree.  The middle one of BENCH_ROUNDS (3) counts.  dkms runs in a mount namespace with
# its tree over /lib/modules, as it always runs depmod there.
#
# ext4 does not reuse an inode that was deleted in the last minute (recently_deleted() in fs/ext4/ialloc.c), but
# searches on.  So a directory costs twice as much right after an install removed its old tree: wait a minute
# between two rounds.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
[[ $# -eq 1 ]] || die "usage: bench-install.sh TARGET"
read_target "$1"
[[ $FAMILY == deb ]] || die "the tree of make bench is of the family deb"
[[ $EUID -eq 0 ]] || die "dkms and its mount namespace need root"
ROUNDS=${BENCH_ROUNDS:-3}

# stock: Make TMP/stock, a root with the kernel's modules, without those of the build and without indexes.  Set
# modules to the build's modules and COUNT to the number of the others; make the bundle.
stock() {
	local module path kernel=$TMP/stock/lib/modules/$RELEASE
	run "$TOP/scripts/stage.sh" "$TARGET" vm "$TMP/debs"
	mkdir -p "$TMP/unpacked" "$TMP/stock/lib/modules" "$TMP/stock/var/lib"
	family_unpack "$TMP/debs" "$TMP/unpacked"
	mv "$TMP/unpacked/lib/modules/$RELEASE" "$kernel"
	rm -rf "$TMP/unpacked" "$TMP/debs"
	while read -r _ path; do
		[[ $path == modules/* ]] || continue
		module=${path##*/}
		rm -f "$kernel/${path#modules/}"
		modules+=("${module%.ko}")
	done <"$OUT/$RELEASE/SHA256SUMS"
	run "$TOP/scripts/bundle.sh" "$TARGET"
	COUNT=$(find "$kernel" -name '*.ko' | wc -l)
}

# tree NAME: Copy that root to TMP/NAME by hard links, and run depmod on it.
tree() {
	cp -al "$TMP/stock" "$TMP/$1"
	depmod -b "$TMP/$1" "$RELEASE"
}

# took NAME COMMAND...: Run the command; append its seconds of wall clock and of CPU to TMP/NAME.took.
took() {
	local TIMEFORMAT='%R %U %S' figures
	sync -f "$TMP"
	figures=$({ time "${@:2}" >>"$LOG" 2>&1; } 2>&1) || die "'${*:2}' failed"
	read -ra figures <<<"$figures"
	awk -v w="${figures[0]}" -v u="${figures[1]}" -v s="${figures[2]}" 'BEGIN { print w, u + s }' >>"$TMP/$1.took"
}

bare() { depmod -a -b "$TMP/tree-$1" "$RELEASE" && sync -f "$TMP/tree-$1"; }

# dkms_source: Make TMP/src, a dkms package whose modules are built already.
dkms_source() {
	local dir=$TMP/src/wireguard-1 i
	mkdir -p "$dir" "$TMP/headers/include" # all that dkms looks for
	find "$OUT/$RELEASE/modules" -name '*.ko' -exec cp -t "$dir" {} +
	{
		printf 'PACKAGE_NAME=wireguard\nPACKAGE_VERSION=1\nMAKE=true\nCLEAN=true\nAUTOINSTALL=no\n'
		for ((i = 0; i < ${#modules[@]}; i++)); do
			printf 'BUILT_MODULE_NAME[%d]=%s\nDEST_MODULE_LOCATION[%d]=/updates/dkms\nSTRIP[%d]=no\n' \
				"$i" "${modules[i]}" "$i" "$i"
		done
	} >"$dir/dkms.conf"
}

# in_tree TREE COMMAND...: Run the command with the tree's modules mounted over /lib/modules.  If the machine has
# no /lib/modules, mount an overlay over /lib that has it.
in_tree() {
	mkdir -p "$TMP/layer/modules"
	unshare --mount bash -euc '
		[[ -d /lib/modules ]] || mount -t overlay -o "lowerdir=$1:/lib" overlay /lib
		mount --bind "$2/lib/modules" /lib/modules
		shift 2
		exec "$@"' - "$TMP/layer" "$@"
}
dkms_do() { # ROUND VERB
	in_tree "$TMP/tree-$1" dkms "$2" wireguard/1 -k "$RELEASE" --dkmstree "$TMP/dkms-$1" --sourcetree "$TMP/src" \
		--kernelsourcedir "$TMP/headers"
}
dkms_ready() { # ROUND
	mkdir "$TMP/dkms-$1"
	dkms_do "$1" add && dkms_do "$1" build
}

install_it() { # ROUND
	"$wgkmod" install --allow-unsigned --root "$TMP/tree-$1" --kernel "$RELEASE" \
		"$OUT/$RELEASE/wireguard-$RELEASE.tar"
}

middle() { # NAME COLUMN
	sort -n -k "$2,$2" "$TMP/$1.took" | awk -v c="$2" '{ v[NR] = $c } END { print v[int((NR + 1) / 2)] }'
}

# exchange_ms: Print the time of the exchange of the two directories, measured by strace.
exchange_ms() {
	tree tree-x
	strace -o "$TMP/trace" -T -e trace=renameat2 "$wgkmod" install --allow-unsigned --root "$TMP/tree-x" \
		--kernel "$RELEASE" "$OUT/$RELEASE/wireguard-$RELEASE.tar" >>"$LOG" 2>&1
	sed -n "s/.*\"$RELEASE\", RENAME_EXCHANGE.*<\([0-9.]*\)>\$/\1/p" "$TMP/trace" |
		awk '{ printf "%.2f\n", $1 * 1000 }'
}

line() { # NAME WORDS
	awk -v w="$(middle "$1" 1)" -v c="$(middle "$1" 2)" -v bw="$(middle bare 1)" -v bc="$(middle bare 2)" \
		-v words="$2" 'BEGIN {
			printf "%-24s %5.2f s  %5.2f s of CPU   ", words, w, c
			printf "%.2f and %.2f times depmod + syncfs\n", w / bw, c / bc
		}'
}

versus() { # NAME
	awk -v w="$(middle "$1" 1)" -v bw="$(middle bare 1)" \
		'BEGIN { printf "%.2f s against %.2f s: %.2f times", w, bw, w / bw }'
}

modules=()
phase_begin bench-install
make_tmp "$OUT"
# Build wgkmod for this machine: the build's own is linked to the libraries of the target's distribution.
run make --no-print-directory -C "$TOP/src" O="$TMP/program"
wgkmod=$TMP/program/wgkmod
stock
dkms_source
for ((round = 1; round <= ROUNDS; round++)); do
	tree "tree-$round-bare"
	tree "tree-$round-dkms"
	tree "tree-$round-wgkmod"
	dkms_ready "$round-dkms" >>"$LOG" 2>&1 || die "dkms cannot build its package"
	[[ $round -eq 1 ]] || sleep 61
	# Not counted: the first run after a pause is slower.
	tree "tree-$round-warm"
	bare "$round-warm" >>"$LOG" 2>&1
	took bare bare "$round-bare"
	took dkms dkms_do "$round-dkms" install
	took wgkmod install_it "$round-wgkmod"
done
[[ -f $TMP/tree-1-dkms/lib/modules/$RELEASE/updates/dkms/wireguard.ko ]] || die "dkms installed nothing"
grep -q '^updates/dkms/wireguard.ko:' "$TMP/tree-1-dkms/lib/modules/$RELEASE/modules.dep" ||
	die "dkms did not run depmod"
exchange=$(exchange_ms)
[[ $exchange =~ ^[0-9.]+$ ]] || die "strace saw no exchange: see $TMP/trace"
{
	printf '%s, %d modules, %d processors, the middle of %d rounds\n' "$TARGET" "$COUNT" "$(nproc)" "$ROUNDS"
	line bare 'depmod -a + syncfs'
	line wgkmod 'wgkmod install'
	line dkms 'dkms install'
	printf '%-24s %5.2f ms, once, under strace\n' 'the exchange' "$exchange"
} | tee "$OUT/bench-install.txt"
disk=$(df --output=fstype "$TMP" | tail -n 1)
"$TOP/tests/run/figures.sh" 'bench tree' "$COUNT modules on $disk, the middle of $ROUNDS rounds"
"$TOP/tests/run/figures.sh" 'bench install' "$(versus wgkmod)"
"$TOP/tests/run/figures.sh" 'bench dkms' "$(versus dkms)"
"$TOP/tests/run/figures.sh" 'bench exchange' "$exchange ms for the exchange"
phase_end "also in $OUT/bench-install.txt"
