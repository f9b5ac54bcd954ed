# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# modules.sh - assertions about kernel modules, for tests in the guest.  Sourced after lib.sh.
# The build's output is in $out, the kernel's modules are in $tree.  Names are the kernel's, with "_";
# a list of names is a string of sorted words.

out=/run/vm/out
tree=/lib/modules/$(uname -r)

# names FILE...: Print the list of the modules in these files.
names() {
	local file name
	for file; do
		name=${file##*/} name=${name%%.ko*}
		printf '%s\n' "${name//-/_}"
	done | sort -u | paste -sd ' '
}

# both LIST LIST: Print the words that are in both lists.  but LIST LIST: Print those that are only in the first.
both() {
	local word said=
	for word in $1; do
		[[ " $2 " != *" $word "* ]] || said+=" $word"
	done
	printf '%s\n' "${said# }"
}
but() {
	local word said=
	for word in $1; do
		[[ " $2 " == *" $word "* ]] || said+=" $word"
	done
	printf '%s\n' "${said# }"
}

# read_built: Read SHA256SUMS; set built, a list, and built_file, from name to file.
declare -A built_file=()
built=
read_built() {
	local file name
	while read -r _ file; do
		[[ $file == *.ko ]] || continue
		name=$(names "$file")
		built_file[$name]=$out/${file#\*}
		built+=" $name"
	done <"$out/SHA256SUMS"
}

# loaded: Print the list of loaded modules.  permanent: Print those that the kernel can never unload, as they
# have an init and no exit; in 5.10 libchacha20poly1305 is one.  ours_loaded: Print the loaded ones of the build.
loaded() { cut -d ' ' -f 1 /proc/modules | sort | paste -sd ' '; }
permanent() { sed -n '/\[permanent\]/s/ .*//p' /proc/modules | sort | paste -sd ' '; }
ours_loaded() { both "$(loaded)" "$built"; }

# needed NAME...: Print these modules and all that they need, by modules.dep.
needed() {
	local name line files=()
	for name; do
		line=$(grep -E "^([^:]*/)?${name//_/[_-]}\.ko[^:/]*:" "$tree/modules.dep") ||
			fail "modules.dep has no $name"
		read -ra line <<<"${line/:/ }"
		files+=("${line[@]}")
	done
	names "${files[@]}"
}

# taint_letters NUMBER: Print the bits of a taint as the kernel's letters.
taint_letters() {
	local letters=PFSRMBUDAWCIOELKXT i said=
	for ((i = 0; i < ${#letters}; i++)); do
		(($1 >> i & 1)) && said+=" ${letters:i:1}"
	done
	printf '%s\n' "${said:- none}"
}

# matching PATTERN FILE: Print the first line that matches, if any; no match is no failure.
matching() { grep -m 1 -E "$1" "$2" || [[ $? -eq 1 ]]; }

# assert_hidden: Fail if the kernel has its own wireguard or one of the hidden modules.
assert_hidden() {
	local pattern own
	pattern="(^|/)(wireguard|$(hidden | tr -s ' ' '|' | sed 's/_/[_-]/g'))\.ko[^/]*(:|\$)"
	[[ -s $tree/modules.dep ]] || fail "the kernel has no index of its modules"
	own=$(matching "$pattern" "$tree/modules.dep")$(matching "$pattern" "$tree/modules.builtin")
	[[ -z $own ]] || fail "the kernel has a module of its own that should be hidden: ${own%%:*}"
}

hidden() { tr -- '-' '_' </run/vm/hide; }

# assert_built: Fail unless the build's output is whole and has wireguard.
assert_built() {
	local list
	read_built
	[[ -n ${built_file[wireguard]:-} ]] || fail "wireguard is not among the built modules"
	list=$(grep '\.ko$' "$out/SHA256SUMS")
	(cd "$out" && sha256sum --check --quiet --strict <<<"$list") ||
		fail "a module of the build does not have the digest that SHA256SUMS gives"
	report built "$(wc -w <<<"$built")"
}

# install_modules: Install the signed bundle with the wgkmod in it; fail unless wgkmod refuses it before its key
# is trusted.
install_modules() {
	local start bundle=/run/vm/bundle.tar
	tar -x -O -f "$bundle" "$(uname -r)/wgkmod" >/tmp/wgkmod
	chmod 755 /tmp/wgkmod
	refused 4 'not one of the 0 trusted keys' /tmp/wgkmod install "$bundle"
	mkdir -p /etc/wgkmod/keys.d
	cp /run/vm/run.pub /etc/wgkmod/keys.d/
	start=$(now_ms)
	run /tmp/wgkmod install "$bundle"
	report install_s "$(seconds $(($(now_ms) - start)))"
	run /tmp/wgkmod verify "$bundle"
	run /tmp/wgkmod status
	# a healthy host has no cause
	run /tmp/wgkmod doctor
}

load_wireguard() {
	local start
	start=$(now_ms)
	run modprobe wireguard
	report modprobe_s "$(seconds $(($(now_ms) - start)))"
}

# assert_loaded_set: Fail unless exactly those of our modules are loaded that wireguard needs, and no hidden
# module besides.
assert_loaded_set() {
	local expected actual foreign
	expected=$(both "$(needed wireguard)" "$built")
	actual=$(ours_loaded)
	[[ $actual == "$expected" ]] ||
		fail "loaded of ours: ${actual:-nothing}; wireguard needs of ours: $expected"
	foreign=$(but "$(both "$(hidden)" "$(loaded)")" "$built")
	[[ -z $foreign ]] || fail "hidden modules that were not built are loaded: $foreign"
}

hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }

# assert_ours NAME: Fail unless the file that modprobe loads is the built one, byte for byte, and the code in the
# kernel comes from it: by srcversion if it has one (a kernel without MODULE_SRCVERSION_ALL gives it to few),
# and by the linker's build-id.
assert_ours() {
	local name=$1 file=${built_file[$1]} sys=/sys/module/$1 installed want have evidence=0
	installed=$(modinfo -n "$name")
	cmp "$file" "$installed" || fail "'$installed' is not the $name that was built"
	want=$(modinfo -F srcversion "$file")
	if [[ -n $want ]]; then
		have=$(<"$sys/srcversion")
		[[ $have == "$want" ]] || fail "$name in the kernel has srcversion $have, the built one $want"
		evidence=1
	fi
	if [[ -e $sys/notes/.note.gnu.build-id ]]; then
		have=$(hex "$sys/notes/.note.gnu.build-id")
		grep -qF "$have" <(hex "$file") ||
			fail "$name in the kernel does not have the build-id of the built one"
		evidence=1
	fi
	((evidence)) || fail "$name has neither srcversion nor build-id: nothing says whose code is loaded"
}

# has_modversions: Return 0 if the kernel compares CRCs, by the vermagic of its udp_tunnel.
has_modversions() { [[ $(modinfo -F vermagic udp_tunnel) == *' modversions '* ]]; }

# assert_all_ours: Run assert_ours for each loaded module of ours; fail if one has no CRCs although the kernel
# compares them.
assert_all_ours() {
	local name list crcs=() total=0
	list=$(ours_loaded)
	for name in $list; do
		assert_ours "$name"
		! has_modversions || mapfile -t crcs < <(modprobe --dump-modversions "${built_file[$name]}")
		[[ ${#crcs[@]} -gt 0 ]] || ! has_modversions || fail "$name has no symbol versions, so no CRC was checked"
		total=$((total + ${#crcs[@]}))
	done
	report loaded "$(wc -w <<<"$list")"
	report modules "$list"
	report symbol_versions "$total"
}

# assert_kernel_content: Fail if the kernel skipped a CRC, found a wrong one, was forced to load a module, or
# reported a bug.  Taint may be O (4096, out of tree) and E (8192, unsigned), no more.
assert_kernel_content() {
	local taint line
	dmesg >/tmp/dmesg
	line=$(matching 'no symbol version|disagrees about version|Unknown symbol' /tmp/dmesg)
	[[ -z $line ]] || fail "the kernel says: $line"
	line=$(matching 'BUG:|WARNING:|Oops|Call Trace' /tmp/dmesg)
	[[ -z $line ]] || fail "the kernel says: $line"
	taint=$(</proc/sys/kernel/tainted)
	((!(taint & 2))) || fail "a module was loaded by force: taint $taint:$(taint_letters "$taint")"
	((!(taint & ~12288))) || fail "taint is $taint:$(taint_letters "$taint"), more than O and E"
	report taint "$taint:$(taint_letters "$taint")"
}

# unload_ours: Unload each module of ours, users first.  Only permanent modules, and those that they need, may
# stay.
unload_ours() {
	local name users fixed stay left n=0 before=-1
	fixed=$(both "$(permanent)" "$built")
	while ((n > before)); do
		before=$n
		for name in $(ours_loaded); do
			read -r users <"/sys/module/$name/refcnt"
			[[ $users -eq 0 && " $fixed " != *" $name "* ]] || continue
			run rmmod "$name"
			n=$((n + 1))
		done
	done
	# shellcheck disable=SC2086 # words
	stay=$([[ -z $fixed ]] || both "$(needed $fixed)" "$built")
	left=$(ours_loaded)
	[[ $left == "$stay" ]] || fail "still loaded after rmmod: $left; permanent: ${stay:-none}"
	report unloaded "$n"
	report permanent "${stay:-none}"
}
