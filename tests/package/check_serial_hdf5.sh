#!/usr/bin/env bash
# A serial HDF5 is a configure error that says so: check_serial_hdf5.sh SOURCE_DIR
# The serial build is a pretended one: a compiler wrapper and a configuration header without H5_HAVE_PARALLEL.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
wrapper=$(command -v h5pcc || true)
[[ -n $wrapper ]] || { echo "skipped: no h5pcc to pretend with"; exit 77; }
include=$("$wrapper" -show | grep -oE -- '-I ?/[^ ]*' | head -n1 | sed 's/^-I *//')
[[ -f $include/H5pubconf.h ]] || { echo "skipped: no H5pubconf.h in '$include'"; exit 77; }
mkdir "$folder/include"
cp "$include"/*.h "$folder/include/"
sed -i '/H5_HAVE_PARALLEL/d' "$folder"/include/H5pubconf*.h
cat >"$folder/h5cc" <<EOT
#!/bin/sh
"$wrapper" "\$@" | sed -e 's|$include|$folder/include|g' -e 's/Parallel HDF5: yes/Parallel HDF5: no/'
EOT
chmod +x "$folder/h5cc"
if cmake -S "$1" -B "$folder/build" -DBUILD_TESTING=OFF -DHDF5_C_COMPILER_EXECUTABLE="$folder/h5cc" >"$folder/log" 2>&1; then
  echo "configuring went through" >&2
  exit 1
fi
tr '\n' ' ' <"$folder/log" | tr -s ' ' | grep -o 'HDF5 [0-9.]* was found, but it is a serial build; mpixcorr needs parallel HDF5' ||
  { cat "$folder/log" >&2; exit 1; }
