# SPDX-License-Identifier: GPL-2.0-only
#
# Read Kconfig files; print "PARENT CHILD FILE LINE CONDITION" for each select and imply.  CONDITION is "-" if
# there is none.

FNR == 1 { symbol = "" }
$1 == "config" || $1 == "menuconfig" { symbol = $2 }
$1 == "choice" || $1 == "menu" || $1 == "comment" { symbol = "" }
symbol != "" && ($1 == "select" || $1 == "imply") {
	condition = $0
	if (!sub(/^.*[ \t]if[ \t]+/, "", condition))
		condition = $1 == "imply" ? "imply" : "-"
	print symbol, $2, FILENAME, FNR, condition
}
