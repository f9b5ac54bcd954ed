# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The stand-in for Alibaba Cloud Linux 3, made and served.  Load after helpers and servers.

# al8_setup [PORT]: makes the stand-in (or takes it from the cache), serves its registry and its mirror,
# and resolves TARGET_DIR's targets, which are those of tests/al8/targets.  A file that may run at the same time as the
# others names a PORT of its own: the first to try.  Sets for all tests:
#
#	$AL8_KERNELS   directory of the kernels, and of al8.pem, the key they trust
#	$AL8_MIRROR    the mirror's directory: www/ is what is served
#	$MIRROR_PORT   of the mirror; $REGISTRY_PORT of the registry
#	OUT TARGET_DIR  as the scripts take them; a test sets the latter again, in setup: TARGET_DIR=$AL8_TARGETS
# shellcheck disable=SC2154 # run_cmd sets output
al8_setup() {
	local standins first=${1:-21380}
	"$ROOT_DIR/scripts/install-deps.sh" rpmbuild rpmsign createrepo_c gpg python3 docker-registry skopeo openssl \
		rpm2cpio >&2
	TIMEOUT=3600 run_cmd 0 "$ROOT_DIR/tests/al8/make.sh"
	AL8_KERNELS=$(sed -n 's,^kernels /,/,p' <<<"$output")
	AL8_IMAGE=$(sed -n 's,^image /,/,p' <<<"$output")
	AL8_MIRROR=$(sed -n 's,^mirror /,/,p' <<<"$output")
	export AL8_KERNELS AL8_IMAGE AL8_MIRROR
	# the same ports where they are free: a lock names them, and what is made goes by the lock
	for MIRROR_PORT in $((first)) $((first + 2)) $((first + 4)) $((first + 6)) ''; do
		[[ -n $MIRROR_PORT ]] || fail 'no port was free for the mirror of the stand-in'
		if http_start "$MIRROR_PORT" "$AL8_MIRROR/www"; then break; fi
	done
	for REGISTRY_PORT in $((first + 1)) $((first + 3)) $((first + 5)) $((first + 7)) ''; do
		[[ -n $REGISTRY_PORT ]] || fail 'no port was free for the registry of the stand-in'
		if registry_start "$REGISTRY_PORT"; then break; fi
	done
	export MIRROR_PORT REGISTRY_PORT
	run_cmd 0 skopeo copy --all --preserve-digests "oci:$AL8_IMAGE" \
		"docker://127.0.0.1:$REGISTRY_PORT/alinux3/alinux3:3.9.1"
	standins=$(cat "$ROOT_DIR"/tests/al8/targets/standin-* | sha256sum | cut -c 1-16)
	export OUT=$OUT/al8
	export AL8_TARGETS=$OUT/targets-${AL8_IMAGE##*-}-$standins-$MIRROR_PORT-$REGISTRY_PORT TARGET_DIR
	TARGET_DIR=$AL8_TARGETS
	al8_targets "$TARGET_DIR" "$MIRROR_PORT"
}

# al8_targets DIR PORT: the targets, with the mirror at PORT; locks that are there stay.
al8_targets() {
	local file
	mkdir -p "$1"
	for file in "$ROOT_DIR"/tests/al8/targets/standin-*; do
		sed "s,REGISTRY,127.0.0.1:$REGISTRY_PORT,; s,MIRROR,http://127.0.0.1:$2," "$file" >"$1/${file##*/}"
	done
}

# al8_lock STANDIN...: makes the locks that are not there.
al8_lock() {
	local name
	for name; do
		[[ -f $TARGET_DIR/$name.lock ]] || al8 0 lock "$name"
	done
}

# al8 STATUS MAKE-TARGET STANDIN [VARIABLE=...]: make, for one of the stand-ins.
al8() {
	local status=$1 what=$2 name=$3
	shift 3
	TIMEOUT=900 run_cmd "$status" make -C "$ROOT_DIR" --no-print-directory "$what" TARGET="$name" "$@"
}
