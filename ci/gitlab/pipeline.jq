# SPDX-License-Identifier: GPL-2.0-only
#
# From the matrix of delivery/ci.sh plan, the pipeline that builds, proves and publishes: JSON, which GitLab reads as YAML.

# The output of a build goes from job to job as a tar file, which keeps modes.

def job($stage; $targets; $script): {stage: $stage, $script, variables: {TARGETS: $targets}};

([.include[].targets] | join(" ")) as $all
| if $all == "" then {unchanged: {script: ["echo nothing changed"]}} else
	{stages: ["build", "boot", "publish", "verify"]}
	+ (reduce .include[] as {$shard, $targets} ({};
		.["build \($shard)"] = job("build"; $targets;
				["delivery/ci.sh build", "tar --create --file=built-\($shard).tar out"])
			+ {artifacts: {paths: ["built-\($shard).tar"]}}
		| .["boot \($shard)"] = job("boot"; $targets; ["tar --extract --file=built-\($shard).tar",
				"delivery/ci.sh boot", "tar --create --file=proved-\($shard).tar out"])
			+ {needs: ["build \($shard)"], artifacts: {paths: ["proved-\($shard).tar"]}}))
	+ {
		# the only job that sees a secret; it compiles nothing
		pages: (job("publish"; $all; ["for file in proved-*.tar; do tar --extract --file=\"$file\"; done",
				"DEST=site delivery/ci.sh publish", "cp --recursive --dereference site public"])
			+ {environment: "release", resource_group: "publish", artifacts: {paths: ["public/"]}}),
		# what is deployed: no job can wait until it is
		verify: {stage: "verify", script: ["SITE=file://$PWD/public delivery/ci.sh verify"]}
	} end
