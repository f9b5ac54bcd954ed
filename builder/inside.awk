# SPDX-License-Identifier: GPL-2.0-only
#
# Exit with 0 if the symbol s only changes modules that are built, else with 1.  Read three files: the symbols
# that become m or y; readers-SYMBOL, made by readers.awk; and objects, made by kbuild.awk.

function whole_is_built(object,    i, k, w) {
	if (object in built) return 1
	k = split(whole[object], w)
	for (i = 1; i <= k; i++) if (!(w[i] in built)) return 0
	return k > 0
}
FILENAME ~ /readers-/ {
	n++
	text = $0; sub(/^[^ ]+[ \t]+/, "", text)
	if ($1 ~ /\.h$/) { if (text ~ /^#/ || text ~ /^[^ ]*[ \t]*#/) other = 1 }
	else { sub(/\.[cS]$/, "", $1); part[$1] }
	next
}
FILENAME !~ /objects$/ { if ($2 == "m") m[$1]; next }
$2 == "obj" && ($1 in m) { built[$3 "/" $4] }
$2 !~ /^(obj|[?].*)$/ { whole[$3 "/" $4] = whole[$3 "/" $4] " " $3 "/" $2 }
$1 == s {
	n++
	if ($2 == "?flags" || $2 == "?obj") part[$3 "/" $4]
	else { kind = $2; sub(/^[?]/, "", kind); part[$3 "/" kind] }
}
END {
	for (p in part) if (!whole_is_built(p)) other = 1
	exit other || n == 0
}
