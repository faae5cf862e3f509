#!/usr/bin/env bash
# Builds against MPICH and its parallel HDF5, beside the default build, and runs the tests that use MPI.
#   check_mpich.sh [ctest arguments]
# Debian installs Open MPI and MPICH side by side; plain `mpirun` and `mpicc` stay Open MPI's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

for program in mpicc.mpich mpiexec.mpich h5pcc.mpich; do
  command -v $program >/dev/null || { echo "skipped: no $program (Debian: mpich libhdf5-mpich-dev)"; exit 77; }
done
read -ra cmake_args <<<"${MPIXCORR_CMAKE_ARGS:-}"
# MPICH writes MPI_STATUSES_IGNORE as an address that gcc takes for an array without elements. What includes no mpi.h is
# compiled as by default, so that ccache knows it.
cmake -S . -B build-mpich -G Ninja -DCMAKE_BUILD_TYPE=Release -DMPI_C_COMPILER=mpicc.mpich \
  -DMPIEXEC_EXECUTABLE="$(command -v mpiexec.mpich)" -DHDF5_C_COMPILER_EXECUTABLE="$(command -v h5pcc.mpich)" \
  -DMPI_C_COMPILE_OPTIONS=-Wno-stringop-overflow "${cmake_args[@]}" >build-mpich.log || { cat build-mpich.log >&2; exit 1; }
grep -E '^--   (MPI|HDF5) ' build-mpich.log
cmake --build build-mpich >>build-mpich.log || { tail -n 30 build-mpich.log >&2; exit 1; }
build-mpich/mpixcorr --version | grep -q MPICH || { echo "not built with MPICH" >&2; exit 1; }
rm build-mpich.log
ctest --test-dir build-mpich --output-on-failure --parallel $((6 * $(nproc) + 3)) --label-regex '^mpi$' "$@"
