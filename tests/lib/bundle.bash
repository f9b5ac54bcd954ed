# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Bundles for wgkmod's tests: good ones by tar, bad ones block by block. Load after helpers and
# modules.

# Make a bundle of the payload DIR with scripts/bundle.sh, and name it FILE.
bundle_make() { # DIR FILE
	local out=$BATS_TEST_TMPDIR/bundle.out
	rm -rf "$out"
	mkdir -p "$out"
	cp -r "$1" "$out/$RELEASE"
	OUT=$out run_cmd 0 "$ROOT_DIR/scripts/bundle.sh" "$TARGET_NAME"
	mv "$out/$RELEASE/wireguard-$RELEASE.tar" "$2"
	rm -r "$out"
}

# Make a minisign key without a password: FILE.key and FILE.pub.
key_make() { # FILE
	run_cmd 0 minisign -G -f -W -p "$1.pub" -s "$1.key"
}

# Sign FILE as FILE.minisig with the real minisign. OPTIONS: -l for a legacy signature, -t COMMENT.
key_sign() { # KEY FILE OPTIONS...
	local key=$1 file=$2
	shift 2
	run_cmd 0 minisign -S -s "$key.key" -m "$file" "$@"
}

# Print the id of a public key as wgkmod does; minisign omits leading zeros.
key_id() { # FILE.pub
	printf '%016X' "0x$(sed -n '1s/.* //p' "$1")"
}

# ---- tar by hand -----------------------------------------------------------------------

BLOCK=512

# Print TEXT, with the escapes of printf's %b, cut or padded with NULs to SIZE.
field() { # SIZE TEXT
	{
		printf '%b' "$2"
		head -c "$1" /dev/zero
	} | head -c "$1"
}

# A header of ustar (POSIX.1-1988). FIELD is one of prefix, type, size, link, magic, version, pad,
# mode, uid, gid, mtime, uname, gname, devmajor, devminor, checksum: its text, in place of what is right.
header() { # NAME SIZE [FIELD=TEXT]...
	local name=$1 file=$BATS_TEST_TMPDIR/header sum word
	local -A is=([size]=$(printf '%011o' "$2") [type]=0 [magic]='ustar\0' [version]=00
		[mode]=0000644 [mtime]=00000000000 [uid]=0000000 [gid]=0000000 [devmajor]=0000000 [devminor]=0000000)
	shift 2
	for word; do
		is[${word%%=*}]=${word#*=}
	done
	{
		field 100 "$name"
		field 8 "${is[mode]}"
		field 8 "${is[uid]}"
		field 8 "${is[gid]}"
		field 12 "${is[size]}"
		field 12 "${is[mtime]}"
		printf '        '
		field 1 "${is[type]}"
		field 100 "${is[link]:-}"
		field 6 "${is[magic]}"
		field 2 "${is[version]}"
		field 32 "${is[uname]:-}"
		field 32 "${is[gname]:-}"
		field 8 "${is[devmajor]}"
		field 8 "${is[devminor]}"
		field 155 "${is[prefix]:-}"
		field 12 "${is[pad]:-}"
	} >"$file"
	sum=$(od -An -v -tu1 "$file" | awk '{ for (i = 1; i <= NF; i++) sum += $i } END { printf "%06o", sum }')
	head -c 148 "$file"
	field 8 "${is[checksum]:-$sum\\0 }"
	tail -c +157 "$file"
}

# Print an entry: a header as above, and the data on standard input.
entry() { # NAME [FIELD=TEXT]...
	local name=$1 data=$BATS_TEST_TMPDIR/entry size
	shift
	cat >"$data"
	size=$(stat -c %s "$data")
	header "$name" "$size" "$@"
	cat "$data"
	head -c $(((BLOCK - size % BLOCK) % BLOCK)) /dev/zero
}

# Copy the entries on standard input, and end the archive with zeros up to a whole record.
finish() {
	local data=$BATS_TEST_TMPDIR/entries size record=$((20 * BLOCK))
	cat >"$data"
	size=$(stat -c %s "$data")
	cat "$data"
	head -c $(((size + 2 * BLOCK + record - 1) / record * record - size)) /dev/zero
}

# Print the entries of a bundle, without the zeros at its end.
entries() { # FILE
	local at=0 size
	while size=$(dd if="$1" bs=1 skip=$((at + 124)) count=11 status=none | tr -d '\0') && [[ -n $size ]]; do
		at=$((at + BLOCK + (8#$size + BLOCK - 1) / BLOCK * BLOCK))
	done
	head -c "$at" "$1"
}

# Print the offset of the header of the entry NAME.
entry_offset() { # FILE NAME
	local at
	at=$(LC_ALL=C grep -obUaF "$2" "$1" | awk -F: '$1 % 512 == 0 { print $1; exit }')
	[ -n "$at" ] || return 1
	printf '%s\n' "$at"
}

# Flip bit BIT of the byte at OFFSET; a second call undoes it.
flip_bit() { # FILE OFFSET BIT
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\x$(printf '%02x' $((byte ^ 1 << $3)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# Print COUNT random numbers below LIMIT, always the same ones for a SEED; with FULL=1 all numbers below LIMIT.
sample() { # SEED COUNT LIMIT
	if [[ -n ${FULL:-} ]]; then
		seq 0 $(($3 - 1))
	else
		awk -v seed="$1" -v count="$2" -v limit="$3" \
			'BEGIN { srand(seed); while (count-- > 0) print int(rand() * limit) }'
	fi
}
