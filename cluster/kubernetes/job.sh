#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: job.sh LIST IMAGE CLAIM
#
# Print an Indexed Job for Kubernetes that builds each target of LIST by make one.  IMAGE is an image with this clone in
# /wgkmod and the programs of scripts/packages (@fetch, @image); CLAIM is a PersistentVolumeClaim that all nodes can
# write, with the cache, the list and DEST in it.  The pods are privileged, as each runs podman; the containers of the
# build inside them have no network and no capability, as on one machine.  Copy LIST to the claim as "list" first, then:
#
#	cluster/kubernetes/job.sh LIST IMAGE CLAIM | kubectl apply -f -
#
# and run make collect LIST=list DEST=dest where the claim is mounted.

# shellcheck source=cluster/lib.sh
. "$(dirname "$0")/../lib.sh"
[[ $# -eq 3 ]] || die "usage: job.sh LIST IMAGE CLAIM"
require_list "$1"
count=$(list_size "$1")
jq --null-input --argjson count "$count" --arg image "$2" --arg claim "$3" '{
	apiVersion: "batch/v1", kind: "Job", metadata: {name: "wgkmod"},
	spec: {
		completionMode: "Indexed", completions: $count, parallelism: ([$count, 10] | min), backoffLimitPerIndex: 2,
		maxFailedIndexes: $count,
		template: {spec: {
			restartPolicy: "Never",
			containers: [{
				name: "build", image: $image, workingDir: "/wgkmod",
				command: ["bash", "-euc", "exec make one LIST=/shared/list INDEX=$((JOB_COMPLETION_INDEX + 1)) DEST=/shared/dest"],
				env: [{name: "CACHE", value: "/shared/cache"}, {name: "OUT", value: "/out"}],
				resources: {requests: {cpu: "2", memory: "2Gi"}},
				securityContext: {privileged: true},
				volumeMounts: [{name: "shared", mountPath: "/shared"}, {name: "out", mountPath: "/out"},
					{name: "images", mountPath: "/var/lib/containers"}]
			}],
			volumes: [{name: "shared", persistentVolumeClaim: {claimName: $claim}},
				{name: "out", emptyDir: {}}, {name: "images", emptyDir: {}}]
		}}
	}
}'
