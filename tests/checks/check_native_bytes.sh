#!/usr/bin/env bash
# -march=native changes no byte of the results: check_native_bytes.sh SOURCE_DIR
# Builds the program once more for this machine's processor and compares every result dataset with $MPIXCORR's.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cmake -S "$1" -B "$folder/build" -G Ninja -DBUILD_TESTING=OFF -DCMAKE_C_FLAGS=-march=native >/dev/null
cmake --build "$folder/build" --target mpixcorr >/dev/null

cd "$folder"
"$MPIXCORR" generate in.h5 --preset stitch2d --images 2 --seed 3 >/dev/null
"$MPIXCORR" run in.h5 usual.h5 --progress none >/dev/null
build/mpixcorr run in.h5 native.h5 --progress none >/dev/null
for dataset in coords offsets peaks overlap status; do
  for name in usual native; do h5dump -d "/$dataset" -b LE -o "$name.bin" "$name.h5" >/dev/null; done
  cmp usual.bin native.bin || { echo "/$dataset differs"; exit 1; }
done
