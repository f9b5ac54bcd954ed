#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# wgkmod, many times: random sequences against a model, and several at once beside depmod.

load lib/helpers
load lib/modules
load sweep/tools

setup_file() {
	modules_setup
	tools_setup
	small_setup
}

teardown() {
	[[ -z ${DEPMOD:-} ]] || kill "$DEPMOD"
}

teardown_file() {
	rm -rf "$SMALL"
}

looks() { # ROOT
	"$TOOLS/look" "$1"
}

# The model of a root is three tables: the foreign files of $PATHS, what of ours is at each, and
# what was replaced there.  Contents are named: f1, f2, … for foreign ones, one and two for ours.
PATHS=(kernel/lib/crypto/libchacha.ko kernel/lib/crypto/libpoly1305.ko
	kernel/lib/crypto/libcurve25519-generic.ko kernel/lib/crypto/other.ko)

has_module() { # PAYLOAD PATH
	assert -e "$SMALL/$1/modules/$2"
}

# What an install makes of the model; 1 when it is refused.
model_install() { # PAYLOAD REPLACE
	local path
	for path in "${PATHS[@]}"; do
		[[ -n ${foreign[$path]:-} ]] || continue
		# Somebody changed what is ours, or was there before.
		if has_module "$1" "$path" || [[ -n ${ours[$path]:-} ]]; then
			[[ -n $2 ]] || return 1
		fi
		# There is one place to keep what was replaced.
		if has_module "$1" "$path" && [[ -n ${kept[$path]:-} ]]; then
			[[ ${kept[$path]} == "${foreign[$path]}" ]] || return 1
		fi
	done
	for path in "${PATHS[@]}"; do
		if has_module "$1" "$path"; then
			[[ -z ${foreign[$path]:-} ]] || kept[$path]=${foreign[$path]}
			foreign[$path]='' ours[$path]=$1
		else
			model_take "$path"
		fi
	done
}

model_take() { # PATH
	if [[ -n ${kept[$1]:-} && -z ${foreign[$1]:-} ]]; then
		foreign[$1]=${kept[$1]} kept[$1]=''
	fi
	ours[$1]=''
}

model_remove() {
	local path
	for path in "${PATHS[@]}"; do
		model_take "$path"
	done
}

# Whether a removal finds anything to do: no, when all there is is what cannot be given back.
model_removable() {
	local path some='' blocked=''
	for path in "${PATHS[@]}"; do
		[[ -z ${ours[$path]:-} ]] || some=1
		[[ -z ${kept[$path]:-} || -n ${foreign[$path]:-} ]] || some=1
		[[ -z ${kept[$path]:-} || -z ${foreign[$path]:-} ]] || blocked=1
	done
	[[ -n $some || -z $blocked ]]
}

# The root that the model says: made anew from the bare one, indexed by depmod.
model_root() { # DIR
	local path
	cp -a "$SMALL/root" "$1"
	for path in "${PATHS[@]}"; do
		[[ -n ${foreign[$path]:-} ]] || continue
		cp "$SMALL/contents/${foreign[$path]}" "$1/lib/modules/$RELEASE/$path"
	done
	depmod -b "$1" "$RELEASE"
}

contents_make() {
	local i
	mkdir "$SMALL/contents"
	for i in 1 2 3; do
		# One that exports nothing of ours.
		cp "$STOCK/kernel/crypto/adiantum.ko" "$SMALL/contents/f$i"
		modinfo_sed "$SMALL/contents/f$i" "s/^license=.*/&\x00note=foreign $i/"
		rm -f "$SMALL/contents/f$i".*
	done
	[[ $(sha256sum "$SMALL"/contents/* "$SMALL"/*/modules/kernel/lib/crypto/libchacha.ko |
		sort -u -k 1,1 | wc -l) -eq 5 ]]
}

sequence_remove() {
	local status=0
	model_removable || status=1
	model_remove
	run_cmd $status "$WGKMOD" remove --root "$root" --kernel "$RELEASE"
}

# One sequence: 2 to 7 steps, then a removal; the tree equals the model's.
sequence() { # SEED
	local -A foreign=() ours=() kept=()
	local steps root=$SMALL/seq kernel=$SMALL/seq/lib/modules/$RELEASE path replace payload status
	RANDOM=$1
	rm -rf "$root" "$SMALL/model"
	cp -a "$SMALL/root" "$root"
	said="sequence $1:"
	for ((steps = RANDOM % 6 + 2; steps > 0; steps--)); do
		path=${PATHS[RANDOM % ${#PATHS[@]}]}
		payload=one
		((RANDOM % 2)) || payload=two
		replace=
		((RANDOM % 2)) || replace=--replace
		case $((RANDOM % 5)) in
		0 | 1)
			said+=" install $payload $replace,"
			status=0
			model_install "$payload" "$replace" || status=1
			run_cmd $status "$WGKMOD" install --allow-unsigned --root "$root" \
				--kernel "$RELEASE" ${replace:+"$replace"} "$SMALL/$payload"
			;;
		2)
			said+=" remove,"
			sequence_remove
			;;
		3)
			foreign[$path]=f$((RANDOM % 3 + 1))
			said+=" put ${foreign[$path]} at $path,"
			rm -f "$kernel/$path"
			mkdir -p "$kernel/${path%/*}"
			cp "$SMALL/contents/${foreign[$path]}" "$kernel/$path"
			depmod -b "$root" "$RELEASE"
			;;
		4)
			foreign[$path]=''
			said+=" rm $path,"
			rm -f "$kernel/$path"
			depmod -b "$root" "$RELEASE"
			;;
		esac
	done
	sequence_remove
	# What is kept for a place that somebody else took comes back when that is free.
	for path in "${PATHS[@]}"; do
		[[ -n ${kept[$path]:-} ]] || continue
		said+=" free $path,"
		foreign[$path]=''
		rm "$kernel/$path"
	done
	sequence_remove
	model_root "$SMALL/model"
	# Which of the two made the directory of foreign files is no difference.
	mkdir -p "$kernel/kernel/lib/crypto" "$SMALL/model/lib/modules/$RELEASE/kernel/lib/crypto"
	diff <(looks "$SMALL/model") <(looks "$root") || fail "$said"
}

@test "random sequences of install, upgrade, replace, foreign change and remove match the model" {
	local seed count=60
	[[ -z ${FULL:-} ]] || count=1000
	mkdir -p "$SMALL/root/lib/modules/$RELEASE/kernel/lib/crypto"
	contents_make
	for ((seed = 1; seed <= count; seed++)); do
		sequence $seed
	done
	printf '# %d of %d sequences\n' "$count" "$count" >&3
	[[ -z ${FULL:-} ]] || figure sequences "$count of $count sequences"
}

# persist COMMAND...: Run wgkmod again each time that it gives up because another process keeps changing the
# directory, or because a depmod wrote the index of the directory that wgkmod has exchanged meanwhile.  The next depmod
# corrects that index.  Fail if wgkmod ends with another error.
persist() {
	local said
	until said=$("$@" 2>&1); do
		[[ $said == *'another process keeps changing'* || $said == *'no vermagic to compare with'* ]] || fail "$said"
	done
}

@test "8 installs and removes at once, beside an endless depmod" {
	local root=$SMALL/parallel before i round pids=()
	local install=("$WGKMOD" install --allow-unsigned --root "$root" --kernel "$RELEASE")
	for ((round = 0; round < ${FULL:+20}+2; round++)); do
		rm -rf "$root"
		cp -a "$SMALL/root" "$root"
		before=$(looks "$root")
		while [[ -d $root ]]; do depmod -b "$root" "$RELEASE" || [[ $? -eq 1 ]]; done 3>&- 2>/dev/null &
		DEPMOD=$!
		pids=()
		for i in 1 2 3 4 5 6 7 8; do
			(
				persist "${install[@]}" "$SMALL/one"
				[[ $((i % 2)) -eq 0 ]] || persist "$WGKMOD" remove --root "$root" --kernel "$RELEASE"
				persist "${install[@]}" "$SMALL/two"
				"$WGKMOD" status --root "$root" || [[ $? -eq 1 ]]
			) >"$SMALL/parallel.$i" 2>&1 3>&- &
			pids+=($!)
		done
		for i in "${pids[@]}"; do
			wait "$i" || fail "$(cat "$SMALL"/parallel.*)"
		done
		kill "$DEPMOD"
		wait "$DEPMOD" || [[ $? -eq 143 ]]
		DEPMOD=
		while pgrep -f "depmod -b $root " >/dev/null; do sleep 0.1; done
		# The last of them may have written what it saw before the last exchange.
		depmod -b "$root" "$RELEASE"
		run_cmd 0 "$WGKMOD" status --root "$root"
		assert_line "^$RELEASE: 2 modules$"
		# Each index is what depmod makes of the directory, and nothing of a run is left.
		cp -a "$root" "$root.fresh"
		depmod -b "$root.fresh" "$RELEASE"
		diff <(looks "$root.fresh") <(looks "$root")
		rm -r "$root.fresh"
		assert_equal "$(find "$root" -name '.*' -printf '%f\n')" .wgkmod
		run_cmd 0 "$WGKMOD" remove --root "$root" --kernel "$RELEASE"
		diff <(printf '%s\n' "$before") <(looks "$root")
	done
	[[ -z ${FULL:-} ]] || figure 'at once' "$round rounds"
}
