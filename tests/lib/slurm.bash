# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A real Slurm on this machine, for one test file.  Load after helpers and servers; call slurm_stop in teardown_file.

# slurm_start: Start munge and a Slurm of one node with all processors of this machine.
slurm_start() {
	local dir=$BATS_FILE_TMPDIR/slurm
	mkdir -p "$dir/state" "$dir/spool"
	chmod 755 "$BATS_FILE_TMPDIR" "$dir"
	free_ports 27000
	dd if=/dev/urandom of="$dir/munge.key" bs=128 count=1 status=none
	chmod 400 "$dir/munge.key"
	munged --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
		--log-file="$dir/munged.log" --seed-file="$dir/munge.seed" 3>&-
	export SLURM_CONF=$dir/slurm.conf
	cat >"$SLURM_CONF" <<-EOF
		ClusterName=wgkmod
		SlurmctldHost=$(hostname -s)(127.0.0.1)
		SlurmctldPort=$PORT
		SlurmdPort=$((PORT + 1))
		SlurmUser=root
		AuthType=auth/munge
		AuthInfo=socket=$dir/munge.socket
		MpiDefault=none
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		ReturnToService=2
		MaxArraySize=1001
		SchedulerParameters=batch_sched_delay=1,sched_interval=2
		SelectType=select/cons_tres
		SelectTypeParameters=CR_CPU
		StateSaveLocation=$dir/state
		SlurmdSpoolDir=$dir/spool
		SlurmctldPidFile=$dir/slurmctld.pid
		SlurmdPidFile=$dir/slurmd.pid
		SlurmctldLogFile=$dir/slurmctld.log
		SlurmdLogFile=$dir/slurmd.log
		NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$(nproc) CoresPerSocket=$(nproc) State=UNKNOWN
		PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
	EOF
	slurmctld 3>&-
	slurmd 3>&-
	wait_until 60 bash -c '[[ -n $(sinfo --noheader --states=idle --format=%N) ]]'
}

# slurm_stop: End what slurm_start started.
slurm_stop() {
	local pid id
	for pid in "$BATS_FILE_TMPDIR"/slurm/*.pid; do
		[[ -f $pid ]] || continue
		id=$(cat "$pid")
		kill "$id"
		wait_until 30 eval "! kill -0 $id 2>/dev/null"
	done
}

# array_job LIST DEST: Submit the array job, kill its first task while that compiles, and wait for the end of all.  Set
# output to what submit.sh printed.
# shellcheck disable=SC2034 # for the caller
array_job() {
	local job pid said=$BATS_TEST_TMPDIR/said out=$BATS_TEST_TMPDIR/out
	OUT=$out "$ROOT_DIR/cluster/slurm/submit.sh" "$1" "$2" >"$said" 2>&1 3>&- &
	pid=$!
	wait_until 300 grep -qs 'run (sealed)' "$out/log/$(head -n 1 "$1")-build.log"
	job=$(squeue --noheader --array --states=RUNNING --format=%i | head -n 1)
	run_cmd 0 scontrol requeue "$job"
	wait_until 60 scontrol update JobId="$job" StartTime=now # else Slurm waits two minutes
	wait "$pid" || { cat "$said" "$2"/log/*; fail "submit.sh ended with $?"; }
	output=$(cat "$said")
}

# assert_equal_to_alone DIR: Fail unless DIR has the bits of the builds in ALONE.
assert_equal_to_alone() {
	local sums
	for sums in "$ALONE"/*/SHA256SUMS; do
		cmp "$sums" "$1/$(basename "${sums%/*}")/SHA256SUMS"
	done
}
