#!/usr/bin/env bash
# Rates of handing out with an engine that does nothing, at 2 to 64 ranks: bench/dispatch.sh [BUILD_FOLDER]
set -euo pipefail
program=$(realpath "${1:-$(dirname "${BASH_SOURCE[0]}")/../build}")/bench/bench_dispatch
if [[ "$(id -u)" == 0 ]]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_btl_vader_single_copy_mechanism=none
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"$program" 0
for ranks in 2 4 8 16 32 64; do mpirun -n $ranks "$program" 50000 1 1 all; done
for ranks in 2 8 64; do
  mpirun -n $ranks "$program" 400000 0 1 all
  mpirun -n $ranks "$program" 200000 0 1 root
done
