#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: task.sh LIST DEST
#
# One task of the array job that submit.sh makes.  Slurm runs a copy of this file, in the clone.

set -euo pipefail
exec make --no-print-directory one LIST="$1" INDEX="$SLURM_ARRAY_TASK_ID" DEST="$2"
