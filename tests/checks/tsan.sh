#!/usr/bin/env bash
# Runs on 1 and 2 ranks of 2 threads each, rank 0 or all reading, grouped or not, stopped and resumed, and four matchers on
# one device of the stand-in for CUDA, under ThreadSanitizer: no race of ours, no locks taken in two orders. $MPIXCORR is a
# build with -DMPIXCORR_SANITIZE=thread -DMPIXCORR_CUDA=host. Open MPI and HDF5 are not instrumented; what is reported of
# them is in tsan.supp.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export MPIXCORR=${MPIXCORR:-$here/../../build-tsan/mpixcorr} MPIEXEC=${MPIEXEC:-$here/../common/bin/mpirun}
MPIXCORR=$(realpath "$MPIXCORR")
nm -D "$MPIXCORR" | grep __tsan_init >/dev/null || { echo "$MPIXCORR is not built with -DMPIXCORR_SANITIZE=thread"; exit 1; }
export MPIXCORR_SYNC_S=0.02 # so that results are written while others are computed

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export NCC_SESSIONS=$folder XDG_CACHE_HOME=$folder TSAN_OPTIONS="suppressions=$here/tsan.supp exitcode=99 log_path=$folder/tsan"
"$MPIXCORR" generate few.h5 --preset tiny --images 24 >/dev/null
"$MPIXCORR" generate many.h5 --preset tiny --images 50 --templates 10 >/dev/null

checked() { # EXIT CODE, RANKS, INPUT, OPTIONS
  local code=0 expected=$1 ranks=$2 input=$3
  shift 3
  "$MPIEXEC" -n "$ranks" "$MPIXCORR" run "$input" out.h5 --threads 2 --quality --progress none --device "$device" "$@" >log 2>&1 || code=$?
  if [[ $code -ne $expected ]] || compgen -G 'tsan.*' >/dev/null; then
    cat log
    head -60 tsan.* 2>/dev/null || true
    echo "$ranks ranks, $input $*: exit $code, expected $expected"
    exit 1
  fi
}

device=cpu
for ranks in 1 2; do
  for read in all root; do
    checked 0 "$ranks" many.h5 --overwrite --read "$read"
    checked 0 "$ranks" few.h5 --overwrite --read "$read"
    checked 0 "$ranks" few.h5 --overwrite --read "$read" --no-group
  done
  rm out.h5
  checked 75 "$ranks" many.h5 --time-limit 0.2
  checked 0 "$ranks" many.h5 --resume
done
device=gpu
"$MPIXCORR" generate images.h5 --preset tiny --images 8 --templates 2 >/dev/null
CUDA_HOST_COUNT=counts checked 0 1 images.h5 --overwrite --streams 4
# Several images were under way, so that there was something to see.
awk '{n[$1] = $2} END {exit !(n["under_way"] > 1.5 * n["computed"])}' counts || { cat counts; echo "one image at a time"; exit 1; }
# What one matcher meets, others may meet at the same time: a device that is lost, and too little memory.
CUDA_HOST_LOST=40 checked 0 1 images.h5 --overwrite --streams 4
CUDA_HOST_OOM=300000 checked 0 1 images.h5 --overwrite --streams 4
echo "no race"
