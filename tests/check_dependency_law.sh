#!/usr/bin/env bash
# The dependency law: who may include what. tests/check_dependency_law.sh [ROOT]
#   src/      core: none of MPI, HDF5, CUDA; nothing of the layers above
#   gpu/      core; the only folder with CUDA
#   io/       core; the only folder with HDF5
#   mpi/      core, io, gpu; the only folder with MPI
#   src/app/  all of them by their headers, no foreign library of theirs
set -euo pipefail
root=${1:-$(dirname "${BASH_SOURCE[0]}")/..}
cd "$root"

layer_of_file() {
  case $1 in
    src/app/*) echo app ;;
    *) echo "${1%%/*}" ;;
  esac
}

declare -A own=()     # header -> layer
while IFS= read -r file; do own[${file##*/}]=$(layer_of_file "$file"); done \
  < <(find src gpu io mpi -name '*.h' -o -name '*.cuh')

declare -A allowed=([src]="src" [gpu]="src gpu cuda" [io]="src io hdf5" [mpi]="src io gpu mpi mpilib"
  [app]="src io gpu mpi app")

bad=0
while IFS=: read -r file line text; do
  header=${text#*[\"<]}
  header=${header%%[\">]*}
  case $header in
    mpi.h) target=mpilib ;;
    hdf5.h | hdf5_hl.h | H5*.h) target=hdf5 ;;
    cuda*.h | cufft*.h | nvml.h | nvrtc.h) target=cuda ;;
    *) target=${own[${header##*/}]:-} ;;
  esac
  layer=$(layer_of_file "$file")
  if [[ -n $target && " ${allowed[$layer]} " != *" $target "* ]]; then
    echo "$file:$line: $layer must not include $header ($target)"
    bad=1
  fi
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include' src gpu io mpi --include='*.[ch]' --include='*.cu' --include='*.cuh')
exit $bad
