#!/bin/sh
# Ten minutes on a machine with a GPU:
#   run.sh [--seconds N] [--presets "stitch2d align3d sweep"] [--behaviours "proposals ..."] [--patience P]
# Needs a driver and cuFFT; no MPI, HDF5, FFTW, compiler or network. Every step has a time limit, and what fails or runs out
# of time does not keep the next from running. Results, eight small files: results/*.txt, of which summary.txt is to be read
# first. --seconds (600) shares the time out; --patience multiplies the limits alone, for machines that are slow.
cd "$(dirname "$0")" || exit 1
seconds=600 presets="stitch2d align3d sweep" patience=1
behaviours="proposals numbers arrays search peaks properties fuzz large"
while [ $# -gt 1 ]; do
  case $1 in
    --seconds) seconds=$2 ;;
    --presets) presets=$2 ;;
    --behaviours) behaviours=$2 ;;
    --patience) patience=$2 ;;
    *) echo "run.sh: $1 is not known" >&2; exit 2 ;;
  esac
  shift 2
done
LD_LIBRARY_PATH=$PWD/lib:${CUDA_HOME:-/usr/local/cuda}/lib64:$LD_LIBRARY_PATH
PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin
export LD_LIBRARY_PATH PATH
mkdir -p results && rm -f results/*.txt
: >results/summary.txt

part() { # PARTS OF 600: seconds of them, one at least
  part_s=$((($1 * seconds + 599) / 600))
  [ "$part_s" -ge 1 ] || part_s=1
}
step() { # FILE PARTS NAME COMMAND...
  file=results/$1.txt name=$3 code=0
  part "$2"
  shift 3
  echo "== $name" >>"$file"
  began=$(date +%s)
  timeout -k 5 $((part_s * patience)) "$@" >>"$file" 2>&1 || code=$?
  case $code in
    0) how=ok ;;
    77) how=skipped ;;
    124 | 137) how="out of time" ;;
    *) how="FAILED with $code" ;;
  esac
  echo "$name: $how, $(($(date +%s) - began)) s of $((part_s * patience))" | tee -a results/summary.txt
}
have() { # PROGRAM
  command -v "$1" >/dev/null 2>&1 && return 0
  echo "$1: not on this machine" | tee -a results/summary.txt
  return 1
}

step machine 10 "this build" bin/mpixcorr-selftest --device cpu --seconds 0
if have nvidia-smi; then
  step machine 10 "the GPU" nvidia-smi --query-gpu=name,uuid,memory.total,driver_version,pcie.link.gen.max,clocks.max.sm \
    --format=csv
fi

# Are the bytes right? Kernels and what the engine proposes come first: the judge would set right what is wrong.
step bytes 10 "the kernels" bin/test_kernels gpu
for behaviour in $behaviours; do
  step bytes 20 "conformance: $behaviour" "bin/test_conformance_$behaviour" gpu
done
step selftest 60 "the digest" bin/mpixcorr-selftest --device gpu --seconds 0

# How fast? Matchers first, as they are what the rates rest on most.
part 4
for preset in $presets; do
  for matchers in 1 4 8; do
    step rates 12 "rate: $preset, $matchers matchers" bin/bench_gpu --preset "$preset" --matchers $matchers \
      --streams 2 --seconds "$part_s"
  done
done
for streams in 1 4; do
  step rates 12 "rate: ${presets%% *}, $streams streams" bin/bench_gpu --preset "${presets%% *}" --matchers 4 \
    --streams $streams --seconds "$part_s"
done
part 30
step cufft 45 "cuFFT by lengths" bin/cufft_probe "$part_s" "${PROBE_MIB:-256}"

if have ncu; then
  step ncu 75 "profile" ncu --clock-control none --launch-skip 60 --launch-count 24 --section SpeedOfLight \
    --section Occupancy --section MemoryWorkloadAnalysis bin/bench_gpu --preset "${presets%% *}" --pairs 20
fi
if have compute-sanitizer; then
  for tool in memcheck racecheck synccheck initcheck; do
    step sanitizer 50 "$tool" compute-sanitizer --tool $tool --error-exitcode 9 bin/test_conformance_proposals gpu
  done
fi
echo "the end" | tee -a results/summary.txt
