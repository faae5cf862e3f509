#!/usr/bin/env bash
# The sources and headers of the core, gpu/ (on the stand-in for CUDA), io/ and mpi/ are clean to clang-tidy 14 as .clang-tidy
# configures it; other versions find other things. A minute and a half of processor time, nearly all of it the analyzer's.
# Exit 77 where there is no clang-tidy 14.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
for tidy in clang-tidy-14 clang-tidy ""; do
  [[ -n $tidy ]] || { echo "skipped: no clang-tidy 14"; exit 77; }
  if command -v "$tidy" >/dev/null && "$tidy" --version | grep -q 'version 14\.'; then break; fi
done
command -v clang++ >/dev/null || { echo "skipped: no clang"; exit 77; }
CC=clang CXX=clang++ cmake -S . -B build-tidy -G Ninja -DMPIXCORR_CUDA=host -DBUILD_TESTING=OFF >/dev/null
cmake --build build-tidy --target ncc_commit >/dev/null
find src gpu io mpi -name '*.c' -print0 | xargs -0 -P "$(nproc)" -n 4 "$tidy" --quiet -p build-tidy 2>build-tidy/tidy.log || {
  grep 'error' build-tidy/tidy.log || true # of a file that cannot be compiled; the findings are above
  exit 1
}
echo "clean"
