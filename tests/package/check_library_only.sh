#!/usr/bin/env bash
# The library builds and installs where CMake can find neither MPI nor HDF5: check_library_only.sh SOURCE_DIR
# Unoptimised, as in check_tarball.sh: that takes a quarter of the time, and what is asked is how parts fit together.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cmake -S "$1" -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=Plain -DMPIXCORR_LIBRARY_ONLY=ON \
  -DCMAKE_DISABLE_FIND_PACKAGE_MPI=ON -DCMAKE_DISABLE_FIND_PACKAGE_HDF5=ON >/dev/null
cmake --build "$folder/build" >/dev/null
"$(dirname "${BASH_SOURCE[0]}")/check_install.sh" "$folder/build"
if ldd "$folder"/build/src/libmpixcorr.so | grep -E 'libmpi|libhdf5'; then
  echo "libmpixcorr.so needs MPI or HDF5" >&2
  exit 1
fi
