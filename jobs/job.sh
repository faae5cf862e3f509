#!/usr/bin/env bash
# What every job script does, under SLURM and PBS: sourced by jobs/slurm/*.sbatch and jobs/pbs/*.pbs, after their
# settings. Runs mpixcorr with --resume, passes the batch system's warning on to it, reads the outcome from the output
# file (a launcher's exit code may say 0 when a node vanished), and has the job requeued where it can go on.
#
# Settings, all from the environment:
#   MPIXCORR_INPUT, MPIXCORR_OUTPUT     the files
#   MPIXCORR_OPTIONS                    more options of `mpixcorr run`, for example "--crop half --read all"
#   MPIXCORR_PROGRAM                    the program's words; default: mpixcorr where this file was built or installed,
#                                       else the one in PATH. "apptainer exec mpixcorr.sif mpixcorr" is possible
#   MPIXCORR_DEVICE                     --device; the GPU scripts say gpu
#   MPIXCORR_LAUNCHER                   mpirun (default) or srun, which needs PMIx on both sides
#   MPIXCORR_LAUNCHER_OPTIONS           in place of those for binding that are found here
#   MPIXCORR_RANKS, MPIXCORR_RANKS_PER_NODE, MPIXCORR_THREADS   what the batch system says, otherwise
#   MPIXCORR_MAX_REQUEUES               20; 0: never requeue, exit 75 instead, for tools that resubmit by themselves
#   MPIXCORR_WALLTIME_S                 PBS: seconds that the job may take, where qstat cannot tell
#   MPIXCORR_RESUBMIT                   PBS: the command that submits this job again, where qrerun is forbidden
#
# Exit codes: 0 complete; 75 stopped early or died, resumable (requeued where possible); else mpixcorr's own.
set -euo pipefail

say() { printf '%(%F %T)T job: %s\n' -1 "$*"; }

jobs_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

find_program() {
  local candidate
  for candidate in "$jobs_folder/../build/mpixcorr" "$jobs_folder/../../../bin/mpixcorr"; do
    if [[ -x "$candidate" ]]; then realpath "$candidate" && return; fi
  done
  echo mpixcorr
}

input=${MPIXCORR_INPUT:?the input file}
output=${MPIXCORR_OUTPUT:?the output file}
read -ra program <<<"${MPIXCORR_PROGRAM:-$(find_program)}"
read -ra options <<<"${MPIXCORR_OPTIONS:-}"
launcher=${MPIXCORR_LAUNCHER:-mpirun}

# ---- the batch system: who, how many, how long, how often ------------------------------------------------------------

if [[ -n "${SLURM_JOB_ID:-}" ]]; then
  batch=SLURM job=$SLURM_JOB_ID
  # The last task of an array has the array's own number, which stands for all tasks: never use that.
  [[ -z "${SLURM_ARRAY_JOB_ID:-}" ]] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
  times_requeued=${SLURM_RESTART_COUNT:-0}
  nodes=${SLURM_JOB_NUM_NODES:-1}
  ranks=${MPIXCORR_RANKS:-${SLURM_NTASKS:-$nodes}}
  per_node=${MPIXCORR_RANKS_PER_NODE:-${SLURM_NTASKS_PER_NODE:-$(((ranks + nodes - 1) / nodes))}}
  threads=${MPIXCORR_THREADS:-${SLURM_CPUS_PER_TASK:-}}
  if [[ -z "${SLURM_JOB_END_TIME:-}" ]]; then # SLURM before 23.02 does not tell, but knows
    if end=$(squeue --noheader --job "$job" --format %e 2>/dev/null) && end=$(date --date "$end" +%s 2>/dev/null); then
      export SLURM_JOB_END_TIME=$end
    fi
  fi
elif [[ -n "${PBS_JOBID:-}" ]]; then
  batch=PBS job=$PBS_JOBID times_requeued=${MPIXCORR_TIMES_REQUEUED:-0}
  cd "${PBS_O_WORKDIR:-.}"
  nodes=$(sort -u "$PBS_NODEFILE" | wc -l)
  ranks=${MPIXCORR_RANKS:-$(wc -l <"$PBS_NODEFILE")} # a line a rank: select=...:mpiprocs=...
  per_node=${MPIXCORR_RANKS_PER_NODE:-$(((ranks + nodes - 1) / nodes))}
  threads=${MPIXCORR_THREADS:-${OMP_NUM_THREADS:-}} # PBS sets it from ompthreads
  if [[ -z "${PBS_WALLTIME:-}" ]]; then # OpenPBS tells those who ask only
    limit=$(qstat -f "$job" 2>/dev/null | sed -n 's/^ *Resource_List.walltime = //p') || limit=
    if [[ "$limit" =~ ^([0-9]+):([0-9]+):([0-9]+)$ ]]; then
      limit=$((10#${BASH_REMATCH[1]} * 3600 + 10#${BASH_REMATCH[2]} * 60 + 10#${BASH_REMATCH[3]}))
    else
      limit=${MPIXCORR_WALLTIME_S:-}
    fi
    [[ -z "$limit" ]] || export PBS_WALLTIME=$limit # as Torque calls it; mpixcorr reads it
  fi
else
  batch=none job=$$ times_requeued=0 nodes=1
  ranks=${MPIXCORR_RANKS:-1}
  per_node=$ranks
  threads=${MPIXCORR_THREADS:-}
fi

requeue() {
  if ((times_requeued >= ${MPIXCORR_MAX_REQUEUES:-20})); then
    say "not requeued, after $times_requeued times: submit it again to go on"
    return
  fi
  case $batch in
    SLURM)
      say "requeued, unless SLURM refuses" # said first, as SLURM may end this script before scontrol returns
      scontrol requeue "$job" || say "SLURM refuses to requeue: submit it again to go on"
      ;;
    PBS)
      # Most sites keep qrerun for operators; then the job submits its successor.
      if qrerun "$job" 2>/dev/null; then
        say "requeued"
      elif [[ -n "${MPIXCORR_RESUBMIT:-}" ]] && MPIXCORR_TIMES_REQUEUED=$((times_requeued + 1)) bash -c "$MPIXCORR_RESUBMIT"; then
        say "submitted again"
      else
        say "PBS refuses qrerun, and MPIXCORR_RESUBMIT did not help: submit it again to go on"
      fi
      ;;
    *) say "no batch system: start it again to go on" ;;
  esac
}

# ---- the launcher ----------------------------------------------------------------------------------------------------

# Where each rank of a node gets a socket or NUMA domain of its own: socket, numa; else none, and mpixcorr shares cores.
domain() {
  local kind
  for kind in SOCKET NODE; do
    if ((per_node > 1)) && [[ "$(lscpu --parse=$kind 2>/dev/null | grep -v '^#' | sort -u | wc -l)" == "$per_node" ]]; then
      if [[ $kind == SOCKET ]]; then echo socket; else echo numa; fi
      return
    fi
  done
  echo none
}

launch=()
read -ra launcher_options <<<"${MPIXCORR_LAUNCHER_OPTIONS:-}"
find_launch() {
  local kind
  case $launcher in
    srun)
      launch=(srun "--ntasks=$ranks" --mpi=pmix --kill-on-bad-exit=1)
      if [[ ${#launcher_options[@]} -gt 0 ]]; then
        launch+=("${launcher_options[@]}")
      else
        launch+=(--cpu-bind=cores ${SLURM_CPUS_PER_TASK:+"--cpus-per-task=$SLURM_CPUS_PER_TASK"})
      fi
      ;;
    mpirun)
      kind=$(domain)
      launch=(mpirun -n "$ranks")
      if mpirun --version 2>/dev/null | grep -qi 'open.\?mpi\|openrte'; then
        [[ $batch != PBS ]] || launch+=(--hostfile "$PBS_NODEFILE")
        if [[ ${#launcher_options[@]} -gt 0 ]]; then
          launch+=("${launcher_options[@]}")
        elif [[ $kind == none ]]; then
          launch+=(--map-by "ppr:$per_node:node" --bind-to none)
        else
          launch+=(--map-by "ppr:1:$kind" --bind-to "$kind")
        fi
      else # MPICH's and Intel's, which ask SLURM and PBS for hosts by themselves
        launch+=(-ppn "$per_node" "${launcher_options[@]}")
      fi
      ;;
    *)
      say "MPIXCORR_LAUNCHER is '$launcher'; expected mpirun or srun"
      exit 2
      ;;
  esac
}

# A cut cable is noticed within about two minutes by Open MPI 4 on both of its ends, not within eight.
export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time:-60}
export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl:-15}
export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes:-3}

# ---- run, and judge by the output file -------------------------------------------------------------------------------

is_complete() { "${program[@]}" info --check "$output"; }

came='' came_since_wait=''
# Whatever the batch system sends, mpixcorr is asked to stop by USR1, which launchers pass on as it is.
# shellcheck disable=SC2317  # the traps below call it
on_signal() {
  came=${came:-$1} came_since_wait=1
  say "got $1: asking mpixcorr to stop"
  kill -USR1 "$child" 2>/dev/null || true
}

# Like all else here it leaves the exit code in `code`. A trap runs only while the shell waits, and ends the waiting.
run_and_wait() {
  code=0
  "$@" &
  child=$!
  for signal in USR1 USR2 TERM INT; do
    # shellcheck disable=SC2064  # which signal is known now
    trap "on_signal $signal" "$signal"
  done
  while :; do
    came_since_wait=''
    wait "$child" && code=0 || code=$?
    [[ -n "$came_since_wait" ]] || break
  done
  trap - USR1 USR2 TERM INT
}

say "$batch job $job on $(hostname), $nodes nodes, $ranks ranks, $per_node a node; requeued $times_requeued times"
if [[ -e "$output" ]] && is_complete; then
  say "nothing to do"
  exit 0
fi
find_launch
command=("${launch[@]}" "${program[@]}" run "$input" "$output" --resume ${threads:+--threads "$threads"}
  ${MPIXCORR_DEVICE:+--device "$MPIXCORR_DEVICE"} --report "${output%.h5}.report.json" --progress log "${options[@]}")
"${program[@]}" --version | head -n 1
[[ -z "${CUDA_VISIBLE_DEVICES:-}" ]] || say "CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES"
printf -v words '%q ' "${command[@]}"
say "\$ $words"
run_and_wait "${command[@]}"
say "the launcher returned $code"

if [[ -e "$output" ]] && is_complete; then
  [[ "$code" != 6 ]] || say "some pairs have no result: see '${program[*]} table $output'"
  exit 0
fi
case $code in
  2 | 3 | 4 | 5) # usage, input, output, device: would be so again
    say "failed, and would fail again"
    exit "$code"
    ;;
esac
if [[ ! -e "$output.part" && $code != 75 ]]; then
  say "failed before any result"
  exit "$((code == 0 ? 1 : code))"
fi
if [[ $came == TERM || $came == INT ]]; then # cancelled, or preempted, and then SLURM itself requeues
  say "stopped from outside; submitted again it goes on from $output.part"
else
  say "not complete: it goes on from $output.part"
  requeue
fi
exit 75
