#!/usr/bin/env bash
# Benchmarks mpixcorr beside its peers on this machine: bench/run.sh [options of bench/bench.py; --help lists them]
# or, over many sizes with the pixels in memory: bench/run.sh matrix [options of bench/matrix.py]
# Builds the program with FFTW and with MKL in build-bench/ and build-bench-mkl/; the Python peers and MKL live in a
# virtual environment of their own in _work/bench/venv (MPIXCORR_BENCH_VENV: elsewhere). Results: _work/bench/. Either with
# --trial: does it work? On the smallest inputs, with build/ (MPIXCORR_BUILD) and the peers that $PYTHON has.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

script=bench.py
if [[ "${1:-}" == matrix ]]; then
  script=matrix.py
  shift
fi
# mpirun refuses root unless told twice; inputs are made on all cores at once.
if [[ "$(id -u)" == 0 ]]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
for argument in "$@"; do
  case $argument in -h | --help | --trial) # installs and builds nothing
    export MPIXCORR_BUILD=${MPIXCORR_BUILD:-$PWD/build}
    MPIXCORR_LIBRARY=$MPIXCORR_BUILD/src/libmpixcorr.so exec "${PYTHON:-python3}" "bench/$script" "$@" ;;
  esac
done

mapfile -t packages <jobs/build_packages.txt
jobs/install_packages.sh "${packages[@]}" python3 python3-venv

venv=${MPIXCORR_BENCH_VENV:-$PWD/_work/bench/venv}
if [[ ! -x "$venv/bin/python" ]]; then python3 -m venv "$venv"; fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement bench/requirements.txt

build() { # FOLDER cmake arguments
  cmake -S . -B "$1" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DMPIXCORR_BENCH=ON "${@:2}" >/dev/null
  cmake --build "$1" --target mpixcorr ncc_shared bench_floor bench_stages
}
build build-bench
if [[ $script == matrix.py ]]; then
  MPIXCORR_LIBRARY=$PWD/build-bench/src/libmpixcorr.so exec "$venv/bin/python" bench/matrix.py "$@"
fi
build build-bench-mkl -DMPIXCORR_FFT=mkl -DMKLROOT="$venv"
exec "$venv/bin/python" bench/bench.py "$@"
