#!/usr/bin/env bash
# The build with CUDA, where nvcc is installed (no GPU needed): tests/checks/check_cuda.sh [cmake arguments]
# Preset cuda compiles and links; no kernel spills registers (the compiler's report: build-cuda/ptxas.txt); the program
# needs no driver to start, computes with --device cpu and auto, and refuses --device gpu without a usable GPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PATH="$PATH:${CUDA_HOME:-/usr/local/cuda}/bin"
command -v nvcc >/dev/null || { echo "skipped: no nvcc"; exit 77; }
fail() { echo "FAILED: $*" >&2; exit 1; }

build=build-cuda report=build-cuda/ptxas.txt
cmake --preset cuda -DMPIXCORR_WERROR=ON "$@" | grep -A20 '^-- mpixcorr'
rm -f $build/gpu/CMakeFiles/ncc_gpu.dir/*.cu.o # the report comes with compiling
cmake --build --preset cuda --target mpixcorr >$build/build.txt || { tail -40 $build/build.txt; fail "does not build"; }
grep -A3 'Compiling entry function' $build/build.txt |
  awk -F"'" '/Compiling/ {name = $2 " " $4} /stack frame/ {frame = $0} /Used/ {print name ":" frame "; " $0}' |
  sed -E 's/ptxas info +: //; s/ +/ /g' | sort >$report
cat $report
kernels=$(cat gpu/*.cu | grep -c '^__global__')
mapfile -t archs < <(cut -d" " -f2 $report | cut -d: -f1 | sort -u)
for arch in "${archs[@]}"; do
  [[ $(grep -c " $arch:" $report) -eq $kernels ]] || fail "the report on $arch has not all $kernels kernels"
done
[[ -s $report ]] || fail "no report of the compiler"
if grep -vE ' 0 bytes spill stores, 0 bytes spill loads' $report; then fail "registers are spilled"; fi

program=$PWD/$build/mpixcorr
if ldd "$program" | grep -q 'libcuda\.so'; then fail "the program needs the driver's library to start"; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$program" --version | tee version.txt
grep -q 'CUDA .*has not yet run on hardware' version.txt || fail "--version does not say that no hardware has run it"
"$program" generate in.h5 --preset tiny >/dev/null
export CUDA_VISIBLE_DEVICES=-1 # also where there is a GPU
for device in cpu auto; do
  "$program" run in.h5 $device.h5 --device $device >$device.txt || fail "--device $device"
  "$program" compare $device.h5 in.h5 >/dev/null || fail "--device $device: not the known answers"
  grep -q 'engine cpu' $device.txt || fail "--device $device: the header names another engine"
done
code=0
"$program" run in.h5 gpu.h5 --device gpu >/dev/null 2>refused.txt || code=$?
cat refused.txt
[[ $code -eq 5 && $(wc -l <refused.txt) -eq 1 ]] || fail "--device gpu: exit $code, expected 5 and one line"
if compgen -G 'gpu.h5*' >/dev/null; then fail "--device gpu left an output"; fi
echo "ok: $(wc -l <"$OLDPWD/$report") kernels compiled, none spills; no hardware has run them"
