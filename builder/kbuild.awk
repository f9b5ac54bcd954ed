# SPDX-License-Identifier: GPL-2.0-only
#
# Read Makefiles and Kbuild files; print "SYMBOL KIND DIRECTORY NAME" for each object that depends on a symbol.
# KIND is obj for an object of its own, else the composite object that the symbol adds to.  If the line is
# inside an ifeq or ifdef on SYMBOL, KIND begins with "?".  If the object depends on no symbol, SYMBOL is "-".

# asked_by(text): Return the symbols in the text, each after a space.
function asked_by(text,    said) {
	while (match(text, /CONFIG_[A-Za-z0-9_]+/)) {
		said = said " " substr(text, RSTART + 7, RLENGTH - 7)
		text = substr(text, RSTART + RLENGTH)
	}
	return said
}
function say(symbol, kind, object) {
	sub(/\.o$/, "", object)
	print symbol, kind, directory, object
}
function statement(line,    left, right, kind, symbol, i, j, n, word, around, parents, parent) {
	if (line ~ /^[ \t]*(ifn?eq|ifn?def)/) asked[++depth] = asked_by(line)
	if (line ~ /^[ \t]*else/) asked[depth] = asked[depth] asked_by(line)
	if (line ~ /^[ \t]*endif/) depth--
	for (i = 1; i <= depth; i++) around = around asked[i]
	parents = split(around, parent)
	if (match(line, /^[ \t]*[A-Za-z0-9_-]+-(y|m|objs|\$\(CONFIG_[A-Za-z0-9_]+\))[ \t]*[:+]?=/)) {
		left = substr(line, RSTART, RLENGTH)
		right = substr(line, RSTART + RLENGTH)
		sub(/#.*/, "", right)
		kind = left; sub(/^[ \t]*/, "", kind); sub(/-(y|m|objs|\$.*)[ \t]*[:+]?=$/, "", kind)
		symbol = asked_by(left); sub(/^ /, "", symbol)
		n = split(right, word)
		for (i = 1; i <= n; i++) {
			if (word[i] !~ /\.o$/) continue
			say(symbol == "" ? "-" : symbol, kind, word[i])
			for (j = 1; j <= parents; j++) say(parent[j], "?" kind, word[i])
		}
	} else if (match(line, /^[ \t]*[CA]FLAGS_[^ \t]*\.o[ \t]*[:+]?=/)) {
		left = substr(line, RSTART, RLENGTH)
		sub(/^[ \t]*[CA]FLAGS_/, "", left); sub(/[ \t]*[:+]?=$/, "", left)
		for (j = 1; j <= parents; j++) say(parent[j], "?flags", left)
	}
}
FNR == 1 {
	statement(line); line = ""; depth = 0
	directory = FILENAME; sub(/^\.\//, "", directory); sub(/\/[^\/]*$/, "", directory)
}
{ line = line $0 }
/\\$/ { sub(/\\$/, " ", line); next }
{ statement(line); line = "" }
END { statement(line) }
