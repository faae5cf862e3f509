#!/usr/bin/env bash
# A folder to take to a machine with a GPU and little else: bench/gpu.sh --bundle DIR [--stand-in]
# Built without MPI and HDF5, for sm_90 and with line information; FFTW's libraries come along, cuFFT is the machine's.
# --stand-in: on the tests' stand-in for CUDA, to rehearse. There: DIR/run.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bundle=$(realpath -m "$1")
options=(-DMPIXCORR_CUDA=on -DCMAKE_CUDA_ARCHITECTURES="${CUDA_ARCHITECTURES:-90}" -DCMAKE_CUDA_FLAGS=-lineinfo)
[[ "${2:-}" == --stand-in ]] && options=(-DMPIXCORR_CUDA=host)
build=$bundle.build
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DMPIXCORR_LIBRARY_ONLY=ON -DMPIXCORR_BENCH=ON \
  -DCMAKE_DISABLE_FIND_PACKAGE_MPI=ON -DCMAKE_DISABLE_FIND_PACKAGE_HDF5=ON "${options[@]}" >/dev/null
cmake --build "$build" --target gpu_bundle >/dev/null
rm -rf "$bundle"
mkdir -p "$bundle/bin" "$bundle/lib"
cp "$build"/mpixcorr-selftest "$build"/bench/{bench_gpu,cufft_probe,test_kernels,test_conformance_*} "$bundle/bin/"
for library in $(ldd "$bundle"/bin/* | awk '/libfftw/ {print $3}' | sort -u); do cp -L "$library" "$bundle/lib/"; done
cp bench/gpu_bundle_run.sh "$bundle/run.sh"
bytes=$(du -sb "$bundle" | cut -f1)
echo "$bundle: $((bytes / 1000000)) MB; on the machine: $(basename "$bundle")/run.sh"
[[ $bytes -lt 60000000 ]] || { echo "more than 60 MB" >&2; exit 1; }
