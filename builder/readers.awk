# SPDX-License-Identifier: GPL-2.0-only
#
# Read the output of "tar -tR" of an archive, then that of "grep -ab" over the archive.  Print "FILE TEXT" for
# each line that grep found in a source or header of the kernel.

NR == FNR { # block N: FILE
	match($0, /^block [0-9]+: /)
	start[++n] = substr($0, 7, RLENGTH - 8) * 512
	file[n] = substr($0, RLENGTH + 1)
	i = 1
	next
}
{ # OFFSET:TEXT
	offset = $0; sub(/:.*/, "", offset)
	while (i < n && start[i + 1] <= offset + 0) i++
	name = file[i]; sub(/^[^\/]*\//, "", name)
	if (name ~ /\.[chS]$/ && name !~ /^(tools|samples|scripts|Documentation)\//)
		print name, substr($0, length(offset) + 2)
}
