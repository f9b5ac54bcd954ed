#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bats
#
# Tests with a running kernel, in the VM: install --load; and the kernel loads each module that wgkmod check
# accepts, among those that other tests change and those with a flipped bit.  The flips are a sample with a
# fixed seed; FULL=1 makes more.

load lib/helpers
load lib/modules
load lib/bundle

setup_file() {
	local file
	run_cmd 0 make -C "$ROOT_DIR" --no-print-directory artifacts TARGET="$TARGET_NAME"
	run_cmd 0 "$ROOT_DIR/scripts/fetch.sh" "$TARGET_NAME" base vm
	modules_setup
	export MUTANTS=$BATS_FILE_TMPDIR/mutants GOOD=$BATS_FILE_TMPDIR/good
	mkdir "$MUTANTS"
	# Use the built modules, and the distribution's for the rest of the set.
	set_make "$GOOD"
	for file in "$GOOD"/*.ko; do unsign "$file"; done
	find "$OUT/$RELEASE/modules" -name '*.ko' -exec cp -t "$GOOD" {} +
}

# by_hand: Run the tests of the proof, with FULL=1 also those of installs and hostile bundles, and keep the modules that
# they change.
by_hand() {
	local file files=(300-check 301-loader)
	[[ -z ${FULL:-} ]] || files+=(310-install 311-depmod 350-hostile)
	for file in "${files[@]}"; do
		TIMEOUT=900 run_cmd 0 env -u BATS_RUN_TMPDIR -u BATS_TEST_DESCRIPTION bats "$ROOT_DIR/tests/$file.bats"
	done
}

# flipped MODULE OFFSET SIZE COUNT SEED WHAT: Make COUNT mutants, each with one bit of these bytes flipped.
flipped() {
	local file=$BATS_TEST_TMPDIR/$1.ko bit count=$4
	[[ -z ${FULL:-} ]] || count=$((12 * count))
	while read -r bit; do
		cp "$GOOD/$1.ko" "$file"
		flip_bit "$file" $(($2 + bit / 8)) $((bit % 8))
		mutant_keep "$file" "$6, bit $bit"
	done < <(awk -v seed="$5" -v count="$count" -v limit=$((8 * $3)) \
		'BEGIN { srand(seed); while (count-- > 0) print int(rand() * limit) }')
}

# unsign FILE: Remove the distribution's signature.  struct module_signature (include/linux/module_signature.h),
# 12 bytes that end with the signature's length, is before the last 28 bytes.  The kernel accepts a module
# without a signature, but refuses a changed one with a wrong signature.
unsign() {
	local size length
	grep -qx '~Module signature appended~' < <(tail -c 28 "$1") || return 0
	size=$(stat -c %s "$1")
	length=$((0x$(tail -c 32 "$1" | head -c 4 | od -An -tx1 | tr -d ' ')))
	truncate -s $((size - 28 - 12 - length)) "$1"
}

# section MODULE NAME: Print the section's offset and size.
section() {
	readelf -SW "$GOOD/$1.ko" | sed -n "s/^ *\[ *[0-9]*\] $2  *[A-Z]*  *//p" | {
		read -r _ offset size _
		printf '%d %d\n' "0x$offset" "0x$size"
	}
}

# generated: Make the mutants with flipped bits.
generated() {
	local module name offset size seed=0
	for module in libchacha curve25519-x86_64 udp_tunnel wireguard; do
		flipped "$module" 0 64 4 $((++seed)) 'ELF header'
		for name in .modinfo __versions; do
			read -r offset size < <(section "$module" "$name")
			flipped "$module" "$offset" "$size" 4 $((++seed)) "$name"
			flipped "$module" "$(section_header_offset "$GOOD/$module.ko" "$name")" 64 2 $((++seed)) "header of $name"
		done
	done
}

# judge: Run wgkmod check on each mutant, in place of its original; write the lists that kernel.sh reads.
judge() {
	local file name number status verdict others
	for file in "$MUTANTS"/*/*.ko; do
		number=${file%/*} number=${number##*/} name=${file##*/} name=${name%.ko}
		if [[ ! -e $GOOD/$name.ko ]] || cmp -s "$file" "$GOOD/$name.ko"; then
			continue
		fi
		unsign "$file"
		mapfile -t others < <(find "$GOOD" -name '*.ko' ! -name "$name.ko")
		status=0
		"$WGKMOD" check --kernel "$RELEASE" --symvers "$BARE" --vermagic "$VERMAGIC" "${others[@]}" "$file" \
			>"$BATS_TEST_TMPDIR/said" 2>&1 || status=$?
		case $status in
		0) verdict=yes ;;
		3 | 4) verdict=no ;;
		*) fail "status $status of wgkmod check for mutant $number, $(<"${file%/*}/what"): $(<"$BATS_TEST_TMPDIR/said")" ;;
		esac
		printf '%s %s\n' "$number" "$verdict" >>"$MUTANTS/verdicts"
		printf '%s %s %s\n' "$number" "$name" "$(depends "$name")" >>"$MUTANTS/all"
	done
	# List the permanent ones last: once loaded, no other module of that name can be.
	{
		grep -vE ' (libchacha20poly1305|wireguard) ' "$MUTANTS/all"
		grep ' libchacha20poly1305 ' "$MUTANTS/all" || [[ $? -eq 1 ]]
		grep ' wireguard ' "$MUTANTS/all"
	} >"$MUTANTS/list"
}

# depends NAME: Print the names of the modules that the original depends on, or "-".
depends() {
	local words
	words=$(modinfo -F depends "$GOOD/$1.ko")
	printf '%s\n' "${words:--}"
}

@test "install --load on a real kernel; and that kernel loads each module that wgkmod check accepts" {
	by_hand
	assert "$(find "$MUTANTS" -name '*.ko' | wc -l)" -gt 50
	generated
	judge
	TIMEOUT=3600 run_cmd 0 "$ROOT_DIR/tests/vm/kernel.sh" "$TARGET_NAME" "$MUTANTS"
	assert_line '^kernel +install --load: done yes; taken out again where the kernel refuses a module yes$'
	assert_line 'only wgkmod accepts 0;'
	sed -n 's/^kernel  *\([0-9]* mutants\)/# \1/p' <<<"$output" >&3
}
