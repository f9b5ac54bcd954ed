#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: submit.sh LIST DEST [SBATCH-OPTION...]
#
# Build the targets of LIST on a Slurm cluster: one array task a target (cluster/one.sh), then collect them.  This
# clone, LIST, DEST and CACHE must be seen under the same paths on every node; OUT must be a directory of the node's own
# disk, and podman must work there.  A task that is killed, or whose node fails, is queued again.

# shellcheck source=cluster/lib.sh
. "$(dirname "$0")/../lib.sh"
[[ $# -ge 2 ]] || die "usage: submit.sh LIST DEST [SBATCH-OPTION...]"
list=$(realpath -- "$1") dest=$(realpath -m -- "$2")
require_list "$list"
own_dir "$dest" "$dest/log"
export OUT CACHE
status=0
sbatch --wait --requeue --array="1-$(list_size "$list")" --job-name=wgkmod --chdir="$TOP" --open-mode=append \
	--output="$dest/log/%a.log" "${@:3}" "$TOP/cluster/slurm/task.sh" "$list" "$dest" || status=$?
[[ $status -eq 0 ]] || say slurm "a task failed; the logs are in $dest/log, by the line of the list" >&2
"$TOP/cluster/collect.sh" "$list" "$dest"
[[ $status -eq 0 ]]
