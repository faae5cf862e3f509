#!/usr/bin/env bash
# The FFT library changes no byte of the results: check_fft_bytes.sh SOURCE_DIR OTHER
# Builds the program once more with OTHER (fftw or mkl; mkl needs MKLROOT) and compares every result with $MPIXCORR's.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if [[ "$2" == mkl && -z "${MKLROOT:-}" ]]; then
  echo "skipped: MKLROOT does not name an MKL"
  exit 77
fi
cmake -S "$1" -B "$folder/build" -G Ninja -DBUILD_TESTING=OFF -DMPIXCORR_FFT="$2" >/dev/null
cmake --build "$folder/build" --target mpixcorr >/dev/null

cd "$folder"
libraries=$({ "$MPIXCORR" --version; build/mpixcorr --version; } | sed -n 's/^FFT *//p' | sort -u)
if [[ "$(wc -l <<<"$libraries")" != 2 ]]; then
  echo "both programs name the same FFT library: $libraries"
  exit 1
fi
compare() { # INPUT OPTIONS...
  "$MPIXCORR" run "$1" usual.h5 --overwrite --progress none "${@:2}" >/dev/null
  build/mpixcorr run "$1" other.h5 --overwrite --progress none "${@:2}" >/dev/null
  for dataset in coords offsets peaks overlap status; do
    for name in usual other; do h5dump -d "/$dataset" -b LE -o "$name.bin" "$name.h5" >/dev/null; done
    cmp usual.bin other.bin || { echo "/$dataset of $1 differs (${*:2})"; exit 1; }
  done
}
"$MPIXCORR" generate tiles.h5 --preset stitch2d --images 2 --seed 3 >/dev/null
"$MPIXCORR" generate tiny.h5 --preset tiny --dtype f32 --seed 4 >/dev/null
compare tiles.h5 --threads 2
compare tiles.h5 --crop half --normalize
compare tiny.h5 --threads 1
