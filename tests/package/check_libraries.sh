#!/usr/bin/env bash
# What `run` does not need, it does not load: check_libraries.sh PROGRAM
# Of libraries it has those that MPI, HDF5, FFTW, hwloc and Jansson bring along, and no more; pictures, TIFF, PNG and MAT
# files, with the other HDF5 that matio has, come when they are asked for.
set -euo pipefail
own=$(readelf -d "$1" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p')
echo "$own"
if ldd "$1" | grep -E 'matio|hdf5_serial|libcairo|libX|libxcb|tiff|libpng|fontconfig'; then
  echo "these are loaded by every command" >&2
  exit 1
fi
hdf5=$(ldd "$1" | sed -n 's/.*libhdf5[^ ]* => \([^ ]*\) .*/\1/p')
loaded=$(ldd "$1" | wc -l) brought=$(ldd "$hdf5" | wc -l)
echo "$loaded libraries, of which HDF5 brings $brought"
((loaded <= brought + 8)) || { echo "more than HDF5 and eight others" >&2; exit 1; }
