# SPDX-License-Identifier: GPL-2.0-only
#
# The matrix of the names on the lines of the input, in at most $shards shards.  Consecutive names make a shard, so
# kernels of a distribution, which share an image, are built together.

[inputs | select(. != "")] as $names
| ([($names | length) / $shards | ceil, 1] | max) as $size
| {include: [range(0; $names | length; $size) as $i | $names[$i:$i + $size]
	| {shard: "\(.[0] | split("-")[0])-\($i / $size + 1)", targets: join(" ")}]}
