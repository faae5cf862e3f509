#!/usr/bin/env bash
# A SLURM of our own on this machine: controller, two nodes of two cores (n1, n2), munge; nothing outside its folder.
#
#   slurm.sh up FOLDER     starts it; exit 77, with the reason, where something is missing. Then for its commands:
#                          export SLURM_CONF=FOLDER/slurm.conf
#   slurm.sh down FOLDER   ends it, and says (exit 1) what processes its jobs left behind
#
# Each node pretends to have two GPUs, of which programs see CUDA_VISIBLE_DEVICES.
set -euo pipefail

verb=$1
folder=$(realpath "$2")
# Debian has the daemons where only root's PATH looks.
PATH=$PATH:/usr/sbin:/sbin

missing() { echo "skipped: $1"; exit 77; }

# Three ports that nobody listens on, below those that systems give to connections; `up` tries others should it fail.
free_ports() {
  python3 -c '
import random, socket
held = []
while len(held) < 3:
    try:
        s = socket.socket()
        s.bind(("127.0.0.1", random.randrange(10000, 32000)))
        held.append(s)
    except OSError:
        pass
print(*(s.getsockname()[1] for s in held))'
}

configure() {
  local host gpus='' memory ports
  read -ra ports < <(free_ports)
  host=$(hostname -s)
  memory=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 2048))
  mkdir -p "$folder"/{state,spool,log,run,tmp/n1,tmp/n2}
  if mknod "$folder/gpu0" c 1 3 2>/dev/null && mknod "$folder/gpu1" c 1 3; then
    gpus="Gres=gpu:pretended:2"
    echo "Name=gpu Type=pretended File=$folder/gpu[0-1] Flags=nvidia_gpu_env" >"$folder/gres.conf"
  fi
  cat >"$folder/slurm.conf" <<EOT
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
# A requeued job waits for as long as its old credentials live; less than 5 s is taken for nothing at all.
AuthInfo=socket=$folder/run/munge.sock,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
TmpFS=$folder/tmp/%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
SlurmctldPort=${ports[0]}
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=100000
MinJobAge=600
KillWait=3
JobRequeue=1
${gpus:+GresTypes=gpu}
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[1]} CPUs=2 RealMemory=$memory $gpus State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[2]} CPUs=2 RealMemory=$memory $gpus State=UNKNOWN
PartitionName=p Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
EOT
}

start() {
  (umask 077 && head -c 128 /dev/urandom >"$folder/munge.key")
  chmod 755 "$folder"
  munged --force --key-file="$folder/munge.key" --socket="$folder/run/munge.sock" \
    --pid-file="$folder/run/munged.pid" --log-file="$folder/log/munged.log" --seed-file="$folder/run/munged.seed" || return 1
  slurmctld -c -f "$folder/slurm.conf" || return 1
  for node in n1 n2; do slurmd -N "$node" -f "$folder/slurm.conf" || return 1; done
  for _ in {1..200}; do
    if [[ "$(sinfo --noheader --format %D/%t 2>/dev/null)" == 2/idle ]]; then return; fi
    sleep 0.1
  done
  echo "slurm.sh: the nodes do not come up" >&2
  tail -n 5 "$folder"/log/*.log >&2
  return 1
}

# What SLURM started, wherever it went since: all such processes have this configuration in their environment.
our_jobs() {
  local environment
  while read -r environment; do
    ! grep -qz '^SLURM_JOB_ID=' "$environment" 2>/dev/null || basename "$(dirname "$environment")"
  done < <(grep -lzx "SLURM_CONF=$folder/slurm.conf" /proc/[0-9]*/environ 2>/dev/null)
}

down() {
  local pid pids code=0 left
  scancel --user "$(id -un)" 2>/dev/null || true
  for _ in {1..100}; do
    left=$(our_jobs)
    [[ -n "$left" ]] || break
    sleep 0.1
  done
  if [[ -n "$left" ]]; then
    echo "left behind by jobs:" >&2
    # shellcheck disable=SC2086  # one word a process
    ps -o pid=,args= -p $left >&2 || true
    # shellcheck disable=SC2086
    kill -KILL $left 2>/dev/null || true
    code=1
  fi
  # They remove their files as they end; the numbers are taken first.
  pids=$(cat "$folder"/run/slurm*.pid 2>/dev/null) || true
  # shellcheck disable=SC2086
  kill -TERM $pids "$(cat "$folder/run/munged.pid" 2>/dev/null)" 2>/dev/null || true
  for pid in $pids; do
    for _ in {1..50}; do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
  done
  return $code
}

export SLURM_CONF=$folder/slurm.conf
case $verb in
  up)
    for program in munged slurmctld slurmd sbatch srun; do
      command -v "$program" >/dev/null || missing "no $program (Debian: slurmctld slurmd slurm-client munge)"
    done
    [[ "$(id -u)" == 0 ]] || missing "slurmd needs root"
    getent hosts "$(hostname -s)" >/dev/null || missing "SLURM finds no address of this machine's name, $(hostname -s)"
    for try in 1 2 3; do
      configure
      if start; then exit 0; fi
      echo "slurm.sh: attempt $try failed" >&2
      down
    done
    exit 1
    ;;
  down) down ;;
  *) echo "slurm.sh: unknown verb '$verb'" >&2; exit 2 ;;
esac
