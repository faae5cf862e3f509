#!/usr/bin/env bash
# Kills runs at random moments, resumes them on random numbers of ranks to the end, and compares every byte of the
# results with those of an undisturbed run: tests/program/faults/soak.sh [KILLS [SEED [IMAGES]]]
# Two of three kills are SIGKILLs of one rank, of mpirun, or of all, at a random moment from the start on; the third
# happens in rank 0 at a random system call of those that create, write, sync, rename and close the output. 200 kills take
# about 8 minutes on two cores.
set -euo pipefail
kills=${1:-200}
RANDOM=${2:-1}
images=${3:-30}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export MPIXCORR=${MPIXCORR:-$here/../../../build/mpixcorr} MPIEXEC=${MPIEXEC:-$here/../../common/bin/mpirun}
shim=${FAULT_SHIM:-$here/../../../build/tests/libfault_shim.so}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export NCC_SESSIONS=$folder XDG_CACHE_HOME=$folder

datasets() { # FILE: every dataset's bytes, as one digest
  for name in pairs coords offsets peaks overlap status; do
    h5dump -b LE -o bytes -d "/$name" "$1" >/dev/null && cat bytes
  done | sha256sum
}

ranks_left() { # whether any rank runs in this folder, also one that its launcher had only just started
  local pid
  for pid in $(pgrep -x mpixcorr); do
    [[ $(readlink "/proc/$pid/cwd") != "$folder" ]] || return 0
  done
  return 1
}

"$MPIXCORR" generate in.h5 --preset stitch2d --images "$images" >/dev/null
"$MPIXCORR" run in.h5 reference.h5 --progress none --threads 1 >/dev/null
expected=$(datasets reference.h5)
started_ms=$(date +%s%3N)
"$MPIEXEC" -n 2 "$MPIXCORR" run in.h5 out.h5 --progress none --threads 1 >/dev/null
run_ms=$(($(date +%s%3N) - started_ms))
rm out.h5

done_kills=0 at_calls=0 without_part=0 complete=0 too_late=0 finished=0
calls=(pwrite pwrite fsync fdatasync rename renamed close)
while ((done_kills < kills)); do
  ranks=$((RANDOM % 4 + 1))
  options=(--resume --progress none --threads $((RANDOM % 2 + 1)))
  ((RANDOM % 2)) && options+=(--read all)
  ((RANDOM % 3)) || options+=(--no-group)
  preload=()
  if ((RANDOM % 3 == 0)); then # rank 0 kills itself, if it makes so many such calls
    preload=(env LD_PRELOAD="$shim" FAULT_COMMAND=--progress FAULT_PATH=out.h5 FAULT_RANK=0 FAULT_ACTION=kill
      FAULT_CALL="${calls[RANDOM % ${#calls[@]}]}" FAULT_AT=$((RANDOM % 6 * (RANDOM % 6) + 1)))
  fi
  setsid "$MPIEXEC" -n "$ranks" "${preload[@]}" "$MPIXCORR" run in.h5 out.h5 "${options[@]}" >log 2>&1 &
  launcher=$!
  pids=()
  if [[ ${#preload[@]} -eq 0 ]]; then
    delay_ms=$((RANDOM % run_ms))
    sleep "$((delay_ms / 1000)).$(printf %03d $((delay_ms % 1000)))"
    mapfile -t pids < <(pgrep -P "$launcher" -x mpixcorr || true)
    if kill -0 "$launcher" 2>/dev/null; then
      case $((RANDOM % 3)) in
        0) kill -9 "${pids[RANDOM % (${#pids[@]} > 0 ? ${#pids[@]} : 1)]:-$launcher}" 2>/dev/null || true ;;
        1) kill -9 "$launcher" 2>/dev/null || true ;;
        2) kill -9 "$launcher" "${pids[@]}" 2>/dev/null || true ;;
      esac
    fi
  fi
  code=0
  wait "$launcher" 2>/dev/null || code=$?
  for ((i = 0; i < 600; i++)); do # ranks left without their launcher end by themselves
    ranks_left || break
    sleep 0.1
  done
  if ((code == 0)); then
    too_late=$((too_late + 1))
  else
    grep -q '^mpixcorr: ' log && { cat log; echo "the run failed by itself"; exit 1; }
    done_kills=$((done_kills + 1))
    at_calls=$((at_calls + (${#preload[@]} > 0)))
    if [[ -e out.h5 ]]; then
      complete=$((complete + 1))
    elif [[ ! -e out.h5.part ]]; then
      without_part=$((without_part + 1))
    fi
  fi
  for file in out.h5.part out.h5; do # whatever is there is a whole HDF5 file
    [[ ! -e $file ]] || h5dump -d /status "$file" >/dev/null || { ls -l && echo "$file is damaged" && exit 1; }
  done
  if [[ -e out.h5 ]]; then
    "$MPIXCORR" info out.h5 --check >/dev/null
    [[ $(datasets out.h5) == "$expected" ]] || { echo "results differ after $done_kills kills"; exit 1; }
    finished=$((finished + 1))
    rm -f out.h5 out.h5.part.lock
  fi
done
"$MPIXCORR" run in.h5 out.h5 --resume --progress none >/dev/null
[[ $(datasets out.h5) == "$expected" ]] || { echo "results differ at the end"; exit 1; }
echo "$done_kills kills ($at_calls at a call of the output, $without_part before there was a part, $complete after the" \
  "last rename), $too_late came too late, $((finished + 1)) runs resumed to their end: the same bytes each time"
