#!/usr/bin/env bash
# First measurements on a machine with a GPU (docs/gpu.md): bench/gpu.sh [cmake arguments]
# For a machine without compiler, MPI and HDF5: bench/gpu.sh --bundle DIR, see gpu_bundle.sh.
# Builds preset cuda, compares bytes with the CPU engine, runs compute-sanitizer, measures rates by streams and ranks.
# Results: _work/gpu/. Ends with 77 where there is no GPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ "${1:-}" == --bundle ]]; then exec bench/gpu_bundle.sh "${@:2}"; fi
export PATH="$PATH:${CUDA_HOME:-/usr/local/cuda}/bin"
command -v nvcc >/dev/null || { echo "no nvcc: nothing to measure"; exit 77; }
nvidia-smi -L 2>/dev/null || { echo "no GPU: nothing to measure"; exit 77; }

cmake --preset cuda "$@" >/dev/null
cmake --build --preset cuda >/dev/null
build=$PWD/build-cuda program=$PWD/build-cuda/mpixcorr out=$PWD/_work/gpu
mkdir -p "$out"
cd "$out"
if [[ "$(id -u)" == 0 ]]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
{ nvidia-smi --query-gpu=name,uuid,memory.total,driver_version,pcie.link.gen.max --format=csv; "$program" --version; } |
  tee machine.txt

rate() { # REPORT.json: what matters of it in a line
  python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); c = r["counters"]
print("%-28s %9.1f pairs/s  %.2f candidates/pair, second tier %d, on the CPU %d; stages %s" % (sys.argv[1][:-5],
  r["pairs_per_s"], c["candidates_per_pair"], c["second_tier"], c["cpu_fallback"],
  {k: round(v, 2) for k, v in c["stages_s"].items()}))' "$1"
}
run() { # NAME RANKS INPUT options: runs and tells the rate
  local name=$1 ranks=$2 input=$3
  shift 3
  mpirun -n "$ranks" --bind-to none "$program" run "$input" "$name.h5" --overwrite --progress none \
    --report "$name.json" "$@" >"$name.txt" || { cat "$name.txt"; exit 1; }
  rate "$name.json"
}

echo "== bytes: the GPU's against the CPU's"
for preset in stitch2d align3d sweep; do
  [[ -f $preset.h5 ]] || "$program" generate $preset.h5 --preset $preset >/dev/null
  run ${preset}_gpu 1 $preset.h5 --device gpu --quality
  run ${preset}_cpu 1 $preset.h5 --device cpu --quality
  "$program" compare ${preset}_gpu.h5 ${preset}_cpu.h5 --peak-tolerance 0
done
(cd "$build" && for behaviour in properties numbers search arrays fuzz large; do
  "tests/test_conformance_$behaviour" gpu | tail -2
done)

echo "== rates by streams"
for streams in 1 2 3 4 8; do run streams_$streams 1 align3d.h5 --device gpu --streams $streams; done

echo "== rates by ranks on one GPU (with MPS if it is running)"
for ranks in 1 2 4; do run ranks_$ranks "$ranks" stitch2d.h5 --device gpu --gpus 1; done

if command -v nsys >/dev/null; then
  echo "== where the time goes"
  nsys profile --force-overwrite true -o align3d "$program" run align3d.h5 profiled.h5 --overwrite --device gpu \
    --progress none >/dev/null
  nsys stats --report cuda_gpu_kern_sum,cuda_gpu_mem_time_sum align3d.nsys-rep | tee kernels.txt
fi

if command -v compute-sanitizer >/dev/null; then
  echo "== compute-sanitizer"
  for tool in memcheck racecheck initcheck synccheck; do
    compute-sanitizer --tool $tool --error-exitcode 9 "$build/tests/test_conformance_properties" gpu >sanitizer_$tool.txt ||
      { tail -20 sanitizer_$tool.txt; exit 1; }
    tail -1 sanitizer_$tool.txt
  done
fi
